//! Runs without detectors: what lock-step waves leave, and who wrote a byte last.

use gridproof_launch::Launch;

use super::explorer::{Racy, in_turn};
use super::options::Start;
use super::world::World;
use crate::cast::narrow;
use crate::explain::Words;
use crate::finding::{AccessSite, Action};
use crate::ir::Space;
use crate::link::Linked;
use crate::machine::environment::{Trace, Watch};
use crate::memory::Image;
use crate::outcome::{Config, Hazards, SimulateError};
use crate::prove::Session;
use crate::recorder::RawSite;

/// See [`super::waves`].
pub fn waves(
    launch: &Launch,
    config: &Config,
    hazards: &Hazards,
    slots: u32,
) -> Result<Option<Vec<Image>>, SimulateError> {
    let mut session = Session::new(launch, config)?;
    for position in 0..launch.dispatches.len() {
        let mut linked = session.linked(position)?;
        linked.clocks = false;
        let known = hazards.storage.get(position).cloned().unwrap_or_default();
        let racy = Racy { storage: known, workgroup: hazards.workgroup.get(position).cloned().unwrap_or_default() };
        let watch = racy.watch(linked.granule_shifts.len());
        let mut world = World::new(&linked, session.images.clone(), &watch, slots, Start::Waves);
        world.advance();
        while let Some(unit) = least(&world) {
            world.take(unit);
        }
        if world.exhausted.is_some() || !world.is_done() {
            return Ok(None);
        }
        session.images = world.storage.into_images();
    }
    let mut images = session.images;
    images.truncate(launch.buffers.len());
    Ok(Some(images))
}

/// The unit that can go on and has executed the fewest instructions.
fn least(world: &World<'_>) -> Option<usize> {
    let choices = world.choices();
    let units = choices.iter().map(|choice| choice.unit).filter(|_| world.exhausted.is_none());
    units.min_by_key(|&unit| (world.clock(unit), unit))
}

/// See [`super::last_write`].
pub fn last_write(
    launch: &Launch,
    config: &Config,
    buffer: usize,
    byte: u64,
) -> Result<Option<AccessSite>, SimulateError> {
    let mut session = Session::new(launch, config)?;
    let mut last = None;
    for position in 0..launch.dispatches.len() {
        let mut linked: Linked = session.linked(position)?;
        linked.clocks = false;
        let watch = Racy::default().watch(linked.granule_shifts.len());
        let mut world = World::new(&linked, session.images.clone(), &watch, 1, Start::InOrder);
        let mut looked_at = Watch { storage: vec![Vec::new(); linked.granule_shifts.len()], ..Watch::default() };
        if let Some(ranges) = looked_at.storage.get_mut(buffer) {
            ranges.push(byte..byte.saturating_add(1));
        }
        world.trace = Some(Trace { watch: looked_at, entries: Vec::new() });
        world.advance();
        while let Some(unit) = in_turn(&world) {
            world.take(unit);
        }
        let entries = world.trace.take().map(|trace| trace.entries).unwrap_or_default();
        let written = entries.iter().rev().find(|entry| entry.action.is_write());
        let words = Words { launch, linked: &linked };
        match written {
            Some(entry) => last = Some((Action::Write, words.traced(entry.workgroup, entry))),
            None if matches!(last, None | Some((Action::Ended, _))) => {
                last = Some((Action::Ended, words.site(&end(&linked, buffer, byte))));
            }
            None => {}
        }
        if world.exhausted.is_some() || !world.is_done() {
            break;
        }
        session.images = world.storage.into_images();
    }
    Ok(last.map(|(_, site)| site))
}

/// The end of a dispatch that has not written a byte.
fn end(linked: &Linked, buffer: usize, byte: u64) -> RawSite {
    RawSite {
        action: Action::Ended,
        space: Space::Storage,
        buffer: Some(buffer),
        offset: i128::from(byte),
        bytes: 1,
        workgroup: 0,
        invocation: 0,
        pc: narrow(linked.program.code.len().saturating_sub(1)),
        value: None,
    }
}
