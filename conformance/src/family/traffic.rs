//! How many bytes of a launch must cross the memory bus.
//!
//! The rule is the same for all families, and each says beside its sum what it counts: every input byte that a launch
//! needs crosses once, every output byte once, and what one dispatch hands to the next through a buffer of its own
//! crosses once when it is written and once when it is read. A state that is updated in place is an input and an output.
//! Slots that several requests read count once; slots that nobody names, padding between rows, and what a second
//! dispatch reads of an input again do not count.
//!
//! It is a floor, not what a device does: a kernel that reads twice moves more, and where what is handed on stays in a
//! cache, less crosses than is counted here.

/// Bytes that must cross the memory bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Inputs.
    pub read: u64,
    /// Outputs.
    pub written: u64,
    /// What dispatches hand to each other; it crosses twice.
    pub handed_on: u64,
}

impl Traffic {
    /// All bytes, those that are handed on both ways.
    pub const fn bytes(self) -> u64 {
        self.read.saturating_add(self.written).saturating_add(self.handed_on.saturating_mul(2))
    }

    /// Bytes of memory that a launch touches at least, however inputs and outputs lie on each other.
    pub const fn footprint(self) -> u64 {
        let larger = if self.read > self.written { self.read } else { self.written };
        larger.saturating_add(self.handed_on)
    }

    pub(super) const fn reading(self, count: u64, each: u64) -> Self {
        Self { read: self.read.saturating_add(count.saturating_mul(each)), ..self }
    }

    pub(super) const fn writing(self, count: u64, each: u64) -> Self {
        Self { written: self.written.saturating_add(count.saturating_mul(each)), ..self }
    }

    pub(super) const fn handing_on(self, count: u64, each: u64) -> Self {
        Self { handed_on: self.handed_on.saturating_add(count.saturating_mul(each)), ..self }
    }
}

/// A length, as a factor.
pub(super) fn factor(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
