//! Nobody makes progress: who waits, and for whom.

use crate::cast::{at, wide};
use crate::explain::Words;
use crate::finding::{AccessSite, Action, Detail, Finding, Rule, Severity};
use crate::ir::{Access, Instr, Pc, Space};
use crate::link::Linked;
use crate::machine::pending::Pending;
use crate::memory::Image;
use crate::memory::shadow::Class;
use crate::recorder::RawSite;

use super::options::{ExploreOptions, Start};
use super::path::Path;
use super::world::{Choice, UnitId, World};

/// Turns looked ahead at most for what would end a wait.
const LOOK_AHEAD: usize = 20_000;

/// The finding for a world in which `waiting` (a unit that spins) never goes on. `start` are the contents of the buffers
/// that the path started from.
pub fn finding(
    words: &Words<'_>,
    world: &World<'_>,
    waiting: (UnitId, Option<Pending>),
    path: &Path,
    start: &[Image],
    options: &ExploreOptions,
) -> Finding {
    let linked = words.linked;
    let (unit, pending) = waiting;
    let first = site(words, world, unit, pending.as_ref());
    let relief = relief(linked, unit, path, start);
    let (second, other_has_started) = match &relief {
        Some((other, pending, after)) => {
            let started = !world.unstarted().any(|workgroup| workgroup == world.place(*other).0);
            (Some(site(words, after, *other, Some(pending))), started)
        }
        None => (None, true),
    };
    let mut waiting: Vec<u32> = world.spinners().into_iter().map(|(unit, _)| world.place(unit).0).collect();
    waiting.dedup();
    Finding {
        rule: Rule::NoProgress,
        severity: Severity::Error,
        first,
        second,
        benign: false,
        declared: None,
        output_visible: None,
        count: wide(waiting.len()),
        detail: Detail::NoProgress {
            progress: options.progress,
            slots: path.slots,
            waiting: wide(waiting.len()),
            unstarted: wide(world.unstarted().count()),
            other_has_started,
        },
        schedule: None,
    }
}

/// The access that ends the wait of a unit when everyone has a slot and takes turns: who makes it, what it is, and the
/// world before it. `None` where the wait never ends.
fn relief<'a>(
    linked: &'a Linked,
    waiting: UnitId,
    path: &'a Path,
    start: &[Image],
) -> Option<(UnitId, Pending, World<'a>)> {
    let mut world = World::new(linked, start.to_vec(), &path.watch, linked.workgroups(), Start::InOrder);
    world.follow(&path.turns).ok()?;
    world.advance();
    let mut last: UnitId = 0;
    for _ in 0..LOOK_AHEAD {
        let choices = world.choices();
        let next = choices.iter().find(|choice| choice.unit > last).or_else(|| choices.first())?;
        let Choice { unit, access } = next.clone();
        last = unit;
        let turns = world.turns.clone();
        world.take(unit);
        let still = world.spinners().iter().any(|(spinner, _)| *spinner == waiting);
        if !still {
            // The values reported are those before the access.
            let mut before = World::new(linked, start.to_vec(), &path.watch, linked.workgroups(), Start::InOrder);
            before.follow(&turns).ok()?;
            return access.map(|access| (unit, access, before));
        }
    }
    None
}

/// A unit's next access in the launch's words; where it has none, the place where it loops.
pub fn site(words: &Words<'_>, world: &World<'_>, unit: UnitId, pending: Option<&Pending>) -> AccessSite {
    let linked = words.linked;
    let (workgroup, subgroup) = world.place(unit);
    let lanes = pending.map_or(1, |pending| pending.lanes);
    let invocation = subgroup * linked.lanes + lanes.trailing_zeros().min(linked.lanes - 1);
    let pc = pending.map_or_else(|| world.pc(unit).map_or(0, |pc| pc.0), |pending| pending.pc);
    let Some((pending, reach)) = pending.and_then(|pending| pending.ranges.first().map(|reach| (pending, reach)))
    else {
        return words.site(&RawSite {
            action: Action::Barrier,
            space: Space::Private,
            buffer: None,
            offset: 0,
            bytes: 0,
            workgroup,
            invocation,
            pc,
            value: None,
        });
    };
    let bytes = access_at(linked, pc).map_or(4, |access| access.scalar.bits() / 8);
    words.site(&RawSite {
        action: match pending.class {
            Class::Read => Action::Read,
            Class::Write => Action::Write,
            Class::AtomicRead => Action::AtomicRead,
            Class::AtomicWrite => Action::AtomicWrite,
        },
        space: if reach.buffer.is_some() { Space::Storage } else { Space::Workgroup },
        buffer: reach.buffer,
        offset: i128::from(reach.bytes.start),
        bytes,
        workgroup,
        invocation,
        pc,
        value: world.value(workgroup, reach.buffer, reach.bytes.start, bytes),
    })
}

fn access_at(linked: &Linked, pc: u32) -> Option<&Access> {
    match linked.program.code.get(at(Pc(pc).0))? {
        Instr::Access(id) => linked.program.tables.accesses.get(at(id.0)),
        _ => None,
    }
}
