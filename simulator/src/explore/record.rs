//! A run under one schedule, turn by turn, for people to look at.

use gridproof_launch::Launch;

use super::options::Start;
use super::stuck;
use super::world::{TurnRecord, World};
use crate::cast::{narrow, wide};
use crate::explain::Words;
use crate::finding::{AccessSite, Finding};
use crate::machine::environment::Watch;
use crate::memory::shadow::Class;
use crate::outcome::{Config, Detectors, Hazards, SimulateError};
use crate::prove::Session;
use crate::schedule::{Schedule, Turns, Unit};
use crate::timeline::{Timeline, TimelineTurn};

/// See [`super::record`].
pub fn record(
    launch: &Launch,
    config: &Config,
    schedule: &Schedule,
    hazards: &Hazards,
    finding: &Finding,
) -> Result<Timeline, SimulateError> {
    let quiet = Config { detectors: Detectors::NONE, ..*config };
    let mut session = Session::new(launch, &quiet)?;
    let mut timeline = Timeline { slots: schedule.slots, ..Timeline::default() };
    let last = usize::try_from(finding.first.dispatch).unwrap_or(0);
    for position in 0..launch.dispatches.len().min(last + 1) {
        let linked = session.linked(position)?;
        timeline.subgroups.push(linked.subgroups);
        let points = crate::run::watch(hazards, position, linked.granule_shifts.len());
        let watch = Watch { describe: true, everything: schedule.all_points, ..points };
        let order = if schedule.any_start { Start::AnyOrder } else { Start::InOrder };
        let images = std::mem::take(&mut session.images);
        let mut world = World::new(&linked, images, &watch, schedule.slots.min(linked.workgroups()).max(1), order);
        if position == last {
            world.records = Some((Vec::new(), 0));
        }
        let turns = schedule.dispatches.get(position).cloned().unwrap_or_default();
        world.follow(&turns).map_err(|(turn, unit)| SimulateError::Schedule {
            dispatch: position,
            turn,
            message: format!("workgroup {} cannot take a turn here", unit.workgroup),
        })?;
        if position == last {
            // What the schedule leaves open matters only for those that the finding is about.
            for site in [Some(&finding.first), finding.second.as_ref()].into_iter().flatten() {
                let unit = Unit { workgroup: linear(site, linked.grid), subgroup: None };
                // One that cannot go on has ended or waits, and has been recorded so far.
                let _ = world.follow(&[Turns { unit, count: None }]);
            }
        } else {
            world.advance();
            while let Some(next) = world.choices().first().filter(|_| world.exhausted.is_none()) {
                world.take(next.unit);
            }
        }
        if let Some((records, left_out)) = world.records.take() {
            let words = Words { launch, linked: &linked };
            timeline.left_out = left_out;
            timeline.turns = records.iter().map(|record| turn(&words, &world, record, narrow(position))).collect();
        }
        session.images = world.storage.into_images();
    }
    Ok(timeline)
}

const fn linear(site: &AccessSite, grid: [u32; 3]) -> u32 {
    let [x, y, z] = site.workgroup;
    z.wrapping_mul(grid[1]).wrapping_add(y).wrapping_mul(grid[0]).wrapping_add(x)
}

fn turn(words: &Words<'_>, world: &World<'_>, record: &TurnRecord, dispatch: u32) -> TimelineTurn {
    let (workgroup, subgroup) = world.place(record.unit);
    let access = record.access.as_ref().map(|access| {
        let mut site = stuck::site(words, world, record.unit, Some(access));
        let writes = matches!(access.class, Class::Write | Class::AtomicWrite);
        site.value = if writes { record.after } else { record.before };
        site
    });
    debug_assert!(wide(record.unit) < wide(world.units()));
    TimelineTurn {
        dispatch,
        workgroup,
        subgroup,
        slot: record.slot,
        instructions: record.instructions,
        accesses: access.into_iter().collect(),
        end: record.end,
    }
}
