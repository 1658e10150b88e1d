//! What the bytes of a buffer hold before the first dispatch, and in which pieces they go up.
//!
//! Every byte is written, so that no run depends on what the driver left there: bytes that the launch
//! does not initialise are [`POISON`]. A buffer's length is rounded up to 4 bytes on the device, as wgpu
//! asks; the bytes added are poison too and never come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridproof_launch::{Buffer, Contents, Fill};

use crate::limits::count_u64;

/// What uninitialised bytes hold: `0xA5`, so that 32-bit words are `0xA5A5A5A5`, a small negative f32.
pub const POISON: u8 = 0xA5;

/// Most bytes moved by one transfer.
pub(crate) const CHUNK: u64 = 32 << 20;

/// Patches of a virtual buffer that lie closer than this go up in one transfer.
const GAP: u64 = 4096;

/// The length of a buffer on the device: a multiple of 4, and not 0.
pub(crate) fn device_length(length: u64) -> u64 {
    length.checked_next_multiple_of(4).unwrap_or(u64::MAX).max(4)
}

/// What a fill writes.
pub(crate) const fn fill_byte(fill: Fill) -> u8 {
    match fill {
        Fill::Uninitialised => POISON,
        Fill::Byte(byte) => byte,
    }
}

/// The ranges that `start..end` is moved in.
pub(crate) fn chunks(start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = end.saturating_sub(start).div_ceil(CHUNK);
    (0..count).map(move |index| (start + index * CHUNK, end.min(start + (index + 1) * CHUNK)))
}

/// The byte ranges to upload, each starting and ending at a multiple of 4 and at most a chunk long.
pub(crate) fn windows(buffer: &Buffer) -> Vec<(u64, u64)> {
    match &buffer.contents {
        Contents::Dense(_) => chunks(0, device_length(buffer.length)).collect(),
        Contents::Virtual { patches, .. } => patch_windows(patches),
    }
}

fn patch_windows(patches: &BTreeMap<u64, Arc<[u8]>>) -> Vec<(u64, u64)> {
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (&start, bytes) in patches.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let end = device_length(start.saturating_add(count_u64(bytes.len())));
        match merged.last_mut() {
            Some(last) if start <= last.1.saturating_add(GAP) => last.1 = last.1.max(end),
            _ => merged.push((start - start % 4, end)),
        }
    }
    merged.into_iter().flat_map(|(start, end)| chunks(start, end)).collect()
}

/// The initial bytes `start..end`, wherever they come from.
pub(crate) fn bytes(buffer: &Buffer, start: u64, end: u64) -> Vec<u8> {
    let length = usize::try_from(end - start).unwrap_or(0);
    match &buffer.contents {
        Contents::Dense(given) => {
            let mut window = vec![POISON; length];
            overlay(&mut window, start, 0, given);
            window
        }
        Contents::Virtual { fill, patches } => {
            let mut window = vec![fill_byte(*fill); length];
            let first = patches.range(..=start).next_back().map_or(start, |(&from, _)| from);
            for (&from, patch) in patches.range(first..end.max(first)) {
                overlay(&mut window, start, from, patch);
            }
            window
        }
    }
}

/// Writes the part of `patch`, which lies at `from`, that falls into `window`, which lies at `start`.
fn overlay(window: &mut [u8], start: u64, from: u64, patch: &[u8]) {
    let position = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let (into, skipped) = (position(from.saturating_sub(start)), position(start.saturating_sub(from)));
    let (Some(target), Some(source)) = (window.get_mut(into..), patch.get(skipped..)) else { return };
    let count = target.len().min(source.len());
    target[..count].copy_from_slice(&source[..count]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridproof_launch::DType;

    fn virtual_buffer(length: u64, fill: Fill, patches: &[(u64, &[u8])]) -> Buffer {
        let patches = patches.iter().map(|&(at, bytes)| (at, Arc::from(bytes))).collect();
        Buffer {
            name: "pool".into(),
            dtype: DType::U8,
            shape: vec![length],
            length,
            contents: Contents::Virtual { fill, patches },
            may_race: Vec::new(),
            output: false,
        }
    }

    #[test]
    fn patches_in_one_word_go_up_together_over_the_fill() {
        let buffer = virtual_buffer(64, Fill::Byte(7), &[(5, &[1]), (6, &[2, 3, 4]), (60, &[9])]);
        assert_eq!(windows(&buffer), [(4, 64)]);
        let mut expected = vec![7; 60];
        expected[1..5].copy_from_slice(&[1, 2, 3, 4]);
        expected[56] = 9;
        assert_eq!(bytes(&buffer, 4, 64), expected);
    }

    #[test]
    fn distant_patches_go_up_alone_and_long_ones_in_chunks() {
        let long = vec![3; usize::try_from(CHUNK).unwrap_or(0) + 6];
        let buffer = virtual_buffer(1 << 40, Fill::Uninitialised, &[(2, &long), (1 << 30, &[1])]);
        assert_eq!(windows(&buffer), [(0, CHUNK), (CHUNK, CHUNK + 8), (1 << 30, (1 << 30) + 4)]);
        assert_eq!(bytes(&buffer, 0, 4), [POISON, POISON, 3, 3]);
        assert_eq!(bytes(&buffer, CHUNK, CHUNK + 12), [3, 3, 3, 3, 3, 3, 3, 3, POISON, POISON, POISON, POISON]);
        assert_eq!(bytes(&buffer, 1 << 30, (1 << 30) + 4), [1, POISON, POISON, POISON]);
    }

    #[test]
    fn lengths_are_rounded_up_to_words_and_never_empty() {
        assert_eq!([0, 1, 4, 5].map(device_length), [4, 4, 4, 8]);
    }
}
