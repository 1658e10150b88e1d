//! Data of accesses in the race-free reading: plain reads find what comes before them, and nothing else.

use super::access::{Pattern, Touch, class_of, put};
use super::clock::Source;
use super::environment::Environment;
use super::registers::Lanes;
use super::subgroup::Subgroup;
use crate::cast::{at, at64};
use crate::ir::Space;
use crate::memory::history::memory_of;
use crate::memory::messages::Memory;
use crate::memory::shadow::Class;
use crate::memory::versions::{Versions, Writer};

impl Subgroup {
    /// Moves the data of an access that was entered in the history.
    #[inline(never)]
    pub(super) fn transfer_in_order(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let place = touch.place;
        let shared =
            matches!(place.space, Space::Workgroup) || matches!(place.space, Space::Storage if place.contested);
        let versions = env.history.as_mut().and_then(|history| history.versions.take()).filter(|_| shared);
        let Some(mut versions) = versions else { return self.transfer(env, touch) };
        let memory = memory_of(place.space, place.buffer, env.workgroup.index);
        if class_of(touch.access) == Class::Read {
            self.load_in_order(env, touch, memory, &versions);
        } else {
            self.store_in_order(env, touch, memory, &mut versions);
        }
        if let Some(history) = &mut env.history {
            history.versions = Some(versions);
        }
    }

    fn load_in_order(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>, memory: Memory, versions: &Versions) {
        let Touch { access, place, lanes, size, .. } = *touch;
        let addresses = self.addresses.clone();
        self.transfer(env, touch);
        let Some(known) = self.known.take() else { return };
        let (me, subgroup, time) = (env.workgroup.index, self.id, known.time);
        for (group, view) in known.groups(lanes) {
            let ordered = |writer: &Writer| {
                let Writer { workgroup, subgroup, lane, time } = *writer;
                let covered = view.of(place.space).covered(Source::Workgroup(workgroup), subgroup, time);
                covered >> lane & 1 == 1
            };
            for lane in Lanes(group) {
                let own = |writer: &Writer| {
                    (writer.workgroup, writer.subgroup) == (me, subgroup)
                        && (writer.lane == lane || known.in_step() && writer.time < time)
                };
                let sees = |writer: &Writer| own(writer) || ordered(writer);
                let address = addresses[at(lane)];
                let now = self.bytes_at(env, touch, address);
                let mut seen = now.clone();
                if !versions.seen(memory, place.start + address, &mut seen, sees) {
                    continue;
                }
                // The bytes are put there for this one read.
                let changes = env.workgroup.changes;
                put(env, place, address, &seen);
                self.addresses.copy_from_slice(&addresses);
                let alone = Touch { access, place, lanes: 1 << lane, pattern: Pattern::Scattered, size };
                self.transfer(env, &alone);
                put(env, place, address, &now);
                env.workgroup.changes = changes;
            }
        }
        self.addresses.copy_from_slice(&addresses);
        self.known = Some(known);
    }

    fn store_in_order(
        &mut self,
        env: &mut Environment<'_>,
        touch: &Touch<'_>,
        memory: Memory,
        versions: &mut Versions,
    ) {
        let addresses = self.addresses.clone();
        let bytes_of = |subgroup: &mut Self, env: &Environment<'_>| -> Vec<Vec<u8>> {
            Lanes(touch.lanes).map(|lane| subgroup.bytes_at(env, touch, addresses[at(lane)])).collect()
        };
        let old = bytes_of(self, env);
        // A release moves the subgroup's time on.
        let time = self.known.as_ref().map_or(0, |known| known.time);
        self.transfer(env, touch);
        let new = bytes_of(self, env);
        for ((lane, old), new) in Lanes(touch.lanes).zip(old).zip(new) {
            let writer = Writer { workgroup: env.workgroup.index, subgroup: self.id, lane, time };
            versions.wrote(memory, touch.place.start + addresses[at(lane)], writer, &old, &new);
        }
    }

    fn bytes_at(&mut self, env: &Environment<'_>, touch: &Touch<'_>, address: u64) -> Vec<u8> {
        self.fetch(env, touch.place, address, at64(touch.size));
        self.scratch.clone()
    }
}
