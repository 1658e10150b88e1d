//! Recorded runs made by hand, and reports that have one.

use gridproof_report::model::{CheckReport, Verdict};
use gridproof_simulator::finding::{AccessSite, Action, Detail, Finding, Rule, Unordered};
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::timeline::{Timeline, TimelineTurn, TurnEnd};

use crate::made::{self, cross_workgroup_race, finding, site, span, unordered, workgroup_race};

pub fn turn(unit: (u32, u32), slot: u32, accesses: Vec<AccessSite>, end: TurnEnd) -> TimelineTurn {
    let (workgroup, subgroup) = unit;
    TimelineTurn { dispatch: 0, workgroup, subgroup, slot, instructions: 17, accesses, end }
}

fn read(workgroup: u32, local: u32, value: u64) -> AccessSite {
    let place = span("return", "residual[i]");
    let read = site(Action::Read, "residual", local.into(), workgroup, local, place);
    AccessSite { value: Some(value), call_stack: vec![span("let x", "load(i)")], ..read }
}

fn write(workgroup: u32, local: u32, value: u64) -> AccessSite {
    let place = span("residual[i] = x", "residual[i] = x + 1.0");
    AccessSite { value: Some(value), ..site(Action::Write, "residual", local.into(), workgroup, local, place) }
}

pub fn with_run(finding: Finding, timeline: Timeline) -> CheckReport {
    CheckReport { findings: vec![finding], timelines: vec![Some(timeline)], ..made::racy() }
}

/// Workgroup 0 runs to its end, then workgroup 1 reads what it wrote.
pub fn cross_workgroup() -> CheckReport {
    let (one, two) = (0x3f80_0000, 0x4000_0000);
    let turns = vec![
        turn((0, 0), 0, vec![], TurnEnd::Point),
        turn((0, 0), 0, vec![read(0, 3, one), read(0, 4, one)], TurnEnd::Barrier),
        turn((0, 1), 0, vec![read(0, 35, one)], TurnEnd::Point),
        turn((0, 0), 0, vec![write(0, 3, two), write(0, 4, two)], TurnEnd::Ended),
        turn((1, 0), 1, vec![read(1, 3, two), read(1, 4, two)], TurnEnd::Barrier),
        turn((0, 1), 0, vec![write(0, 35, two)], TurnEnd::Ended),
        turn((1, 1), 1, vec![], TurnEnd::Ended),
    ];
    with_run(cross_workgroup_race(), Timeline { turns, left_out: 0, slots: 2, subgroups: vec![2] })
}

/// Inside a workgroup, where the run has the two accesses in the other order than the finding.
pub fn inside_a_workgroup() -> CheckReport {
    let Finding { first, second, .. } = workgroup_race();
    let other = |site: &AccessSite, value| AccessSite { value: Some(value), ..site.clone() };
    let second = second.unwrap();
    let turns = vec![
        turn(
            (0, 1),
            0,
            vec![site(Action::Write, "partial", 40, 0, 40, span("partial[i] = x", "partial[i] = x"))],
            TurnEnd::Barrier,
        ),
        turn((0, 0), 0, vec![], TurnEnd::Point),
        turn((0, 1), 0, vec![other(&second, 0x4120_0000)], TurnEnd::Ended),
        turn((0, 0), 0, vec![other(&first, 0x4120_0000)], TurnEnd::Ended),
    ];
    with_run(workgroup_race(), Timeline { turns, left_out: 0, slots: 1, subgroups: vec![2] })
}

pub const FLAG_KERNEL: &str = "\
@group(0) @binding(0) var<storage, read_write> flags: array<atomic<u32>>;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>) {
    if group.x < 3u {
        while atomicLoad(&flags[group.x + 1u]) == 0u { }
    }
    atomicStore(&flags[group.x], 1u);
}
";

/// Workgroups 0 and 1 hold both slots and wait for each next one; workgroup 2 never gets a slot.
pub fn no_progress() -> CheckReport {
    let at = |needle: &str| {
        let start = FLAG_KERNEL.find(needle).unwrap();
        let before = &FLAG_KERNEL[..start];
        let column = start - before.rfind('\n').unwrap();
        let line = before.matches('\n').count() as u32 + 1;
        let (start, end) = (start as u32, (start + needle.len()) as u32);
        gridproof_simulator::ir::Span { file: 0, line, column: column as u32, start, end, inlined_at: None }
    };
    let flag = |action, element, workgroup, needle, value| AccessSite {
        value: Some(value),
        ..site(action, "flags", element, workgroup, 0, at(needle))
    };
    let load = |workgroup: u32| {
        flag(Action::AtomicRead, i128::from(workgroup) + 1, workgroup, "atomicLoad(&flags[group.x + 1u])", 0)
    };
    let store = flag(Action::AtomicWrite, 2, 2, "atomicStore(&flags[group.x], 1u)", 1);
    let turns = (0..9).map(|index| turn((index % 2, 0), index % 2, vec![load(index % 2)], TurnEnd::Point)).collect();
    let stuck = Finding {
        schedule: "gp1;slots=2;0,1".parse().ok(),
        count: 2,
        ..finding(Rule::NoProgress, load(1), Some(store), Detail::None)
    };
    CheckReport {
        verdict: Verdict::Faulty,
        files: vec![SourceFile { name: "flags.wgsl".to_owned(), text: Some(FLAG_KERNEL.into()) }],
        ..with_run(stuck, Timeline { turns, left_out: 0, slots: 2, subgroups: vec![1] })
    }
}

/// A hundred thousand turns of 300 workgroups with four subgroups; the two accesses lie far apart in it.
pub fn long() -> CheckReport {
    let unit = |index: u32| if (40_000..40_900).contains(&index) { (1, 0) } else { (index / 7 % 300, index / 3 % 4) };
    let mut turns: Vec<_> = (0..100_000)
        .map(|index| {
            let (workgroup, subgroup) = unit(index);
            let accesses = vec![read(workgroup, subgroup * 32, u64::from(index))];
            turn((workgroup, subgroup), workgroup % 64, accesses, TurnEnd::Point)
        })
        .collect();
    turns[39_950] = turn((0, 0), 0, vec![write(0, 3, 7)], TurnEnd::Ended);
    turns[40_400] = turn((1, 0), 1, vec![read(1, 3, 7)], TurnEnd::Point);
    with_run(cross_workgroup_race(), Timeline { turns, left_out: 1234, slots: 64, subgroups: vec![4] })
}

/// The same race in the second of two dispatches, in a grid with y.
pub fn second_dispatch() -> CheckReport {
    let moved = |site: AccessSite| AccessSite { dispatch: 1, workgroup: [site.workgroup[0], 2, 0], ..site };
    let mut report = cross_workgroup();
    let found = &mut report.findings[0];
    found.first = moved(found.first.clone());
    found.second = found.second.take().map(moved);
    let timeline = report.timelines[0].as_mut().unwrap();
    let first = timeline.turns[..1].to_vec();
    for turn in &mut timeline.turns {
        (turn.dispatch, turn.workgroup) = (1, turn.workgroup + 8);
        turn.accesses = turn.accesses.drain(..).map(moved).collect();
    }
    timeline.turns.splice(0..0, first);
    timeline.subgroups = vec![2, 2];
    report
}

/// Both accesses in one turn: two invocations of one subgroup.
pub fn one_turn() -> CheckReport {
    let (first, second) = (write(0, 3, 1), AccessSite { local: [4, 0, 0], ..write(0, 3, 2) });
    let second = AccessSite { span: span("return", "residual[i]"), action: Action::Read, ..second };
    let turns = vec![turn((0, 0), 0, vec![first.clone(), second.clone()], TurnEnd::Ended)];
    let found = finding(Rule::WorkgroupRace, first, Some(second), unordered(Unordered::NoBarrier));
    with_run(found, Timeline { turns, left_out: 0, slots: 1, subgroups: vec![1] })
}

/// Names and a kernel that try to be markup.
pub fn hostile() -> CheckReport {
    const EVIL: &str = "</script><script>document.title='broken'</script>\"'><img src=x onerror=alert(1)>";
    let mut report = cross_workgroup();
    report.findings[0].first.buffer = EVIL.to_owned();
    report.findings[0].declared = Some(EVIL.to_owned());
    report.command = format!("gridproof check '{EVIL}'");
    let timeline = report.timelines[0].as_mut().unwrap();
    for turn in &mut timeline.turns {
        turn.accesses.iter_mut().for_each(|site| site.buffer = EVIL.to_owned());
    }
    if let Some(second) = &mut report.findings[0].second {
        second.buffer = EVIL.to_owned();
    }
    let text =
        made::KERNEL.replace("    return residual[i];", &format!("    return residual[i]; // {EVIL}\u{202e}\u{0}"));
    report.files[0] = SourceFile { name: EVIL.to_owned(), text: Some(text.into()) };
    report
}
