//! The HTML pages, as text; what a browser makes of them is tested in `tests/browser`.

use gridproof_report::html;
use gridproof_report::model::{CheckReport, Verdict};

use crate::{made, runs};

#[test]
fn tmp_dump() {
    for (name, report) in [
        ("cross", runs::cross_workgroup()),
        ("inside", runs::inside_a_workgroup()),
        ("stuck", runs::no_progress()),
        ("long", runs::long()),
        ("dispatch", runs::second_dispatch()),
        ("one", runs::one_turn()),
        ("hostile", runs::hostile()),
        ("bounds", made::report(Verdict::Faulty, vec![made::wrapped_offset()])),
        ("none", made::report(Verdict::RaceFree, vec![])),
    ] {
        std::fs::write(format!("/tmp/pg/{name}.html"), html::check(&report)).unwrap();
    }
    let all = CheckReport { findings: made::each_rule(), ..made::racy() };
    for page in html::pages(&all) {
        std::fs::write(format!("/tmp/pg/{}", page.name), page.text).unwrap();
    }
    std::fs::write("/tmp/pg/trace.json", gridproof_report::trace::check(&runs::cross_workgroup())).unwrap();
}
