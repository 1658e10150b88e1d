//! Matrices made up by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use gridproof_report::matrix::{CellReport, CellResult, Found, MatrixReport, Origin};
use gridproof_simulator::finding::Finding;
use gridproof_simulator::ir::SourceFile;

use crate::made;

pub fn cell(kernel: &str, variant: &str, case: &str, leg: &str, result: CellResult) -> CellReport {
    CellReport {
        name: format!("{kernel}/{variant}/{case}/{leg}"),
        kernel: kernel.to_owned(),
        variant: variant.to_owned(),
        case: case.to_owned(),
        leg: leg.to_owned(),
        file: format!("conformance/suite/{kernel}/shapes.toml"),
        result,
        seconds: 0.25,
        findings: Vec::new(),
    }
}

pub fn found(finding: &Finding, demanded: bool) -> Found {
    let files = [SourceFile { name: "kernels/alpha.wgsl".to_owned(), text: Some(made::KERNEL.into()) }];
    Found::new("alpha:racy", finding, &files, demanded)
}

/// Every kind of result, markup in every text, and findings that several cells share.
pub fn small() -> MatrixReport {
    let disagreed = |text: &str| CellResult::Disagreed(text.to_owned());
    let no_device = || CellResult::Skipped("no <b>driver</b> & no device".to_owned());
    let race = made::cross_workgroup_race();
    let with = |findings: Vec<Found>, cell: CellReport| CellReport { findings, ..cell };
    let wrong = disagreed("output[1] is 0x8000, the model says 0x0000; 2 bytes differ");
    MatrixReport {
        cells: vec![
            cell("alpha", "plain", "n=1/fused", "oracle", CellResult::Agreed),
            cell("alpha", "plain", "n=1/fused", "sim-wgsl:32", wrong),
            cell("alpha", "plain", "n=1/fused", "sim-wgsl:8", CellResult::Agreed),
            cell("alpha", "plain", "n=1/fused", "cuda:none", no_device()),
            cell("alpha", "plain", "n=2/fused", "cuda:none", no_device()),
            with(vec![found(&race, true)], cell("alpha", "racy", "n=1/fused", "sim-wgsl:32", CellResult::Agreed)),
            with(vec![found(&race, true)], cell("alpha", "racy", "n=2/fused", "sim-wgsl:32", CellResult::Agreed)),
            with(
                vec![found(&made::misaligned(), false)],
                cell("alpha", "racy", "n=3/fused", "sim-wgsl:32", disagreed("GP0008 was found and is not demanded")),
            ),
            cell("beta", "plain", "n=1/<i>fused</i>", "wgpu:a <script>", disagreed("a </script> in the way")),
        ],
        devices: vec![("wgpu:a <script>".to_owned(), "a device & its driver".to_owned())],
        selection: "the suite".to_owned(),
        partition: Some("slice:1/2".to_owned()),
        origin: None,
        missing: Vec::new(),
        resumed: 3,
        unsaved: None,
        accepted: BTreeMap::new(),
        elapsed: Duration::from_millis(1500),
    }
}

/// The same with one of its disagreements accepted.
pub fn accepted() -> MatrixReport {
    let report = small();
    let print = report.cells[8].fingerprint();
    MatrixReport { accepted: BTreeMap::from([(print, "the <b>driver</b> is known for it".to_owned())]), ..report }
}

/// Two shares of three, merged; and one of them.
pub fn halves() -> [MatrixReport; 2] {
    let origin = Origin { build: "00".to_owned(), cells: 27, names: "0123".to_owned() };
    let share = MatrixReport { origin: Some(origin), ..small() };
    [MatrixReport { partition: None, missing: vec!["slice:2/3".to_owned()], ..small() }, share]
}

/// 6,500 cells: 1,300 cases on five legs.
pub fn large() -> MatrixReport {
    let legs = ["oracle", "sim-wgsl:32", "sim-ptx", "wgpu:llvmpipe", "cuda:0"];
    let cells = (0..1300).flat_map(|number| {
        legs.into_iter().enumerate().map(move |(leg, name)| {
            let result = match (number * 7 + leg * 3) % 13 {
                0 => CellResult::Skipped("the adapter does not compute in profile `fused`".to_owned()),
                1 if number % 100 == 0 => CellResult::Disagreed("output[7] is 0x1, the model says 0x2".to_owned()),
                _ => CellResult::Agreed,
            };
            let (kernel, case) = (["alpha", "beta"][number / 650], format!("n={number},k=512/fused"));
            cell(kernel, ["plain", "split"][number / 325 % 2], &case, name, result)
        })
    });
    MatrixReport { cells: cells.collect(), selection: "the suite".to_owned(), ..MatrixReport::default() }
}
