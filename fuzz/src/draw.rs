//! Drawing choices from bytes.
//!
//! Every choice takes four bytes, so that changing one choice moves no other. Bytes that are not there are zeros, and zero
//! is the smallest or most usual choice: any bytes give a value, and fewer or smaller bytes give a simpler one.

use arbitrary::Unstructured;

/// See the file's head.
#[derive(Debug)]
pub struct Draw<'a, 'b>(&'b mut Unstructured<'a>);

impl<'a, 'b> Draw<'a, 'b> {
    /// Draws from these bytes.
    pub const fn new(bytes: &'b mut Unstructured<'a>) -> Self {
        Self(bytes)
    }

    /// Any 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// Any 64 bits.
    pub fn long(&mut self) -> u64 {
        u64::from(self.word()) | u64::from(self.word()) << 32
    }

    /// From 0 to `limit - 1`; 0 where the limit is 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        self.word() % limit.max(1)
    }

    /// From `first` to `last`.
    pub fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last.saturating_sub(first).saturating_add(1))
    }

    /// True once in so many times; never where the bytes are used up.
    pub fn one_in(&mut self, times: u32) -> bool {
        self.below(times) + 1 == times
    }

    /// One of these, the first where the bytes are used up.
    ///
    /// # Panics
    /// Never for lists that are not empty, and all of them are written out in this crate.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let limit = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        choices[usize::try_from(self.below(limit)).unwrap_or(0)]
    }

    /// The bytes that are left, at most so many.
    pub fn rest(&mut self, most: usize) -> Vec<u8> {
        let length = self.0.len().min(most);
        self.0.bytes(length).map_or_else(|_| Vec::new(), <[u8]>::to_vec)
    }
}
