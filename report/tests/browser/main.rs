//! What a browser makes of the HTML pages: each is opened in headless Chromium, measured and photographed.
//!
//! The browser is the one that `GRIDPROOF_CHROMIUM` names, or one of the usual names in `PATH`. Without one the tests
//! are shown as ignored with the reason; with `GRIDPROOF_REQUIRE_CHROMIUM=1` they fail.

mod chromium;
mod judge;
mod matrix;
mod picture;

#[path = "../report/cells.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use all of it")]
mod cells;
#[path = "../report/made.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use all of it")]
mod made;
#[path = "../report/runs.rs"]
mod runs;

use std::process::ExitCode;

use gridproof_report::html;
use gridproof_report::model::{CheckReport, Verdict};
use libtest_mimic::{Arguments, Failed, Trial};

use chromium::{Browser, Scheme, View};
use judge::{Expected, judge};
use picture::Picture;

const WIDE: View = View { width: 1280, height: 1400, scheme: Scheme::Light };
const DARK: View = View { scheme: Scheme::Dark, ..WIDE };
const NARROW: View = View { width: 400, ..WIDE };

/// One test.
type Test = fn(&Browser) -> Result<(), String>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = Browser::find();
    let required = std::env::var_os("GRIDPROOF_REQUIRE_CHROMIUM").is_some_and(|value| value == "1");
    let tests: [(&str, Test); 10] = [
        ("a_race_between_workgroups", between_workgroups),
        ("a_race_inside_a_workgroup", inside_a_workgroup),
        ("a_launch_without_progress", no_progress),
        ("a_long_run", long),
        ("a_second_dispatch_and_one_turn", others),
        ("markup_in_names_and_source", hostile),
        ("findings_without_a_run", without_a_run),
        ("broken_pages_are_noticed", broken),
        ("a_matrix_of_thousands_of_cells", matrix::large),
        ("a_broken_matrix_is_noticed", matrix::broken),
    ];
    let trials = tests.map(|(name, test)| {
        let browser = browser.clone();
        let missing = browser.as_ref().err().cloned();
        let trial = Trial::test(name, move || match &browser {
            Ok(browser) => test(browser).map_err(Failed::from),
            Err(reason) => Err(Failed::from(reason.clone())),
        });
        match missing.filter(|_| !required) {
            Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
            None => trial,
        }
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

/// Opens the page of a report in each view, and judges what came of it.
fn check(browser: &Browser, report: &CheckReport, expected: Expected, views: &[View]) -> Result<(), String> {
    for view in views {
        let seen = browser.open(&html::check(report), *view)?;
        judge(&seen, expected).map_err(|problem| format!("{view:?}: {problem}"))?;
        let picture = Picture::decode(&seen.screenshot)?;
        picture.check(*view, expected.arrow).map_err(|problem| format!("{view:?}: {problem}"))?;
    }
    Ok(())
}

fn between_workgroups(browser: &Browser) -> Result<(), String> {
    let expected = Expected { lanes: 4, turns: 7, arrow: true, steps: 7, marked_lines: 2 };
    check(browser, &runs::cross_workgroup(), expected, &[WIDE, DARK, NARROW])
}

fn inside_a_workgroup(browser: &Browser) -> Result<(), String> {
    let expected = Expected { lanes: 2, turns: 4, arrow: true, steps: 4, marked_lines: 2 };
    check(browser, &runs::inside_a_workgroup(), expected, &[WIDE, NARROW])
}

fn no_progress(browser: &Browser) -> Result<(), String> {
    let expected = Expected { lanes: 3, turns: 9, arrow: true, steps: 9, marked_lines: 2 };
    check(browser, &runs::no_progress(), expected, &[WIDE, NARROW])
}

fn long(browser: &Browser) -> Result<(), String> {
    let turns = html::check(&runs::long()).matches("<a class=\"turn").count();
    if !(100..=200).contains(&turns) {
        return Err(format!("{turns} turns are drawn"));
    }
    let expected = Expected { lanes: 10, turns, arrow: true, steps: turns, marked_lines: 2 };
    check(browser, &runs::long(), expected, &[WIDE])
}

fn others(browser: &Browser) -> Result<(), String> {
    let expected = Expected { lanes: 5, turns: 8, arrow: true, steps: 8, marked_lines: 2 };
    check(browser, &runs::second_dispatch(), expected, &[WIDE])?;
    check(browser, &runs::one_turn(), Expected { lanes: 1, turns: 1, arrow: true, steps: 1, marked_lines: 2 }, &[WIDE])
}

fn hostile(browser: &Browser) -> Result<(), String> {
    let expected = Expected { lanes: 4, turns: 7, arrow: true, steps: 7, marked_lines: 2 };
    check(browser, &runs::hostile(), expected, &[WIDE, NARROW])
}

fn without_a_run(browser: &Browser) -> Result<(), String> {
    let nothing = Expected { lanes: 0, turns: 0, arrow: false, steps: 0, marked_lines: 0 };
    check(browser, &made::report(Verdict::RaceFree, Vec::new()), nothing, &[NARROW])?;
    let report = made::report(Verdict::Faulty, vec![made::wrapped_offset()]);
    check(browser, &report, Expected { marked_lines: 2, ..nothing }, &[WIDE])
}

/// A check that cannot fail is none: each of these pages must be refused, and for its own reason.
fn broken(browser: &Browser) -> Result<(), String> {
    let page = html::check(&runs::cross_workgroup());
    let expected = Expected { lanes: 4, turns: 7, arrow: true, steps: 7, marked_lines: 2 };
    let arrow = between(&page, "id=\"arrow\" d=\"", "\"").ok_or("the page has no arrow")?;
    let cases = [
        ("arrow starts", page.replace(arrow, "M300 20C300 60 700 60 700 400"), "arrow starts"),
        ("arrow ends", page.replace(arrow, &format!("{arrow}l0 90")), "arrow ends"),
        ("a turn is gone", page.replacen("<a class=\"turn\"", "<a class=\"other\"", 1), "6 turns"),
        ("the script is another", page.replacen("dataset.script", "dataset.other", 1), "console"),
        (
            "a picture from elsewhere",
            page.replacen("<h1>", "<img src=\"https://example.com/x.png\" alt=\"\"><h1>", 1),
            "console",
        ),
        ("too wide", page.replacen("<h1>", "<svg width=\"3000\" height=\"5\"></svg><h1>", 1), "wider"),
        ("text leaves its box", page.replacen(">turn 1<", ">turn 1 with far too many words in it<", 1), "text"),
    ];
    for (what, broken, reason) in cases {
        if broken == page {
            return Err(format!("{what}: the page was not changed"));
        }
        match judge(&browser.open(&broken, WIDE)?, expected) {
            Ok(()) => return Err(format!("{what}: not noticed")),
            Err(problem) if !problem.contains(reason) => return Err(format!("{what}: noticed as {problem}")),
            Err(_) => {}
        }
    }
    let blank = browser.open("<!DOCTYPE html><title>nothing</title>", WIDE)?;
    match Picture::decode(&blank.screenshot)?.check(WIDE, false) {
        Ok(()) => Err("a blank picture is not noticed".to_owned()),
        Err(_) => Ok(()),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(part, _)| part)
}
