//! What atomic writes pass on to those who read them.
//!
//! A location holds the message of the last strong write to it. A read-modify-write adds to the message of the value that it
//! read; any other write replaces it ("observation order" of the PTX ISA). Both sides must be morally strong: they touch
//! just the same bytes, and the scope of each includes the other.

use std::collections::BTreeMap;

use crate::cast::wide;
use crate::machine::clock::{Clock, View};

/// A memory that locations are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Memory {
    /// A buffer.
    Storage(usize),
    /// The workgroup memory of a workgroup, by its linear index.
    Workgroup(u32),
}

/// The bytes of one atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub memory: Memory,
    /// First byte.
    pub offset: u64,
    /// How many, up to 16.
    pub bytes: u64,
}

/// What comes before a write that releases, for those who acquire it.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// For every workgroup, if it acquires with a scope beyond its own.
    wide: View,
    /// For the releasing workgroups themselves, the last at the end: of the last [`MOST_OWN`] if so many take turns.
    own: Vec<(u32, View)>,
    /// What came before sequentially consistent fences that come before the write.
    pub fenced: Clock,
}

/// Workgroups whose releases at their own scope one message can hold.
const MOST_OWN: usize = 64;

impl Message {
    /// A release by a workgroup; `wide` if its scope reaches beyond that.
    pub fn add(&mut self, workgroup: u32, wide: bool, view: &View) {
        if wide {
            self.wide.join(view);
        }
        match self.own.iter_mut().find(|(other, _)| *other == workgroup) {
            Some((_, own)) => own.join(view),
            None => {
                if self.own.len() == MOST_OWN {
                    self.own.remove(0);
                }
                self.own.push((workgroup, view.clone()));
            }
        }
    }

    /// Forgets what only readers with the scope of a workgroup would need.
    pub fn only_wide(&mut self) {
        self.own.clear();
    }

    /// Adds another message.
    pub fn join(&mut self, other: &Self) {
        self.wide.join(&other.wide);
        self.fenced.join(&other.fenced);
        other.own.iter().for_each(|(workgroup, view)| self.add(*workgroup, false, view));
    }

    /// What is in it for one workgroup.
    fn only_for(&self, workgroup: u32) -> Self {
        let own = self.own.iter().filter(|(other, _)| *other == workgroup).cloned().collect();
        Self { wide: self.wide.clone(), own, fenced: self.fenced.clone() }
    }

    /// What is in it for its reader, who acquires with this scope.
    pub fn for_scope(&self, wide: bool) -> View {
        let mut view = if wide { self.wide.clone() } else { View::default() };
        self.own.iter().for_each(|(_, own)| view.join(own));
        view
    }

    /// Whether it is the other one: not only equal.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(mine, theirs): (&(u32, View), &(u32, View))| mine.0 == theirs.0 && mine.1.is_same(&theirs.1);
        self.wide.is_same(&other.wide)
            && self.fenced.is_same(&other.fenced)
            && self.own.len() == other.own.len()
            && self.own.iter().zip(&other.own).all(same)
    }

    /// Whether it says nothing.
    pub const fn is_empty(&self) -> bool {
        self.wide.is_empty() && self.own.is_empty() && self.fenced.is_empty()
    }

    /// Bytes it holds in memory.
    pub fn footprint(&self) -> u64 {
        let own: u64 = self.own.iter().map(|(_, view)| view.footprint()).sum();
        self.wide.footprint() + own + self.fenced.footprint() + wide(self.own.len() * size_of::<(u32, View)>())
    }
}

/// The last strong write to a location.
#[derive(Clone, Debug)]
struct Location {
    bytes: u64,
    /// Who wrote, and whether with a scope beyond the own workgroup.
    workgroup: u32,
    wide: bool,
    message: Message,
    /// Which writes were made one from the other's value, and how many came before this one.
    chain: (u32, u32),
    footprint: u64,
}

/// Who makes an atomic access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its workgroup.
    pub workgroup: u32,
    /// Whether the scope of the access reaches beyond that.
    pub wide: bool,
}

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    locations: BTreeMap<(Memory, u64), Location>,
    chains: u32,
    footprint: u64,
}

impl Messages {
    /// What a strong read finds: the message for its workgroup, and which write it saw.
    pub fn read(&self, place: Place, party: Party) -> Option<(Message, (u32, u32))> {
        let location = self.locations.get(&(place.memory, place.offset))?;
        let strong = location.bytes == place.bytes && location.is_strong_with(place.memory, party);
        strong.then(|| (location.message.only_for(party.workgroup), location.chain))
    }

    /// A strong write with what it passes on; `modifies` if it was made from the value before. `chained` if others want to
    /// know which writes a read saw; then gives the chain and the position in it.
    pub fn write(&mut self, place: Place, party: Party, message: Message, modifies: bool, chained: bool) -> (u32, u32) {
        let key = (place.memory, place.offset);
        let old = self.locations.get(&key);
        let old = old.filter(|old| modifies && old.bytes == place.bytes && old.is_strong_with(place.memory, party));
        let mut chain = old.map_or((0, 0), |old| (old.chain.0, old.chain.1.saturating_add(1)));
        let mut whole = old.map(|old| old.message.clone()).unwrap_or_default();
        self.overwrite(place.memory, place.offset, place.bytes);
        whole.join(&message);
        if whole.is_empty() && !chained {
            return (0, 0);
        }
        if chained && chain.0 == 0 {
            self.chains = self.chains.saturating_add(1);
            chain = (self.chains, 0);
        }
        let footprint = whole.footprint() + wide(size_of::<Location>());
        self.footprint += footprint;
        let Party { workgroup, wide } = party;
        let fresh = Location { bytes: place.bytes, workgroup, wide, message: whole, chain, footprint };
        self.locations.insert(key, fresh);
        chain
    }

    /// A write of any kind: whoever reads these bytes from now on finds no message.
    pub fn overwrite(&mut self, memory: Memory, offset: u64, bytes: u64) {
        if self.locations.is_empty() {
            return;
        }
        let range = (memory, offset.saturating_sub(15))..(memory, offset.saturating_add(bytes));
        let hit = self.locations.range(range).filter(|((_, start), location)| start + location.bytes > offset);
        for key in hit.map(|(key, _)| *key).collect::<Vec<_>>() {
            if let Some(gone) = self.locations.remove(&key) {
                self.footprint -= gone.footprint;
            }
        }
    }

    /// Forgets a memory that is gone.
    pub fn forget(&mut self, memory: Memory) {
        let keys: Vec<_> = self.locations.range((memory, 0)..=(memory, u64::MAX)).map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(gone) = self.locations.remove(&key) {
                self.footprint -= gone.footprint;
            }
        }
    }

    /// Bytes it holds in memory.
    pub const fn footprint(&self) -> u64 {
        self.footprint
    }
}

impl Location {
    const fn is_strong_with(&self, memory: Memory, party: Party) -> bool {
        matches!(memory, Memory::Workgroup(_)) || self.workgroup == party.workgroup || (self.wide && party.wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Space;
    use crate::machine::clock::{Kinds, Source};

    const PLACE: Place = Place { memory: Memory::Storage(1), offset: 8, bytes: 4 };
    const WRITER: Party = Party { workgroup: 1, wide: true };
    const READER: Party = Party { workgroup: 2, wide: true };

    /// A release of workgroup `number` that knows of itself.
    fn release(number: u32) -> Message {
        let (mut view, mut message) = (View::default(), Message::default());
        view.learn_all(Kinds::ALL, Source::Workgroup(number), 5);
        message.add(number, true, &view);
        message
    }

    /// Workgroups whose releases a wide read finds.
    fn found(messages: &Messages, place: Place, party: Party) -> Vec<u32> {
        let Some((message, _)) = messages.read(place, party) else { return Vec::new() };
        let view = message.for_scope(true);
        (0..4).filter(|&number| view.of(Space::Storage).covered(Source::Workgroup(number), 0, 4) != 0).collect()
    }

    #[test]
    fn a_store_replaces_and_a_modification_adds() {
        let mut messages = Messages::default();
        messages.write(PLACE, WRITER, release(1), false, false);
        assert_eq!(found(&messages, PLACE, READER), [1]);
        messages.write(PLACE, READER, release(2), true, false);
        assert_eq!(found(&messages, PLACE, READER), [1, 2]);
        messages.write(PLACE, READER, Message::default(), true, false);
        assert_eq!(found(&messages, PLACE, READER), [1, 2]);
        messages.write(PLACE, WRITER, release(3), false, false);
        assert_eq!(found(&messages, PLACE, READER), [3]);
        messages.write(PLACE, WRITER, Message::default(), false, false);
        assert_eq!(found(&messages, PLACE, READER), []);
        assert_eq!(messages.footprint(), 0);
    }

    #[test]
    fn only_morally_strong_accesses_find_each_other() {
        let mut messages = Messages::default();
        messages.write(PLACE, WRITER, release(1), false, false);
        assert_eq!(found(&messages, PLACE, Party { wide: false, ..READER }), []);
        assert_eq!(found(&messages, PLACE, Party { wide: false, ..WRITER }), [1]);
        assert_eq!(found(&messages, Place { bytes: 2, ..PLACE }, READER), []);
        assert_eq!(found(&messages, Place { offset: 10, ..PLACE }, READER), []);
        messages.write(PLACE, Party { wide: false, ..READER }, release(2), true, false);
        assert_eq!(found(&messages, PLACE, READER), [2], "who did not see the release does not pass it on");
    }

    #[test]
    fn a_write_to_any_of_the_bytes_takes_the_message_away() {
        for (offset, bytes, left) in [(4, 4, true), (11, 1, false), (0, 9, false), (12, 8, true)] {
            let mut messages = Messages::default();
            messages.write(PLACE, WRITER, release(1), false, false);
            messages.overwrite(PLACE.memory, offset, bytes);
            assert_eq!(!found(&messages, PLACE, READER).is_empty(), left, "{bytes} bytes at {offset}");
        }
    }

    #[test]
    fn chains_count_writes_made_one_from_the_other() {
        let mut messages = Messages::default();
        let mut write = |modifies| messages.write(PLACE, WRITER, Message::default(), modifies, true);
        let (first, start) = write(true);
        assert_eq!(start, 0);
        assert_eq!(write(true), (first, 1));
        let (second, start) = write(false);
        assert!(second != first && start == 0);
        assert_eq!(messages.read(PLACE, READER).map(|(_, chain)| chain), Some((second, 0)));
    }

    #[test]
    fn releases_at_workgroup_scope_are_for_that_workgroup() {
        let mut messages = Messages::default();
        let mut message = Message::default();
        message.add(1, false, &release(1).for_scope(true));
        messages.write(PLACE, WRITER, message, false, false);
        assert_eq!(found(&messages, PLACE, READER), []);
        assert_eq!(found(&messages, PLACE, WRITER), [1]);
    }
}
