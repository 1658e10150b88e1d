//! The register file of one subgroup in structure-of-arrays form: a row holds one 32-bit word per invocation,
//! in chunks of eight, so that loops over a chunk become vector instructions whatever the subgroup size.

use crate::cast::at;
use crate::ir::Reg;

/// Invocations per chunk.
pub const CHUNK: usize = 8;

/// Eight invocations of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(32))]
pub struct Chunk(pub [u32; CHUNK]);

/// All rows of a subgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    chunks: Vec<Chunk>,
    per_row: usize,
}

impl Registers {
    /// `rows` rows of zeros for `lanes` invocations.
    pub fn new(rows: u32, lanes: u32) -> Self {
        let per_row = at(lanes).div_ceil(CHUNK);
        Self { chunks: vec![Chunk::default(); at(rows) * per_row], per_row }
    }

    /// Chunks per row.
    #[inline(always)]
    pub const fn per_row(&self) -> usize {
        self.per_row
    }

    /// All rows, one after the other.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// One row.
    #[inline(always)]
    pub fn row(&self, reg: Reg) -> &[Chunk] {
        let start = at(reg.0) * self.per_row;
        &self.chunks[start..start + self.per_row]
    }

    /// One row.
    #[inline(always)]
    pub fn row_mut(&mut self, reg: Reg) -> &mut [Chunk] {
        let start = at(reg.0) * self.per_row;
        &mut self.chunks[start..start + self.per_row]
    }

    /// The word of one invocation.
    #[inline(always)]
    pub fn word(&self, reg: Reg, lane: u32) -> u32 {
        self.row(reg)[at(lane) / CHUNK].0[at(lane) % CHUNK]
    }

    /// Sets the word of one invocation.
    #[inline(always)]
    pub fn set_word(&mut self, reg: Reg, lane: u32, word: u32) {
        self.row_mut(reg)[at(lane) / CHUNK].0[at(lane) % CHUNK] = word;
    }

    /// The value of one invocation, of one or two rows.
    #[inline(always)]
    pub fn value(&self, reg: Reg, rows: u32, lane: u32) -> u64 {
        let low = u64::from(self.word(reg, lane));
        if rows == 2 { low | u64::from(self.word(reg.high(), lane)) << 32 } else { low }
    }

    /// The values of some invocations, into their places in a list of all.
    pub fn values(&self, reg: Reg, rows: u32, lanes: u128, values: &mut [u64]) {
        let high = if rows == 2 { self.row(reg.high()) } else { &[] };
        for (i, (values, low)) in values.chunks_mut(CHUNK).zip(self.row(reg)).enumerate() {
            let high = high.get(i).map_or([0; CHUNK], |chunk| chunk.0);
            for (lane, value) in values.iter_mut().enumerate() {
                if lanes >> (i * CHUNK + lane) & 1 == 1 {
                    *value = u64::from(low.0[lane]) | u64::from(high[lane]) << 32;
                }
            }
        }
    }

    /// Takes the words of some invocations from a list of all.
    pub fn load_row(&mut self, reg: Reg, lanes: u128, words: &[u32]) {
        for (i, (chunk, words)) in self.row_mut(reg).iter_mut().zip(words.chunks(CHUNK)).enumerate() {
            let bits = lanes >> (i * CHUNK);
            for (lane, (slot, word)) in chunk.0.iter_mut().zip(words).enumerate() {
                *slot = if bits >> lane & 1 == 1 { *word } else { *slot };
            }
        }
    }

    /// Puts the words of some invocations into a list of all.
    pub fn store_row(&self, reg: Reg, lanes: u128, words: &mut [u32]) {
        for (i, (chunk, words)) in self.row(reg).iter().zip(words.chunks_mut(CHUNK)).enumerate() {
            let bits = lanes >> (i * CHUNK);
            for (lane, (word, slot)) in words.iter_mut().zip(chunk.0).enumerate() {
                *word = if bits >> lane & 1 == 1 { slot } else { *word };
            }
        }
    }

    /// Sets the value of one invocation, of one or two rows.
    #[inline(always)]
    pub fn set_value(&mut self, reg: Reg, rows: u32, lane: u32, value: u64) {
        self.set_word(reg, lane, crate::cast::low(value));
        if rows == 2 {
            self.set_word(reg.high(), lane, crate::cast::high(value));
        }
    }

    /// The same word for all invocations.
    pub fn fill(&mut self, reg: Reg, word: u32) {
        self.row_mut(reg).fill(Chunk([word; CHUNK]));
    }

    /// `dst <- f(a)` for all invocations of `mask`, or for all where `whole`.
    #[inline(always)]
    pub fn map1(&mut self, mask: &Mask, dst: Reg, a: Reg, f: impl Fn(u32) -> u32) {
        let (d, a) = (at(dst.0) * self.per_row, at(a.0) * self.per_row);
        for i in 0..self.per_row {
            let x = self.chunks[a + i].0;
            let mut new = [0; CHUNK];
            for lane in 0..CHUNK {
                new[lane] = f(x[lane]);
            }
            mask.put(i, &mut self.chunks[d + i], new);
        }
    }

    /// `dst <- f(a, b)`.
    #[inline(always)]
    pub fn map2(&mut self, mask: &Mask, dst: Reg, a: Reg, b: Reg, f: impl Fn(u32, u32) -> u32) {
        let (d, a, b) = (at(dst.0) * self.per_row, at(a.0) * self.per_row, at(b.0) * self.per_row);
        for i in 0..self.per_row {
            let (x, y) = (self.chunks[a + i].0, self.chunks[b + i].0);
            let mut new = [0; CHUNK];
            for lane in 0..CHUNK {
                new[lane] = f(x[lane], y[lane]);
            }
            mask.put(i, &mut self.chunks[d + i], new);
        }
    }

    /// `dst <- f(sources)`, each of one row or two.
    #[inline(always)]
    pub fn map_values<const N: usize>(
        &mut self,
        mask: &Mask,
        (dst, rows): (Reg, u32),
        sources: [(Reg, u32); N],
        f: impl Fn([u64; N]) -> u64,
    ) {
        let place = |reg: Reg| at(reg.0) * self.per_row;
        let (first, second) = (place(dst), place(dst.high()));
        for i in 0..self.per_row {
            let mut values = [[0; N]; CHUNK];
            for (operand, &(reg, rows)) in sources.iter().enumerate() {
                let words = self.chunks[place(reg) + i].0;
                for lane in 0..CHUNK {
                    values[lane][operand] = u64::from(words[lane]);
                }
                if rows == 2 {
                    let words = self.chunks[place(reg.high()) + i].0;
                    for lane in 0..CHUNK {
                        values[lane][operand] |= u64::from(words[lane]) << 32;
                    }
                }
            }
            let (mut low, mut high) = ([0; CHUNK], [0; CHUNK]);
            for lane in 0..CHUNK {
                let value = f(values[lane]);
                low[lane] = crate::cast::low(value);
                high[lane] = crate::cast::high(value);
            }
            mask.put(i, &mut self.chunks[first + i], low);
            if rows == 2 {
                mask.put(i, &mut self.chunks[second + i], high);
            }
        }
    }

    /// The invocations of `lanes` whose word is `word`.
    pub fn lanes_with(&self, reg: Reg, word: u32, lanes: u128) -> u128 {
        let mut found = 0_u128;
        for (i, chunk) in self.row(reg).iter().enumerate() {
            let mut bits = 0_u32;
            for lane in 0..CHUNK {
                bits |= u32::from(chunk.0[lane] == word) << lane;
            }
            found |= u128::from(bits) << (i * CHUNK);
        }
        found & lanes
    }

    /// `dst <- f(a, b, c)`.
    #[inline(always)]
    pub fn map3(&mut self, mask: &Mask, dst: Reg, [a, b, c]: [Reg; 3], f: impl Fn(u32, u32, u32) -> u32) {
        let d = at(dst.0) * self.per_row;
        let (a, b, c) = (at(a.0) * self.per_row, at(b.0) * self.per_row, at(c.0) * self.per_row);
        for i in 0..self.per_row {
            let (x, y, z) = (self.chunks[a + i].0, self.chunks[b + i].0, self.chunks[c + i].0);
            let mut new = [0; CHUNK];
            for lane in 0..CHUNK {
                new[lane] = f(x[lane], y[lane], z[lane]);
            }
            mask.put(i, &mut self.chunks[d + i], new);
        }
    }
}

/// Which invocations of the subgroup execute now.
#[derive(Clone, Debug)]
pub struct Mask {
    /// Bit i: invocation i.
    pub bits: u128,
    /// How many.
    pub count: u32,
    /// Whether writing to the others does no harm, because none of them will ever run again.
    pub whole: bool,
    words: Vec<Chunk>,
}

impl Mask {
    /// An empty mask for `lanes` invocations.
    pub fn new(lanes: u32) -> Self {
        Self { bits: 0, count: 0, whole: false, words: vec![Chunk::default(); at(lanes).div_ceil(CHUNK)] }
    }

    /// Sets the bits; `whole` as in the field.
    pub fn set(&mut self, bits: u128, whole: bool) {
        self.whole = whole;
        if bits == self.bits {
            return;
        }
        self.bits = bits;
        self.count = bits.count_ones();
        for (i, chunk) in self.words.iter_mut().enumerate() {
            for lane in 0..CHUNK {
                chunk.0[lane] = if bits >> (i * CHUNK + lane) & 1 == 1 { u32::MAX } else { 0 };
            }
        }
    }

    /// All ones where the invocation executes.
    #[inline(always)]
    pub fn words(&self) -> &[Chunk] {
        &self.words
    }

    #[inline(always)]
    fn put(&self, chunk: usize, old: &mut Chunk, new: [u32; CHUNK]) {
        if self.whole {
            old.0 = new;
            return;
        }
        let keep = self.words[chunk].0;
        for lane in 0..CHUNK {
            old.0[lane] = (new[lane] & keep[lane]) | (old.0[lane] & !keep[lane]);
        }
    }

    /// The invocations, lowest first.
    pub fn lanes(&self) -> Lanes {
        Lanes(self.bits)
    }
}

/// Invocations named by a bit set, lowest first.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(pub u128);

impl Iterator for Lanes {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let lane = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(lane)
    }
}
