//! Whole checks of small launches: files in, verdict out, and findings reproduced from their JSON.

use std::path::{Path, PathBuf};

use gridproof_conformance::check::{CheckError, CheckOptions, ScheduleChoice, check_catalogue, check_file, replay};
use gridproof_report::json;
use gridproof_report::model::{Assumption, CheckReport, Verdict};
use gridproof_simulator::finding::Severity;
use gridproof_simulator::{Budget, Config};

fn kernels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels")
}

fn options() -> CheckOptions {
    let budget = Budget { instructions: 1 << 24, ..Budget::default() };
    CheckOptions { config: Config { budget, threads: 1, ..Config::default() }, ..CheckOptions::default() }
}

fn checked(module: &str, launch: &str, options: &CheckOptions) -> CheckReport {
    check_file(&kernels().join(module), &kernels().join(launch), options)
        .unwrap_or_else(|error| panic!("{launch}: {error}"))
}

/// Launch, kernel, verdict, findings (`!` error, `?` warning), assumption.
type Expected = (&'static str, &'static str, Verdict, &'static [&'static str], Option<Assumption>);

const CASES: &[Expected] = &[
    ("map.toml", "map.wgsl", Verdict::RaceFree, &[], Some(Assumption::AnyOrder)),
    ("count.toml", "count.wgsl", Verdict::RaceFree, &[], Some(Assumption::AnyOrder)),
    ("produce_consume.toml", "produce_consume.wgsl", Verdict::RaceFree, &[], Some(Assumption::AnyOrder)),
    ("same_value.toml", "same_value.wgsl", Verdict::RaceFree, &["GP0001? flag"], Some(Assumption::AnyOrder)),
    ("null_slot.toml", "last_wins.wgsl", Verdict::RaceFree, &["GP0001? winner"], Some(Assumption::AnyOrder)),
    ("last_wins.toml", "last_wins.wgsl", Verdict::Racy, &["GP0001! winner"], Some(Assumption::LockstepWaves)),
    ("scratch.toml", "scratch.wgsl", Verdict::Racy, &["GP0001! scratch"], Some(Assumption::InOrderStart)),
    (
        "missing_barrier.toml",
        "missing_barrier.wgsl",
        Verdict::Racy,
        &["GP0002! shared_", "GP0002! shared_"],
        Some(Assumption::LockstepWaves),
    ),
    ("tail.toml", "tail.wgsl", Verdict::Faulty, &["GP0004! data"], None),
    ("tail_ptx.toml", "tail.ptx", Verdict::Faulty, &["GP0004! data"], None),
    ("guarded_ptx.toml", "tail.ptx", Verdict::RaceFree, &[], Some(Assumption::AnyOrder)),
    ("uninitialised.toml", "uninitialised.wgsl", Verdict::Faulty, &["GP0006! rows"], None),
    ("pool.toml", "pool.wgsl", Verdict::Faulty, &["GP0005! pool"], None),
    ("texture.toml", "texture.wgsl", Verdict::Unsupported, &[], None),
    ("ticket.toml", "ticket.wgsl", Verdict::RaceFree, &["GP0009? slots"], None),
    ("endless.toml", "endless.wgsl", Verdict::Incomplete, &[], None),
    ("lock_plain.toml", "lock_plain.wgsl", Verdict::Racy, &["GP0001! total"; 2], Some(Assumption::InOrderStart)),
    ("wait_plain.toml", "wait_plain.wgsl", Verdict::Racy, &["GP0001! before"], Some(Assumption::InOrderStart)),
    (
        "early_arrival.toml",
        "early_arrival.wgsl",
        Verdict::Racy,
        &["GP0001! residual", "GP0009? rows"],
        Some(Assumption::LockstepWaves),
    ),
    // What one workgroup at a time leaves is another matter than what nobody's write disturbs: no label.
    ("tile_residual.toml", "tile_residual.wgsl", Verdict::Racy, &["GP0001! residual", "GP0009? rows"], None),
    (
        "lock_two_steps.toml",
        "lock_plain.wgsl",
        Verdict::Racy,
        &["GP0001! total", "GP0001! total", "GP0009? total"],
        None,
    ),
];

#[test]
fn small_launches_get_their_verdicts() {
    let mut wrong = String::new();
    for (launch, module, verdict, findings, assumption) in CASES {
        let report = checked(module, launch, &options());
        let found: Vec<String> = report
            .findings
            .iter()
            .map(|finding| {
                let mark = if finding.severity == Severity::Error { '!' } else { '?' };
                format!("{}{mark} {}", finding.rule.code(), finding.first.buffer)
            })
            .collect();
        let label = report.safe_under.map(|safe| safe.assumption);
        let expected = (*verdict, findings.iter().map(|text| (*text).to_owned()).collect(), *assumption);
        if (report.verdict, found.clone(), label) != expected {
            wrong += &format!("{launch}: {:?} {found:?} {label:?} {:?}\n", report.verdict, report.unsupported);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn glsl_and_spirv_come_through_the_same_door() {
    let glsl = checked("map.comp", "map_slots.toml", &options());
    assert_eq!(glsl.verdict, Verdict::RaceFree);
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("map.spv");
    std::fs::write(&module, spirv(&std::fs::read_to_string(kernels().join("map.wgsl")).unwrap())).unwrap();
    let spirv = check_file(&module, &kernels().join("map_slots.toml"), &options()).unwrap();
    assert_eq!((spirv.verdict, spirv.stats.invocations), (Verdict::RaceFree, 128));
}

/// WGSL as SPIR-V bytes.
fn spirv(text: &str) -> Vec<u8> {
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let module = naga::front::wgsl::parse_str(text).unwrap();
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).unwrap();
    let words = naga::back::spv::write_vec(&module, &info, &naga::back::spv::Options::default(), None).unwrap();
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn a_race_that_no_output_shows_says_so() {
    let hidden = checked("scratch.wgsl", "scratch.toml", &options());
    assert_eq!(hidden.findings[0].output_visible, Some(false));
    let shown = checked("missing_barrier.wgsl", "missing_barrier.toml", &options());
    assert_eq!(shown.findings[0].output_visible, Some(true));
}

#[test]
fn findings_are_reproduced_from_their_json() {
    for (launch, module) in [
        ("last_wins.toml", "last_wins.wgsl"),
        ("missing_barrier.toml", "missing_barrier.wgsl"),
        ("scratch.toml", "scratch.wgsl"),
        ("tail.toml", "tail.wgsl"),
    ] {
        let report = checked(module, launch, &options());
        let read = json::read_replay(&json::check(&report)).unwrap();
        let (first, second) = (replay(&read, &options()).unwrap(), replay(&read, &options()).unwrap());
        assert!(first.reproduced, "{launch}: {:?}", read.schedule);
        assert_eq!((first.digest, first.differing_bytes), (second.digest, second.differing_bytes));
        assert_eq!(first.differing_bytes > 0, report.findings[0].output_visible == Some(true), "{launch}");
    }
}

#[test]
fn a_finding_that_is_not_there_is_not_reproduced() {
    let report = checked("last_wins.wgsl", "last_wins.toml", &options());
    let mut read = json::read_replay(&json::check(&report)).unwrap();
    if let Some(expected) = &mut read.expected {
        expected.first.line += 1;
    }
    assert!(!replay(&read, &options()).unwrap().reproduced);
}

#[test]
fn a_replay_of_a_catalogue_kernel_damages_the_same_bytes() {
    let report = check_catalogue("resadd_norm_gemv_int4", Some("fused"), "n=8,k=512", &options()).unwrap();
    let read = json::read_replay(&json::check(&report)).unwrap();
    let (first, second) = (replay(&read, &options()).unwrap(), replay(&read, &options()).unwrap());
    assert!(first.reproduced && first.differing_bytes > 0);
    assert_eq!(first.digest, second.digest);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let with = |threads| {
        let options = CheckOptions { config: Config { threads, ..Config::default() }, ..CheckOptions::default() };
        check_catalogue("resadd_norm_gemv_int4", Some("fused_no_barrier"), "n=16,k=1024", &options).unwrap()
    };
    let (one, many) = (with(1), with(5));
    assert_eq!((one.findings, one.rungs, one.safe_under), (many.findings, many.rungs, many.safe_under));
}

#[test]
fn the_smallest_failing_launch_of_a_file_is_searched() {
    let search = CheckOptions { search_threshold: true, ..options() };
    let found = |launch: &str, module: &str, options: &CheckOptions| {
        let threshold = checked(module, launch, options).threshold?;
        Some((threshold.key, threshold.value, threshold.assumption))
    };
    let key = |key: &str, value, assumption| Some((key.to_owned(), value, assumption));
    assert_eq!(found("early_arrival.toml", "early_arrival.wgsl", &search), key("grid.x", 2, Assumption::AnyOrder));
    // Waves of three workgroups keep up to three rows right.
    let few = CheckOptions { slots: 3, ..search };
    let example = "../../../examples/residual_writeback";
    let (toml, wgsl) = (format!("{example}.toml"), format!("{example}.wgsl"));
    assert_eq!(found(&toml, &wgsl, &few), key("grid.x", 4, Assumption::LockstepWaves));
    // A fault only where it is asked for.
    assert_eq!(found("tail.toml", "tail.wgsl", &search), None);
    let asked = CheckOptions { threshold_key: Some(0), ..search };
    let (key, value, assumption) = found("tail.toml", "tail.wgsl", &asked).unwrap();
    assert_eq!((key.as_str(), assumption), ("grid.x", Assumption::AnyOrder));
    assert_eq!(value, 4);
}

#[test]
fn the_threshold_follows_from_the_slots() {
    for slots in [1, 3, 16] {
        let options = CheckOptions { slots, search_threshold: true, ..options() };
        let report = check_catalogue("resadd_norm_gemv_int4", Some("fused"), "n=8,k=512", &options).unwrap();
        let threshold = report.threshold.unwrap();
        assert_eq!((threshold.key.as_str(), threshold.value), ("n", u64::from(slots) + 1));
    }
}

#[test]
fn a_choice_of_schedule_tries_only_that() {
    let rungs = |schedule| {
        let options = CheckOptions { schedule: Some(schedule), ..options() };
        let report = checked("last_wins.wgsl", "last_wins.toml", &options);
        (report.rungs.iter().map(|rung| rung.assumption).collect::<Vec<_>>(), report.safe_under.is_some())
    };
    assert_eq!(rungs(ScheduleChoice::Any), (vec![], false));
    assert_eq!(rungs(ScheduleChoice::InOrder), (vec![Assumption::InOrderStart], true));
    assert_eq!(rungs(ScheduleChoice::Lockstep), (vec![Assumption::LockstepWaves], true));
}

#[test]
fn a_budget_ends_a_check_as_incomplete_and_says_which() {
    let endless = checked("endless.wgsl", "endless.toml", &options());
    assert_eq!(endless.exhausted.map(|exhausted| exhausted.budget), Some("instructions"));
}

#[test]
fn errors_name_what_there_is() {
    let said = |kernel: &str, variant: Option<&str>, shape: &str, options: &CheckOptions| {
        let error: CheckError = check_catalogue(kernel, variant, shape, options).unwrap_err();
        (error.to_string(), error.exit_code())
    };
    let usual = options();
    let cases = [
        (said("gemm", None, "", &usual), "unknown kernel `gemm`: the catalogue has resadd_norm_gemv_int4"),
        (said("resadd_norm_gemv_int4", Some("fast"), "", &usual), "unknown variant `fast`"),
        (said("resadd_norm_gemv_int4", None, "m=1", &usual), "unknown shape key `m`, expected one of n, k"),
        (said("resadd_norm_gemv_int4", None, "k=500", &usual), "k = 500 is not a multiple of 128"),
        (
            said("resadd_norm_gemv_int4", None, "", &CheckOptions { slots: 0, ..usual }),
            "slots = 0: at least one is needed",
        ),
        (
            said("resadd_norm_gemv_int4", None, "", &CheckOptions { schedules: 0, ..usual }),
            "schedules = 0: at least one is needed",
        ),
    ];
    for ((message, code), expected) in cases {
        assert!(message.contains(expected) && code == 2, "{message}");
    }
}
