//! A dense or strided array of elements with a name: how data enters and leaves a launch.

use crate::{DType, LaunchError};

/// A named array. `bytes` hold the elements in row-major order of `shape` unless `strides` say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    name: String,
    dtype: DType,
    shape: Vec<u64>,
    strides: Vec<u64>,
    bytes: Vec<u8>,
}

impl Tensor {
    /// A dense row-major tensor.
    ///
    /// # Errors
    /// When the shape overflows 64 bits, or `bytes` is not exactly as long as the shape asks.
    pub fn dense(
        name: impl Into<String>,
        dtype: DType,
        shape: impl Into<Vec<u64>>,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<Self, LaunchError> {
        let (name, shape, bytes) = (name.into(), shape.into(), bytes.into());
        let expected = dense_bytes(&name, dtype, &shape)?;
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if expected != actual {
            return Err(LaunchError::TensorLength { tensor: name, shape, expected, actual });
        }
        let strides = row_major(&shape);
        Ok(Self { name, dtype, shape, strides, bytes })
    }

    /// A tensor whose dimensions lie `strides` elements apart (a padded pool, for instance).
    ///
    /// # Errors
    /// When the last element's position overflows, lies outside `bytes`, or the ranks differ.
    pub fn strided(
        name: impl Into<String>,
        dtype: DType,
        shape: impl Into<Vec<u64>>,
        strides: impl Into<Vec<u64>>,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<Self, LaunchError> {
        let (name, shape, strides, bytes) = (name.into(), shape.into(), strides.into(), bytes.into());
        let overflow = || LaunchError::ShapeOverflow { tensor: name.clone(), shape: shape.clone() };
        let mut span = 1_u64;
        for (&extent, &stride) in shape.iter().zip(&strides) {
            let reach = extent.saturating_sub(1).checked_mul(stride).ok_or_else(overflow)?;
            span = span.checked_add(reach).ok_or_else(overflow)?;
        }
        let empty = shape.contains(&0);
        let expected = dtype.bytes_for(if empty { 0 } else { span }).ok_or_else(overflow)?;
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if shape.len() != strides.len() || expected > actual {
            return Err(LaunchError::TensorLength { tensor: name, shape, expected, actual });
        }
        Ok(Self { name, dtype, shape, strides, bytes })
    }

    /// The name that reports and launch files use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// Extents, outermost first, in elements.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Distances between neighbours along each dimension, in elements.
    pub fn strides(&self) -> &[u64] {
        &self.strides
    }

    /// The raw bytes, little-endian.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The raw bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn dense_bytes(name: &str, dtype: DType, shape: &[u64]) -> Result<u64, LaunchError> {
    shape
        .iter()
        .try_fold(1_u64, |product, &extent| product.checked_mul(extent))
        .and_then(|elements| dtype.bytes_for(elements))
        .ok_or_else(|| LaunchError::ShapeOverflow { tensor: name.to_owned(), shape: shape.to_vec() })
}

fn row_major(shape: &[u64]) -> Vec<u64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_tensor_must_have_exactly_its_bytes() {
        assert!(Tensor::dense("x", DType::F16, [2, 3], vec![0; 12]).is_ok());
        assert!(matches!(
            Tensor::dense("x", DType::F16, [2, 3], vec![0; 11]),
            Err(LaunchError::TensorLength { expected: 12, actual: 11, .. })
        ));
        assert!(matches!(
            Tensor::dense("x", DType::F16, [u64::MAX, 3], vec![]),
            Err(LaunchError::ShapeOverflow { .. })
        ));
    }

    #[test]
    fn a_strided_tensor_needs_bytes_up_to_its_last_element() {
        assert!(Tensor::strided("pool", DType::U8, [2, 3], [5, 1], vec![0; 8]).is_ok());
        assert!(Tensor::strided("pool", DType::U8, [2, 3], [5, 1], vec![0; 7]).is_err());
    }
}
