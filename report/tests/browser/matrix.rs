//! The page of the matrix: everything is there, the filter works, and it fits the window.

use gridproof_report::matrix::{CellResult, MatrixReport, page};
use serde_json::{Value, json};

use crate::cells;
use crate::chromium::{Browser, Scheme, Seen, View};
use crate::picture::Picture;
use crate::{DARK, NARROW, WIDE};

pub fn large(browser: &Browser) -> Result<(), String> {
    let report = cells::large();
    let text = page(&report);
    let mut colours = Vec::new();
    for view in [WIDE, DARK, NARROW] {
        let seen = browser.open(&text, view)?;
        judge(&seen, &report).map_err(|problem| format!("{view:?}: {problem}"))?;
        Picture::decode(&seen.screenshot)?.check(view, false).map_err(|problem| format!("{view:?}: {problem}"))?;
        colours.push((view.scheme, seen.measured["matrix"]["backgrounds"].clone()));
    }
    for (scheme, colour) in &colours {
        let distinct = [0, 1, 2].map(|index| colour[index].as_str().unwrap_or_default());
        if distinct[0] == distinct[1] || distinct[1] == distinct[2] || distinct[0] == distinct[2] {
            return Err(format!("{scheme:?}: cells do not differ in colour: {colour}"));
        }
    }
    let [light, dark] =
        [Scheme::Light, Scheme::Dark].map(|wanted| colours.iter().find(|(scheme, _)| *scheme == wanted));
    if light.map(|(_, colour)| colour) == dark.map(|(_, colour)| colour) {
        Err("dark is light".to_owned())
    } else {
        Ok(())
    }
}

fn judge(seen: &Seen, report: &MatrixReport) -> Result<(), String> {
    if let Some(line) = seen.console.first() {
        return Err(format!("the console has {} lines, the first: {line}", seen.console.len()));
    }
    let measured = &seen.measured;
    let cases = |wanted: &dyn Fn(&CellResult) -> bool| {
        let mut names: Vec<String> = report
            .cells
            .iter()
            .filter(|cell| wanted(&cell.result))
            .map(|cell| format!("{}/{}/{}", cell.kernel, cell.variant, cell.case))
            .collect();
        names.sort();
        names.dedup();
        names.len()
    };
    let all = cases(&|_| true);
    let shown = |count: usize| json!([count, format!("{count} of {all} cases")]);
    let wrong = cases(&|result| matches!(result, CellResult::Disagreed(_)));
    let expected = [
        ("script", json!("ran")),
        ("elements_from_elsewhere", json!(0)),
        ("/matrix/cells", json!(report.cells.len())),
        ("/matrix/rows", json!(all)),
        ("/matrix/by_words", shown(1)),
        ("/matrix/by_disagreement", shown(wrong)),
        ("/matrix/by_nothing", shown(0)),
        ("/matrix/all_again", shown(all)),
    ];
    for (what, expected) in expected {
        let found = if what.starts_with('/') { measured.pointer(what) } else { measured.get(what) };
        if found != Some(&expected) {
            return Err(format!("{what} is {}, expected {expected}", found.unwrap_or(&Value::Null)));
        }
    }
    let (width, room) = (measured["width"][0].as_u64(), measured["width"][1].as_u64());
    if width > room { Err(format!("the page is wider than the window: {width:?} of {room:?}")) } else { Ok(()) }
}

/// A check that cannot fail is none.
pub fn broken(browser: &Browser) -> Result<(), String> {
    let report = cells::large();
    let text = page(&report);
    let cases = [
        ("a cell is gone", text.replacen("<td class=\"a\">✓</td>", "", 1), "/matrix/cells"),
        ("the script is another", text.replacen("root.dataset.script", "root.dataset.other", 1), "console"),
        ("too wide", text.replacen("<h1>", "<svg width=\"3000\" height=\"5\"></svg><h1>", 1), "wider"),
        ("a name", text.replacen("n=999,", "n=998,", 1), "/matrix/by_words"),
    ];
    for (what, broken, reason) in cases {
        if broken == text {
            return Err(format!("{what}: the page was not changed"));
        }
        match judge(&browser.open(&broken, View { height: 900, ..WIDE })?, &report) {
            Ok(()) => return Err(format!("{what}: not noticed")),
            Err(problem) if !problem.contains(reason) => return Err(format!("{what}: noticed as {problem}")),
            Err(_) => {}
        }
    }
    Ok(())
}
