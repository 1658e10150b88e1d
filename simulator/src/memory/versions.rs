//! What every byte held before each write to it: memory in which racing accesses do not see each other.
//!
//! The *race-free reading* of a launch gives each plain read the last value that comes before it by program order,
//! barriers, or atomics that synchronise, and none that merely happens to be there. For a launch without atomics that is
//! the memory at the start of the dispatch and a workgroup's own writes ([`super::storage`]); where atomics order
//! accesses it needs the values that were overwritten. They are kept here while such a reading is run.

use std::collections::BTreeMap;

use super::messages::Memory;
use crate::cast::wide;

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Linear workgroup.
    pub workgroup: u32,
    /// Subgroup in it.
    pub subgroup: u32,
    /// Invocation in that.
    pub lane: u32,
    /// The subgroup's time.
    pub time: u32,
}

/// One byte: what it held at first, and what was written since.
#[derive(Clone, Debug)]
struct Byte {
    first: u8,
    later: Vec<(Writer, u8)>,
}

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    memories: BTreeMap<Memory, BTreeMap<u64, Byte>>,
    writes: usize,
}

impl Versions {
    /// Enters a write from `offset` on: what was there and what is there now.
    pub fn wrote(&mut self, memory: Memory, offset: u64, writer: Writer, old: &[u8], new: &[u8]) {
        let bytes = self.memories.entry(memory).or_default();
        for ((&old, &new), offset) in old.iter().zip(new).zip(offset..) {
            let byte = bytes.entry(offset).or_insert_with(|| Byte { first: old, later: Vec::new() });
            byte.later.push((writer, new));
        }
        self.writes += new.len();
    }

    /// Replaces the bytes from `offset` on by what a reader finds there who sees only some writes. Whether any differs.
    pub fn seen(&self, memory: Memory, offset: u64, now: &mut [u8], sees: impl Fn(&Writer) -> bool) -> bool {
        let Some(bytes) = self.memories.get(&memory) else { return false };
        let mut differs = false;
        for (now, offset) in now.iter_mut().zip(offset..) {
            let Some(byte) = bytes.get(&offset) else { continue };
            let last = byte.later.iter().rev().find(|(writer, _)| sees(writer));
            let value = last.map_or(byte.first, |(_, value)| *value);
            differs |= value != *now;
            *now = value;
        }
        differs
    }

    /// A workgroup has ended: nobody comes to its memory any more.
    pub fn end_workgroup(&mut self, workgroup: u32) {
        self.memories.remove(&Memory::Workgroup(workgroup));
    }

    /// Bytes it holds in memory, at most.
    pub fn footprint(&self) -> u64 {
        wide(self.writes * 2 * size_of::<(Writer, u8)>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_finds_the_last_write_that_it_sees() {
        let memory = Memory::Storage(0);
        let writer = |workgroup| Writer { workgroup, subgroup: 0, lane: 0, time: 1 };
        let mut versions = Versions::default();
        versions.wrote(memory, 4, writer(0), &[1, 2], &[3, 4]);
        versions.wrote(memory, 5, writer(1), &[4], &[9]);
        let read = |of: u32| {
            let mut now = [0, 3, 9, 7];
            let differs = versions.seen(memory, 3, &mut now, |writer| writer.workgroup == of);
            (now, differs)
        };
        assert_eq!(read(0), ([0, 3, 4, 7], true));
        assert_eq!(read(1), ([0, 1, 9, 7], true));
        assert_eq!(read(2), ([0, 1, 2, 7], true));
        let mut elsewhere = [5];
        assert!(!versions.seen(Memory::Storage(1), 4, &mut elsewhere, |_| false));
    }
}
