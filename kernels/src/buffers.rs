//! Buffers of 16-bit elements, of indices, and pools of states.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridproof_launch::{Buffer, Contents, DType, Fill, LaunchError, Tensor};

/// Longest pool whose every byte is spelt out, in bytes.
const LONGEST_DENSE_POOL: u64 = 64 << 20;

/// The bytes of 16-bit elements.
pub(crate) fn half_bytes(bits: &[u16]) -> Vec<u8> {
    bits.iter().flat_map(|bits| bits.to_le_bytes()).collect()
}

/// A buffer of 16-bit elements.
pub(crate) fn half_buffer(name: &str, dtype: DType, shape: &[u64], bits: &[u16]) -> Result<Buffer, LaunchError> {
    Tensor::dense(name, dtype, shape, half_bytes(bits)).map(Buffer::from_tensor)
}

/// A buffer of 16-bit elements with one more where their number is odd, as WGSL reads whole words.
pub(crate) fn padded_half_buffer(name: &str, dtype: DType, shape: &[u64], bits: &[u16]) -> Result<Buffer, LaunchError> {
    if bits.len().is_multiple_of(2) {
        return half_buffer(name, dtype, shape, bits);
    }
    let words: Vec<u16> = bits.iter().copied().chain([0]).collect();
    half_buffer(name, dtype, &[shape.iter().product::<u64>().saturating_add(1)], &words)
}

/// A buffer of `i32` elements.
pub(crate) fn index_buffer(name: &str, indices: &[i32]) -> Result<Buffer, LaunchError> {
    let bytes: Vec<u8> = indices.iter().flat_map(|index| index.to_le_bytes()).collect();
    let count = u64::try_from(indices.len()).unwrap_or(u64::MAX);
    Tensor::dense(name, DType::I32, [count], bytes).map(Buffer::from_tensor)
}

/// A pool of states: `fill` everywhere but from the given byte offsets on. Long pools are virtual.
pub(crate) fn pool_buffer<'a>(
    name: &str,
    dtype: DType,
    shape: impl Into<Vec<u64>>,
    fill: u8,
    states: impl IntoIterator<Item = (u64, &'a [u8])>,
) -> Result<Buffer, LaunchError> {
    let mut buffer = Buffer::filled(name, dtype, shape, Fill::Byte(fill))?;
    let states = states.into_iter();
    buffer.contents = match usize::try_from(buffer.length) {
        Ok(length) if buffer.length <= LONGEST_DENSE_POOL => {
            let mut dense = vec![fill; length];
            for (start, bytes) in states {
                let free = dense.iter_mut().skip(usize::try_from(start).unwrap_or(length));
                free.zip(bytes).for_each(|(byte, given)| *byte = *given);
            }
            Contents::Dense(dense.into())
        }
        _ => {
            let patches: BTreeMap<u64, Arc<[u8]>> = states.map(|(start, bytes)| (start, bytes.into())).collect();
            Contents::Virtual { fill: Fill::Byte(fill), patches }
        }
    };
    Ok(buffer)
}
