//! The HTML pages, as text; what a browser makes of them is tested in `tests/browser`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gridproof_report::html;
use gridproof_report::model::{CheckReport, Verdict};
use gridproof_simulator::ir::SourceFile;
use sha2::{Digest, Sha256};

use crate::{made, runs};

fn within<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

/// A page without its style and script, which are the same in all.
fn body(report: &CheckReport) -> String {
    let page = html::check(report);
    within(&page, "<main>\n", "</main>").to_owned()
}

#[test]
fn the_page_of_a_race() {
    insta::assert_snapshot!("page_cross_workgroup", body(&runs::cross_workgroup()));
}

#[test]
fn the_page_of_a_launch_without_progress() {
    let page = body(&runs::no_progress());
    insta::assert_snapshot!("page_no_progress", within(&page, "<section aria-labelledby=\"timeline\">", "</section>"));
}

#[test]
fn the_page_of_a_finding_without_a_schedule() {
    insta::assert_snapshot!("page_wrapped", body(&made::report(Verdict::Faulty, vec![made::wrapped_offset()])));
}

#[test]
fn the_policy_names_the_hashes_of_style_and_script() {
    let page = html::check(&runs::cross_workgroup());
    let policy = within(&page, "Content-Security-Policy\" content=\"", "\"");
    for (kind, part) in
        [("style", within(&page, "<style>", "</style>")), ("script", within(&page, "<script>", "</script>"))]
    {
        let hash = format!("{kind}-src 'sha256-{}'", STANDARD.encode(Sha256::digest(part)));
        assert!(policy.contains(&hash), "page.{kind} has changed, its hash must follow: expected {hash} in {policy}");
    }
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
}

#[test]
fn accesses_come_in_the_order_of_the_run() {
    let report = runs::inside_a_workgroup();
    assert_eq!(report.findings[0].first.local, [0, 0, 0], "the finding has the read first");
    let page = body(&report);
    let notes = within(&page, "<ul class=\"notes\">", "</ul>");
    let first = notes.find("invocation 63, subgroup 1, of workgroup 0 writes").unwrap();
    let second = notes.find("invocation 0, subgroup 0, of workgroup 0 reads").unwrap();
    assert!(first < second && notes.contains("value 0x41200000"), "{notes}");
    assert!(page.contains("data-from=\"turn-3\" data-to=\"turn-4\""), "{page}");
}

#[test]
fn who_waits_is_drawn_to_the_end() {
    let page = body(&runs::no_progress());
    assert!(page.contains("<g class=\"waits first\" id=\"waits\""), "{page}");
    assert!(page.contains("gets no slot") && page.contains("data-from=\"waits\" data-to=\"missing\""), "{page}");
    let racy = body(&runs::cross_workgroup());
    assert!(!racy.contains("class=\"waits") && !racy.contains("class=\"missing"), "{racy}");
}

#[test]
fn a_long_run_is_cut_and_says_so() {
    let page = html::check(&runs::long());
    assert!(page.len() < 2 << 20, "{} bytes", page.len());
    let left_out = within(&page, "<p class=\"quiet\">Left out: ", "</p>");
    let drawn = page.matches("<a class=\"turn").count() as u64;
    let folded: u64 = left_out.split_once(" turns").unwrap().0.replace(',', "").parse().unwrap();
    assert_eq!(folded + drawn, 100_000, "{left_out}");
    assert!(
        left_out.contains("1,234 further turns not recorded") && left_out.contains("further subgroups"),
        "{left_out}"
    );
    assert!(page.contains("id=\"turn-39951\"") && page.contains("id=\"turn-40401\""));
    assert_eq!(page, html::check(&runs::long()), "the same run gives the same bytes");
}

#[test]
fn a_run_without_the_two_accesses_has_no_arrow_and_says_so() {
    let mut report = runs::cross_workgroup();
    report.timelines[0].as_mut().unwrap().turns.truncate(3);
    let page = body(&report);
    assert!(!page.contains("id=\"arrow\"") && page.contains("do not have both accesses"), "{page}");
}

#[test]
fn nothing_from_a_kernel_becomes_markup() {
    let page = html::check(&runs::hostile());
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    for markup in ["<img", "\"'>", "\u{202e}", "\u{0}"] {
        assert!(!page.contains(markup), "{markup:?}");
    }
    assert!(page.contains("&lt;/script&gt;"));
}

#[test]
fn nothing_is_asked_of_anybody() {
    for report in [runs::cross_workgroup(), made::racy(), made::unsupported(), made::incomplete(), made::approximate()]
    {
        let page = html::check(&report);
        for way in ["http:", "https:", "src=", "url(//", "@import", "fetch(", "style=\""] {
            assert!(!page.contains(way), "{way}");
        }
    }
}

#[test]
fn a_long_file_is_cut_around_its_marked_lines() {
    let mut report = made::report(Verdict::Faulty, vec![made::misaligned()]);
    let padding = "// a line that nobody needs\n".repeat(5000);
    report.files[0] =
        SourceFile { name: "long.wgsl".to_owned(), text: Some((made::KERNEL.to_owned() + &padding).into()) };
    let page = body(&report);
    let listing = within(&page, "<ol class=\"source\">", "</ol>");
    assert_eq!(listing.matches("<li id=\"source-0-").count(), 13, "{listing}");
    assert!(listing.contains("… 5,006 lines left out"), "{listing}");
}

#[test]
fn a_file_without_text_is_named() {
    let mut report = made::report(Verdict::Racy, vec![made::workgroup_race()]);
    report.files = vec![SourceFile { name: "k.spv".to_owned(), text: None }];
    assert!(body(&report).contains("<code>k.spv:14:30</code>: invocation 0 reads element 63"), "{}", body(&report));
}

#[test]
fn each_rule_has_a_page_and_the_index_leads_to_it() {
    let report = CheckReport { findings: made::each_rule(), ..made::racy() };
    let pages = html::pages(&report);
    assert_eq!(pages.len(), 1 + report.findings.len());
    assert_eq!(pages[0].name, "index.html");
    for (position, page) in pages.iter().enumerate().skip(1) {
        assert_eq!(page.name, format!("finding-{position}.html"));
        assert!(pages[0].text.contains(&format!("href=\"{}\"", page.name)));
        assert!(
            page.text.contains(report.findings[position - 1].rule.code()) && page.text.contains("href=\"index.html\"")
        );
    }
    assert!(!html::check(&report).contains("index.html"));
}
