//! Findings and reports made by hand, with small sources.

use std::time::Duration;

use gridproof_launch::{Arithmetic, Language};
use gridproof_report::model::{
    Assumption, CheckReport, OutputError, ReplayReport, Rung, SafeUnder, Settings, SkippedRow, Subject, Threshold,
    Verdict,
};
use gridproof_simulator::finding::{AccessSite, Action, BoundsLimit, Detail, Finding, Rule, Severity, Unordered};
use gridproof_simulator::ir::{SourceFile, Space, Span};
use gridproof_simulator::{Approximation, Exhausted, Stats, Unsupported};

pub const KERNEL: &str = "\
@group(0) @binding(0) var<storage, read_write> residual: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
var<workgroup> partial: array<f32, 64>;

fn load(i: u32) -> f32 {
    return residual[i];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) row: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let x = load(i);
    partial[i] = x;
    workgroupBarrier();
    let total = partial[0] + partial[63];
    partial[i] = total;
    let offset = (row.x * 32u + i) * 16384u;
    output[offset] = partial[i];
    residual[i] = x + 1.0;
}
";

/// The span of the first `needle` after the first `after` in [`KERNEL`].
pub fn span(after: &str, needle: &str) -> Span {
    let from = KERNEL.find(after).unwrap();
    let start = from + KERNEL[from..].find(needle).unwrap();
    let before = &KERNEL[..start];
    let column = start - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    Span {
        file: 0,
        line: before.matches('\n').count() as u32 + 1,
        column: column as u32,
        start: start as u32,
        end: (start + needle.len()) as u32,
        inlined_at: None,
    }
}

pub fn site(action: Action, buffer: &str, element: i128, workgroup: u32, local: u32, span: Span) -> AccessSite {
    AccessSite {
        action,
        atomic: None,
        bytes: 4,
        space: if buffer == "partial" { Space::Workgroup } else { Space::Storage },
        buffer: buffer.to_owned(),
        byte_offset: element * 4,
        element: Some(element),
        dispatch: 0,
        workgroup: [workgroup, 0, 0],
        local: [local, 0, 0],
        subgroup: local / 32,
        pc: 7,
        span,
        call_stack: Vec::new(),
        value: Some(0x3f80_0000),
    }
}

pub fn finding(rule: Rule, first: AccessSite, second: Option<AccessSite>, detail: Detail) -> Finding {
    Finding {
        rule,
        severity: Severity::Error,
        first,
        second,
        benign: false,
        declared: None,
        output_visible: None,
        count: 64,
        detail,
        schedule: None,
    }
}

pub fn cross_workgroup_race() -> Finding {
    let read = AccessSite {
        call_stack: vec![span("let x", "load(i)")],
        ..site(Action::Read, "residual", 3, 1, 3, span("return", "residual[i]"))
    };
    let write = site(Action::Write, "residual", 3, 0, 3, span("residual[i] = x", "residual[i] = x + 1.0"));
    Finding {
        output_visible: Some(true),
        schedule: "gp1;slots=2;0*,1*".parse().ok(),
        ..finding(Rule::CrossWorkgroupRace, write, Some(read), unordered(Unordered::Workgroups))
    }
}

pub fn workgroup_race() -> Finding {
    let read = site(Action::Read, "partial", 63, 0, 0, span("let total", "partial[63]"));
    let write = site(Action::Write, "partial", 63, 0, 63, span("partial[i] = total", "partial[i] = total"));
    Finding {
        schedule: "gp1;slots=1;0.1*2,0.0*".parse().ok(),
        ..finding(Rule::WorkgroupRace, read, Some(write), unordered(Unordered::NoBarrier))
    }
}

pub fn wrong_barrier() -> Finding {
    Finding { detail: unordered(Unordered::WrongBarrier), schedule: None, ..workgroup_race() }
}

pub const fn unordered(why: Unordered) -> Detail {
    Detail::Unordered { why }
}

pub fn barrier_divergence() -> Finding {
    let barrier = span("workgroupBarrier", "workgroupBarrier()");
    let waits = AccessSite { value: None, ..site(Action::Barrier, "", 0, 2, 5, barrier) };
    let ended = AccessSite { value: None, ..site(Action::Ended, "", 0, 2, 40, span("x + 1.0;\n}", "}")) };
    let detail = Detail::Divergence { waiting: 33, elsewhere: 31 };
    Finding { count: 33, ..finding(Rule::BarrierDivergence, waits, Some(ended), detail) }
}

pub fn out_of_bounds(limit: BoundsLimit) -> Finding {
    let place = span("output[offset]", "output[offset] = partial[i]");
    let detail = Detail::Bounds { limit };
    finding(Rule::OutOfBounds, site(Action::Write, "output", 70, 1, 6, place), None, detail)
}

pub fn wrapped_offset() -> Finding {
    let place = span("output[offset]", "output[offset] = partial[i]");
    let origin = span("let offset", "(row.x * 32u + i) * 16384u");
    let detail = Detail::Wrapped { origin, exact: 4_294_967_296, computed: 0 };
    finding(Rule::WrappedOffset, site(Action::Write, "output", 0, 8192, 0, place), None, detail)
}

pub fn uninitialised_read() -> Finding {
    let place = span("return", "residual[i]");
    finding(Rule::UninitialisedRead, site(Action::Read, "residual", 9, 0, 9, place), None, Detail::None)
}

pub fn misaligned() -> Finding {
    let place = span("return", "residual[i]");
    let read = AccessSite { byte_offset: 6, element: None, ..site(Action::Read, "residual", 0, 0, 0, place) };
    Finding { count: 1, ..finding(Rule::Misaligned, read, None, Detail::Alignment { required: 4 }) }
}

pub fn schedule_dependent() -> Finding {
    let place = span("output[offset]", "output[offset]");
    let detail = Detail::Outputs { buffer: "output".to_owned(), differing_bytes: 1024 };
    finding(Rule::ScheduleDependent, site(Action::Write, "output", 0, 0, 0, place), None, detail)
}

pub fn mismatch(computed: Option<u64>) -> Finding {
    let place = span("output[offset]", "output[offset]");
    let detail = Detail::Mismatch {
        buffer: "output".to_owned(),
        element: 7,
        computed,
        expected: Some(0x3c12),
        bytes: 2,
        differing_bytes: 1024,
    };
    finding(Rule::LegsDisagree, site(Action::Write, "output", 0, 0, 0, place), None, detail)
}

pub fn no_progress() -> Finding {
    let place = span("let x", "load(i)");
    Finding {
        schedule: "gp1;slots=4;0*9".parse().ok(),
        ..finding(Rule::NoProgress, site(Action::AtomicRead, "residual", 0, 0, 0, place), None, Detail::None)
    }
}

/// One finding of each rule.
pub fn each_rule() -> Vec<Finding> {
    vec![
        cross_workgroup_race(),
        workgroup_race(),
        barrier_divergence(),
        out_of_bounds(BoundsLimit::Binding { length: 256 }),
        wrapped_offset(),
        uninitialised_read(),
        no_progress(),
        misaligned(),
        schedule_dependent(),
        mismatch(Some(0x7fc0)),
    ]
}

pub fn report(verdict: Verdict, findings: Vec<Finding>) -> CheckReport {
    CheckReport {
        subject: Subject::Catalogue {
            kernel: "resadd".to_owned(),
            variant: "fused".to_owned(),
            shape: vec![("n".to_owned(), "4".to_owned()), ("lens".to_owned(), "3+8".to_owned())],
            seed: 1,
            language: Language::Wgsl,
        },
        arithmetic: Arithmetic::FUSED,
        settings: Settings::default(),
        verdict,
        safe_under: None,
        rungs: Vec::new(),
        threshold: None,
        findings,
        timelines: Vec::new(),
        findings_dropped: 0,
        files: vec![SourceFile { name: "resadd.wgsl".to_owned(), text: Some(KERNEL.into()) }],
        approximations: Vec::new(),
        chosen_outputs: Vec::new(),
        unsupported: None,
        exhausted: None,
        decides_every_schedule: true,
        schedules_explored: 0,
        explorations: Vec::new(),
        output_errors: Vec::new(),
        accepted: Default::default(),
        command: "gridproof check resadd:fused --shape n=4,lens=3+8".to_owned(),
        stats: Stats {
            instructions: 123_456,
            invocations: 256,
            workgroups: 4,
            elapsed: Duration::from_millis(7),
            peak_memory: 3 << 20,
        },
        elapsed: Duration::from_millis(1250),
    }
}

pub fn user_file(verdict: Verdict, findings: Vec<Finding>) -> CheckReport {
    CheckReport {
        subject: Subject::File {
            module: "kernels/mine.wgsl".to_owned(),
            entry: "main".to_owned(),
            launch: "kernels/mine.toml".to_owned(),
            seed: 4,
        },
        command: "gridproof check kernels/mine.wgsl --launch kernels/mine.toml".to_owned(),
        ..report(verdict, findings)
    }
}

/// A racy check with everything that a ladder adds.
pub fn racy() -> CheckReport {
    let rung = |assumption, outputs_equal, differing_bytes, schedule: Option<&str>| Rung {
        assumption,
        slots: 512,
        schedules: 8,
        outputs_equal,
        differing_bytes,
        schedule: schedule.map(str::to_owned),
    };
    let error = |run: &str, relative, first_wrong_element, wrong_elements| OutputError {
        run: run.to_owned(),
        buffer: "output".to_owned(),
        relative,
        first_wrong_element,
        wrong_elements,
    };
    CheckReport {
        safe_under: Some(SafeUnder { assumption: Assumption::LockstepWaves, slots: Some(512) }),
        rungs: vec![
            rung(Assumption::InOrderStart, false, 1020, Some("gp1;slots=2;0*,1*")),
            rung(Assumption::LockstepWaves, true, 0, None),
        ],
        threshold: Some(Threshold {
            key: "n".to_owned(),
            value: 513,
            assumption: Assumption::LockstepWaves,
            slots: 512,
        }),
        schedules_explored: 16,
        output_errors: vec![error("race-free", 0.1002, None, 0), error("in-order-start", 0.2913, Some(1), 255)],
        ..report(Verdict::Racy, vec![cross_workgroup_race()])
    }
}

pub fn unsupported() -> CheckReport {
    CheckReport {
        unsupported: Some(Unsupported {
            construct: "textureLoad".to_owned(),
            file: "resadd.wgsl".to_owned(),
            line: 11,
            column: 13,
        }),
        decides_every_schedule: false,
        ..report(Verdict::Unsupported, Vec::new())
    }
}

pub fn incomplete() -> CheckReport {
    CheckReport {
        exhausted: Some(Exhausted {
            budget: "instructions",
            limit: 1_000_000,
            workgroups_done: 3,
            workgroups: 4,
            at: Some(span("let total", "partial[0]")),
        }),
        ..report(Verdict::Incomplete, Vec::new())
    }
}

pub fn approximate() -> CheckReport {
    let place = |index: u32| Approximation {
        operation: "exp".to_owned(),
        span: Span { line: index + 1, column: 5, ..Span::default() },
    };
    CheckReport { approximations: (0..7).map(place).collect(), ..report(Verdict::RaceFree, Vec::new()) }
}

/// A replay of [`racy`] that showed the race again.
pub fn replay() -> ReplayReport {
    let report = racy();
    ReplayReport {
        replay: gridproof_report::json::read_replay(&gridproof_report::json::check(&report)).unwrap(),
        reproduced: true,
        differing_bytes: 1020,
        digest: 0x1234_5678_9abc_def0,
        findings: report.findings,
        files: report.files,
        exhausted: None,
        elapsed: Duration::from_millis(12),
    }
}

/// A check in the other language.
pub fn in_cuda(report: CheckReport) -> CheckReport {
    let Subject::Catalogue { kernel, variant, shape, seed, .. } = report.subject else { return report };
    CheckReport { subject: Subject::Catalogue { kernel, variant, shape, seed, language: Language::Cuda }, ..report }
}

/// The same check, skipped.
pub fn skipped() -> SkippedRow {
    let reason = "NVRTC is not available: its shared library is nowhere".to_owned();
    SkippedRow { subject: in_cuda(racy()).subject, reason }
}
