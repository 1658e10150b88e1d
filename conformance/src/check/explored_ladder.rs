//! The assumption ladder of a racy launch that was explored.
//!
//! Where atomics steer nothing, the race-free reading is one, that of the proof, and right is what it leaves, however few
//! executions were explored. Else right are the outputs of executions that show no race, where there are any: a lock that
//! two can take, when one does.
//! Where every execution races, the outputs of the race-free reading are right, in whatever order its atomics come: a
//! plain read finds what comes before it, and nothing that merely happens to be there. A kernel that means to communicate
//! through what races (a lock without its fence) is not helped by that: where executions leave what one workgroup at a
//! time leaves and not what the reading does, the former is right, and where they leave both, nothing says which is
//! meant, and no assumption is called safe. The explored executions start in order, so their outputs are the rung of
//! in-order start; lock-step waves are run once.

use gridproof_launch::Launch;
use gridproof_report::model::{Assumption, Rung, SafeUnder};
use gridproof_simulator::explore::{DistinctOutput, Exploration, ExploreOptions, Progress, follow, reading, waves};
use gridproof_simulator::finding::Rule;
use gridproof_simulator::memory::Image;
use gridproof_simulator::{Outcome, Schedule, SimulateError, depends_on_atomics, ladder, prove};

use super::options::{CheckOptions, ScheduleChoice};
use super::slots;

/// What the ladder gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Climbed {
    /// The weakest assumption under which all outputs seen were right; `None` where nothing says which are.
    pub safe_under: Option<SafeUnder>,
    /// The rungs tried.
    pub rungs: Vec<Rung>,
    /// Executions besides those of the exploration.
    pub explored: u64,
    /// What outputs were compared with.
    pub note: Option<&'static str>,
}

/// Compares outputs under each assumption with those of the race-free reading.
pub(super) fn climb(
    launch: &Launch,
    options: &CheckOptions,
    explored: &ExploreOptions,
    exploration: &Exploration,
) -> Result<Climbed, SimulateError> {
    let mut climbed = Climbed::default();
    if options.schedule == Some(ScheduleChoice::Any) {
        return Ok(climbed);
    }
    let Some(right) = right(launch, options, explored, exploration, &mut climbed.explored)? else { return Ok(climbed) };
    let starts_in_order = matches!(explored.progress, Progress::Fair | Progress::Lobe);
    if starts_in_order && options.schedule != Some(ScheduleChoice::Lockstep) && !exploration.outputs.is_empty() {
        climbed.rungs.extend(right.in_order(exploration, options.slots));
    }
    if options.schedule != Some(ScheduleChoice::InOrder) {
        climbed.explored += 1;
        let images = waves(launch, &options.config, &exploration.outcome.hazards, options.slots)?;
        climbed.rungs.extend(right.lockstep(images.as_deref(), options.slots));
    }
    climbed.note = Some(right.compared.words()).filter(|_| !climbed.rungs.is_empty());
    if right.compared == Compared::Unclear {
        return Ok(climbed);
    }
    climbed.safe_under = safe_under(&climbed.rungs, options);
    let workgroups = launch.dispatches.iter().filter_map(gridproof_launch::Dispatch::workgroups).max();
    if let Some(slots) = climbed.safe_under.as_mut().and_then(|safe| safe.slots.as_mut()) {
        *slots = workgroups.and_then(|all| u32::try_from(all).ok()).map_or(*slots, |all| all.min(*slots));
    }
    let lockstep = climbed.safe_under.as_mut().filter(|safe| safe.assumption == Assumption::LockstepWaves);
    if let (true, Some(safe)) = (options.search_threshold, lockstep) {
        let mut is_right = |slots: u32| {
            climbed.explored += 1;
            let images = waves(launch, &options.config, &exploration.outcome.hazards, slots)?;
            Ok(right.lockstep(images.as_deref(), slots).map(|rung| rung.outputs_equal))
        };
        if let Some(needed) = slots::needed(launch, (options.slots, true), &mut is_right)? {
            safe.slots = Some(needed);
        }
    }
    Ok(climbed)
}

/// The weakest assumption that held, if all that were asked for were decided.
fn safe_under(rungs: &[Rung], options: &CheckOptions) -> Option<SafeUnder> {
    let kept = |wanted| rungs.iter().find(|rung| rung.assumption == wanted).map(|rung| rung.outputs_equal);
    let slots = Some(options.slots);
    match (kept(Assumption::InOrderStart), kept(Assumption::LockstepWaves)) {
        (Some(true), Some(true) | None) => Some(SafeUnder { assumption: Assumption::InOrderStart, slots }),
        (_, Some(true)) => Some(SafeUnder { assumption: Assumption::LockstepWaves, slots }),
        (Some(false), None) if options.schedule.is_none() => None,
        (Some(false), _) | (_, Some(false)) => Some(SafeUnder { assumption: Assumption::None, slots }),
        (None, None) => None,
    }
}

/// The outputs to compare with; `executions` counts what was run to find them.
fn right<'a>(
    launch: &'a Launch,
    options: &CheckOptions,
    explored: &ExploreOptions,
    exploration: &Exploration,
    executions: &mut u64,
) -> Result<Option<Right<'a>>, SimulateError> {
    if !depends_on_atomics(launch, &options.config)? {
        let proof = prove(launch, &options.config)?;
        *executions += 1;
        let schedule = Schedule { slots: 1, any_start: false, all_points: true, dispatches: Vec::new() };
        let output = DistinctOutput { schedule, executions: 1, clean: true, buffers: proof.buffers };
        let right = Right { launch, complete: true, outputs: vec![output], compared: Compared::Reading };
        return Ok(proof.exhausted.is_none().then_some(right));
    }
    let clean: Vec<DistinctOutput> = exploration.outputs.iter().filter(|output| output.clean).cloned().collect();
    if !clean.is_empty() {
        let complete = exploration.is_complete();
        return Ok(Some(Right { launch, complete, outputs: clean, compared: Compared::WithoutRace }));
    }
    let reading = reading(launch, &options.config, explored)?;
    *executions += reading.executions + 1;
    let of_reading =
        Right { launch, complete: reading.complete, outputs: reading.outputs, compared: Compared::Reading };
    let serial = one_at_a_time(launch, options, explored)?;
    let of_serial =
        serial.map(|serial| Right { launch, complete: true, outputs: vec![serial], compared: Compared::Serial });
    let left = |right: &Right<'_>| exploration.outputs.iter().any(|output| right.differing(&output.buffers) == Some(0));
    let agree = |serial: &Right<'_>| serial.outputs.iter().all(|it| of_reading.differing(&it.buffers) == Some(0));
    if left(&of_reading) {
        let compared = match of_serial.filter(|serial| left(serial) && !agree(serial)) {
            Some(_) => Compared::Unclear,
            None => Compared::Reading,
        };
        return Ok(Some(Right { compared, ..of_reading }));
    }
    // Where workgroups wait for each other, outputs that never differ are the only ones that anybody can have meant.
    let only = exploration.outputs.first().filter(|_| exploration.outputs.len() == 1).cloned();
    let only = only.map(|output| Right { launch, complete: true, outputs: vec![output], compared: Compared::Only });
    Ok(of_serial.or(only))
}

/// What one workgroup at a time leaves, in index order; `None` where one waits for a later one.
fn one_at_a_time(
    launch: &Launch,
    options: &CheckOptions,
    explored: &ExploreOptions,
) -> Result<Option<DistinctOutput>, SimulateError> {
    let schedule = Schedule { slots: 1, any_start: false, all_points: true, dispatches: Vec::new() };
    let outcome = follow(launch, &options.config, explored, &schedule)?;
    let stuck = outcome.findings.iter().any(|finding| finding.rule == Rule::NoProgress);
    let done = !stuck && outcome.exhausted.is_none();
    Ok(done.then_some(DistinctOutput { schedule, executions: 1, clean: false, buffers: outcome.buffers }))
}

/// What outputs are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    WithoutRace,
    Reading,
    Serial,
    Only,
    Unclear,
}

impl Compared {
    const fn words(self) -> &'static str {
        match self {
            Self::WithoutRace => "right are the outputs of executions that show no race",
            Self::Reading => "right are the outputs of the race-free reading",
            Self::Serial => "right is what one workgroup at a time leaves",
            Self::Only => "right is what every execution leaves",
            Self::Unclear => {
                "compared with the race-free reading; one workgroup at a time leaves other outputs, and nothing says \
                 which are meant"
            }
        }
    }
}

/// What outputs may be.
struct Right<'a> {
    launch: &'a Launch,
    compared: Compared,
    outputs: Vec<DistinctOutput>,
    /// Whether these are all.
    complete: bool,
}

impl Right<'_> {
    /// Output bytes that differ from the nearest right outputs. `None` where right ones may be missing.
    fn differing(&self, images: &[Image]) -> Option<u64> {
        let of = |buffers: &[Image]| Outcome { buffers: buffers.to_vec(), ..Outcome::empty() };
        let mine = of(images);
        let distance = |right: &DistinctOutput| ladder::differing_outputs(self.launch, &of(&right.buffers), &mine);
        let nearest = self.outputs.iter().map(distance).min()?;
        (nearest == 0 || self.complete).then_some(nearest)
    }

    fn in_order(&self, exploration: &Exploration, slots: u32) -> Option<Rung> {
        let schedules = exploration.executions;
        let mut rung = Rung {
            assumption: Assumption::InOrderStart,
            slots,
            schedules,
            outputs_equal: true,
            differing_bytes: 0,
            schedule: None,
        };
        for output in &exploration.outputs {
            let differing = self.differing(&output.buffers)?;
            if differing > 0 {
                rung.outputs_equal = false;
                rung.differing_bytes = differing;
                rung.schedule = Some(output.schedule.to_string());
                break;
            }
        }
        Some(rung)
    }

    /// Waves that never end are not right.
    fn lockstep(&self, images: Option<&[Image]>, slots: u32) -> Option<Rung> {
        let differing = images.map_or(Some(None), |images| self.differing(images).map(Some))?;
        Some(Rung {
            assumption: Assumption::LockstepWaves,
            slots,
            schedules: 1,
            outputs_equal: differing == Some(0),
            differing_bytes: differing.unwrap_or(0),
            schedule: None,
        })
    }
}
