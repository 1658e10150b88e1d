//! Rows of the state by vectors of lanes, and how they get there from memory and back.
//!
//! A row is an array of SHARE times V vectors of 8 numbers, V the lanes over 8: the p-th V hold element p of every lane's
//! share. In memory a
//! lane's share is one piece of 32-bit words (bf16: two elements a word), so a row is transposed on its way. The
//! transposition leaves the lanes in an order of its own, [`position`]; sums over lanes must know it, nobody else.
//!
//! Each order of operations is laid out for the type of state that its kernel has. Of the other type, elements are moved
//! one by one.

use super::shape::HEAD;
use super::vectors::{Numbers, Vectors, Words};
use crate::numerics::half::{bf16_to_f32, f32_to_bf16};

const ELEMENTS: usize = HEAD as usize;

/// Words that are transposed together, in bytes.
const BLOCK: usize = 128;

/// One row of the state, or a key or query: `[element of the share][position of the lane]`, the position in two parts.
pub(super) type Row<const V: usize, const SHARE: usize> = [[Numbers; V]; SHARE];

/// Where a vector holds a lane whose share has `words` words, 2 or 4. It permutes the bits of the lane, so lanes at a
/// distance of a power of two stay at one: its own position.
pub(super) const fn position(words: usize, lane: usize) -> usize {
    // The transposition takes 32 words, from so many lanes.
    let together = 32 / words;
    let (block, inner) = (lane / together, lane % together);
    let (row, rest) = (inner / (8 / words), inner % (8 / words));
    let (half, vector) = (rest / (4 / words), rest % (4 / words));
    block * together + vector * 8 + half * 4 + row
}

/// A type of state.
pub(super) trait Element {
    /// Bytes of an element.
    const BYTES: usize;
    /// Elements in a word.
    const PER_WORD: usize;

    /// The elements of these words: first the lower halves, then the upper ones, or the words themselves.
    fn unpack(vectors: impl Vectors, words: Words) -> [Numbers; 2];

    /// The words of these elements, rounded.
    fn pack(vectors: impl Vectors, elements: [Numbers; 2]) -> Words;

    /// Element `index` of these bytes.
    fn get(bytes: &[u8], index: usize) -> f32;

    /// Rounds `x` into element `index` of these bytes.
    fn put(bytes: &mut [u8], index: usize, x: f32);
}

/// bfloat16.
pub(super) struct Brain;

impl Element for Brain {
    const BYTES: usize = 2;
    const PER_WORD: usize = 2;

    #[inline(always)]
    fn unpack(vectors: impl Vectors, words: Words) -> [Numbers; 2] {
        [vectors.lower(words), vectors.upper(words)]
    }

    #[inline(always)]
    fn pack(vectors: impl Vectors, elements: [Numbers; 2]) -> Words {
        vectors.pack(elements[0], elements[1])
    }

    #[inline(always)]
    fn get(bytes: &[u8], index: usize) -> f32 {
        bf16_to_f32(u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]))
    }

    #[inline(always)]
    fn put(bytes: &mut [u8], index: usize, x: f32) {
        bytes[2 * index..2 * index + 2].copy_from_slice(&f32_to_bf16(x).to_le_bytes());
    }
}

/// f32.
pub(super) struct Single;

impl Element for Single {
    const BYTES: usize = 4;
    const PER_WORD: usize = 1;

    #[inline(always)]
    fn unpack(_: impl Vectors, words: Words) -> [Numbers; 2] {
        [bytemuck::cast(words), [0.0; 8]]
    }

    #[inline(always)]
    fn pack(_: impl Vectors, elements: [Numbers; 2]) -> Words {
        bytemuck::cast(elements[0])
    }

    #[inline(always)]
    fn get(bytes: &[u8], index: usize) -> f32 {
        f32::from_bits(u32::from_le_bytes([
            bytes[4 * index],
            bytes[4 * index + 1],
            bytes[4 * index + 2],
            bytes[4 * index + 3],
        ]))
    }

    #[inline(always)]
    fn put(bytes: &mut [u8], index: usize, x: f32) {
        bytes[4 * index..4 * index + 4].copy_from_slice(&x.to_le_bytes());
    }
}

/// `x` as a row in which shares of `words` words have their places.
#[inline(always)]
pub(super) fn row<const V: usize, const SHARE: usize>(words: usize, x: &[f32; ELEMENTS]) -> Row<V, SHARE> {
    let mut row = [[[0.0; 8]; V]; SHARE];
    for lane in 0..8 * V {
        for p in 0..SHARE {
            row[p][position(words, lane) / 8][position(words, lane) % 8] = x[lane * SHARE + p];
        }
    }
    row
}

/// The row in these bytes.
#[inline(always)]
pub(super) fn load<T: Vectors, E: Element, const V: usize, const SHARE: usize>(
    vectors: T,
    words: usize,
    bytes: &[u8],
) -> Row<V, SHARE> {
    let mut row = [[[0.0; 8]; V]; SHARE];
    if words * E::PER_WORD == SHARE {
        for (block, bytes) in bytes.as_chunks::<BLOCK>().0.iter().enumerate() {
            let columns = vectors.transpose(bytemuck::cast(*bytes));
            for (j, column) in columns.iter().enumerate() {
                let vector = block * (4 / words) + j / words;
                let elements = E::unpack(vectors, *column);
                for part in 0..E::PER_WORD {
                    row[j % words * E::PER_WORD + part][vector] = elements[part];
                }
            }
        }
    } else {
        for lane in 0..8 * V {
            for (p, vectors) in row.iter_mut().enumerate() {
                vectors[position(words, lane) / 8][position(words, lane) % 8] = E::get(bytes, lane * SHARE + p);
            }
        }
    }
    row
}

/// Writes the row to these bytes, rounded.
#[inline(always)]
pub(super) fn store<T: Vectors, E: Element, const V: usize, const SHARE: usize>(
    vectors: T,
    words: usize,
    row: &Row<V, SHARE>,
    bytes: &mut [u8],
) {
    if words * E::PER_WORD == SHARE {
        for (block, bytes) in bytes.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let mut columns = [[0; 8]; 4];
            for (j, column) in columns.iter_mut().enumerate() {
                let vector = block * (4 / words) + j / words;
                let mut elements = [[0.0; 8]; 2];
                for part in 0..E::PER_WORD {
                    elements[part] = row[j % words * E::PER_WORD + part][vector];
                }
                *column = E::pack(vectors, elements);
            }
            *bytes = bytemuck::cast(vectors.transpose(columns));
        }
    } else {
        for lane in 0..8 * V {
            for (p, vectors) in row.iter().enumerate() {
                E::put(bytes, lane * SHARE + p, vectors[position(words, lane) / 8][position(words, lane) % 8]);
            }
        }
    }
}
