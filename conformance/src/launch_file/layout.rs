//! How a buffer's elements lie in memory: type, shape, strides, length. Nothing is allocated here.

use gridproof_launch::{ByteRange, DType};
use toml::Spanned;

use super::error::{LaunchFileError, Text};
use super::number::Number;

/// Dimensions a shape may have.
const DEEPEST: usize = 16;

/// Bytes a buffer may be long: what a 48-bit device address reaches.
const LONGEST: u64 = 1 << 48;

/// The layout of one buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub dtype: DType,
    pub shape: Vec<u64>,
    /// Distances in elements; `None` for dense row-major.
    pub strides: Option<Vec<u64>>,
    /// Elements of the shape.
    pub elements: u64,
    /// Elements from the first to the last in memory, padding between them included.
    pub reach: u64,
    /// Length in bytes.
    pub length: u64,
}

impl Layout {
    /// A dense layout, checked.
    pub fn dense(dtype: DType, shape: Vec<u64>) -> Result<Self, String> {
        if shape.len() > DEEPEST {
            return Err(format!("has {} dimensions: the limit is {DEEPEST}", shape.len()));
        }
        let elements = shape
            .iter()
            .try_fold(1_u64, |product, &extent| product.checked_mul(extent))
            .ok_or("has more than 2^64 elements")?;
        let length = bytes(dtype, elements)?;
        Ok(Self { dtype, shape, strides: None, elements, reach: elements, length })
    }

    /// The same elements, `strides` apart.
    pub fn strided(mut self, strides: Vec<u64>) -> Result<Self, String> {
        if self.dtype == DType::U4 {
            return Err("u4 elements cannot be strided".to_owned());
        }
        if strides.len() != self.shape.len() {
            return Err(format!("has {} strides for {} dimensions", strides.len(), self.shape.len()));
        }
        self.reach = reach(&self.shape, &strides)?;
        self.length = bytes(self.dtype, self.reach)?;
        self.strides = (self.reach != self.elements || !is_row_major(&self.shape, &strides)).then_some(strides);
        Ok(self)
    }

    /// Bytes of elements `first..last`, counted in memory.
    pub fn element_bytes(&self, first: u64, last: u64) -> Option<ByteRange> {
        let bits = u64::from(self.dtype.bits());
        Some(ByteRange::new(first.checked_mul(bits)? / 8, last.checked_mul(bits)?.div_ceil(8)))
    }

    /// Positions in memory of the elements in row-major order of the shape.
    pub fn positions(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.elements).map(|element| match &self.strides {
            None => element,
            Some(strides) => {
                let mut rest = element;
                let mut position = 0;
                for (&extent, &stride) in self.shape.iter().zip(strides).rev() {
                    position += rest % extent * stride;
                    rest /= extent;
                }
                position
            }
        })
    }
}

fn bytes(dtype: DType, elements: u64) -> Result<u64, String> {
    let length = dtype.bytes_for(elements).filter(|length| *length <= LONGEST);
    length.ok_or_else(|| format!("is longer than {LONGEST} bytes"))
}

fn is_row_major(shape: &[u64], strides: &[u64]) -> bool {
    let mut expected = 1_u64;
    shape.iter().zip(strides).rev().all(|(&extent, &stride)| {
        let fits = extent <= 1 || stride == expected;
        expected = expected.saturating_mul(extent);
        fits
    })
}

/// Elements from the first to the last, when no two of them meet: sorted by stride, each dimension must
/// step over everything the smaller ones reach. That refuses some exotic layouts without a collision.
fn reach(shape: &[u64], strides: &[u64]) -> Result<u64, String> {
    if shape.contains(&0) {
        return Ok(0);
    }
    let mut dimensions: Vec<(u64, u64)> =
        strides.iter().copied().zip(shape.iter().copied()).filter(|(_, extent)| *extent > 1).collect();
    dimensions.sort_unstable();
    let mut reach = 1_u64;
    for (stride, extent) in dimensions {
        if stride < reach {
            return Err(format!("the dimension of {extent} elements with stride {stride} overlaps itself or another"));
        }
        reach = (extent - 1)
            .checked_mul(stride)
            .and_then(|step| reach.checked_add(step))
            .ok_or("reaches past 2^64 elements")?;
    }
    Ok(reach)
}

/// A list of natural numbers.
pub(super) fn naturals(text: &Text<'_>, key: &str, list: &Spanned<Vec<Number>>) -> Result<Vec<u64>, LaunchFileError> {
    let refuse = || text.value(list.span(), key, printed(list.get_ref()), "a list of integers from 0 on");
    list.get_ref().iter().map(|number| number.natural().ok_or_else(refuse)).collect()
}

/// A half-open pair `[first, last]` of natural numbers with `first < last`.
pub(super) fn pair(text: &Text<'_>, key: &str, list: &Spanned<Vec<Number>>) -> Result<(u64, u64), LaunchFileError> {
    match naturals(text, key, list)?.as_slice() {
        [first, last] if first < last => Ok((*first, *last)),
        _ => Err(text.value(
            list.span(),
            key,
            printed(list.get_ref()),
            "two integers, the first one and one past the last one",
        )),
    }
}

/// A list as the file writes it.
pub(super) fn printed(list: &[Number]) -> String {
    let numbers: Vec<String> = list.iter().take(16).map(Number::to_string).collect();
    let dots = if list.len() > 16 { ", .." } else { "" };
    format!("[{}{dots}]", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_may_pad_and_permute_but_not_overlap() {
        let layout = |shape: &[u64], strides: &[u64]| {
            Layout::dense(DType::F16, shape.to_vec()).unwrap().strided(strides.to_vec())
        };
        let padded = layout(&[2, 3], &[5, 1]).unwrap();
        assert_eq!((padded.reach, padded.length), (8, 16));
        assert_eq!(padded.positions().collect::<Vec<_>>(), [0, 1, 2, 5, 6, 7]);
        let columns = layout(&[2, 3], &[1, 2]).unwrap();
        assert_eq!(columns.positions().collect::<Vec<_>>(), [0, 2, 4, 1, 3, 5]);
        assert_eq!(layout(&[2, 3], &[3, 1]).unwrap().strides, None);
        assert_eq!(layout(&[0, 3], &[3, 1]).unwrap().length, 0);
        assert!(layout(&[2, 3], &[2, 1]).is_err());
        assert!(layout(&[2, 3], &[0, 1]).is_err());
        assert!(layout(&[2, 3], &[1]).is_err());
        assert!(layout(&[2, 3], &[u64::MAX, 1]).is_err());
    }

    #[test]
    fn shapes_that_lie_are_refused_without_allocating() {
        assert!(Layout::dense(DType::F32, vec![u64::MAX, 2]).is_err());
        assert!(Layout::dense(DType::F32, vec![1 << 47]).is_err());
        assert!(Layout::dense(DType::F32, vec![1 << 46]).is_ok());
        assert!(Layout::dense(DType::F32, vec![1; 17]).is_err());
    }
}
