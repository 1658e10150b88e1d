//! Comparing what two runs left behind.

use gridproof_launch::{Buffer, Launch};
use gridproof_simulator::memory::Image;

/// Positions of the buffers that a launch exists to compute: those marked as outputs, or all of them where
/// none is marked (what is never written never differs).
fn compared(launch: &Launch) -> impl Iterator<Item = usize> + '_ {
    let marked = launch.buffers.iter().any(|buffer| buffer.output);
    (0..launch.buffers.len()).filter(move |position| !marked || launch.buffers[*position].output)
}

/// The first element in which two images of a buffer differ, and how many do. Meant for buffers that fit in memory.
pub(super) fn wrong_elements(buffer: &Buffer, left: &Image, right: &Image) -> (Option<u64>, u64) {
    let bits = u64::from(buffer.dtype.bits());
    let (left, right) = (left.to_vec(), right.to_vec());
    let bytes = left.iter().zip(&right).zip(0_u64..);
    let mut elements: Vec<u64> = bytes.filter(|((l, r), _)| l != r).map(|(_, byte)| byte * 8 / bits).collect();
    elements.dedup();
    (elements.first().copied(), u64::try_from(elements.len()).unwrap_or(u64::MAX))
}

/// A number that stands for the bytes of all outputs: FNV-1a in 64 bits over names, lengths and bytes.
/// Equal outputs give equal digests; it is no defence against anybody who wants two different ones to.
pub(super) fn digest(launch: &Launch, images: &[Image]) -> u64 {
    const CHUNK: usize = 1 << 16;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        hash = bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    };
    let mut chunk = vec![0; CHUNK];
    for position in compared(launch) {
        let image = &images[position];
        feed(launch.buffers[position].name.as_bytes());
        feed(&image.length().to_le_bytes());
        let mut offset = 0;
        while offset < image.length() {
            let length = usize::try_from(image.length() - offset).map_or(CHUNK, |rest| rest.min(CHUNK));
            image.read(offset, &mut chunk[..length]);
            feed(&chunk[..length]);
            offset += u64::try_from(length).unwrap_or(u64::MAX);
        }
    }
    hash
}
