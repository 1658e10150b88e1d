//! Device memory of a launch: real length, initial contents, and what its author declares about it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{DType, LaunchError, Tensor};

/// A half-open range of bytes inside a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl ByteRange {
    /// The range `start..end`.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Length in bytes; 0 when the range is empty or turned around.
    pub const fn length(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether `byte` lies inside.
    pub const fn contains(self, byte: u64) -> bool {
        self.start <= byte && byte < self.end
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// What untouched bytes of a virtual buffer hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Nothing yet: reading one is a finding.
    Uninitialised,
    /// The same byte everywhere.
    Byte(u8),
}

/// Initial contents of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Every byte is given.
    Dense(Arc<[u8]>),
    /// A *virtual* buffer: `fill` everywhere but in `patches` (byte offset to bytes), so that its
    /// untouched part costs no memory however long it is.
    Virtual {
        /// What the bytes outside the patches hold.
        fill: Fill,
        /// Byte offset of each patch and its bytes. Patches do not overlap.
        patches: BTreeMap<u64, Arc<[u8]>>,
    },
}

/// Bytes that the author allows to race, and why (the null slot of a pool, for instance).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MayRace {
    /// The bytes of the buffer.
    pub range: ByteRange,
    /// Why a race there is intended; printed in the report.
    pub reason: String,
}

/// One allocation of device memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// The name reports print.
    pub name: String,
    /// Element type, so that reports can name elements and not only bytes.
    pub dtype: DType,
    /// Shape in elements, outermost first; empty when unknown.
    pub shape: Vec<u64>,
    /// Length in bytes.
    pub length: u64,
    /// What the bytes hold before the first dispatch.
    pub contents: Contents,
    /// Ranges where races are declared to be intended.
    pub may_race: Vec<MayRace>,
    /// Whether the launch exists to compute this buffer: outputs are compared between schedules and legs.
    pub output: bool,
}

impl Buffer {
    /// A buffer whose every byte comes from `tensor`.
    pub fn from_tensor(tensor: Tensor) -> Self {
        let (name, dtype, shape) = (tensor.name().to_owned(), tensor.dtype(), tensor.shape().to_vec());
        let bytes: Arc<[u8]> = tensor.into_bytes().into();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { name, dtype, shape, length, contents: Contents::Dense(bytes), may_race: Vec::new(), output: false }
    }

    /// A virtual buffer of `shape` elements whose bytes are all `fill`.
    ///
    /// # Errors
    /// When the shape overflows 64 bits.
    pub fn filled(
        name: impl Into<String>,
        dtype: DType,
        shape: impl Into<Vec<u64>>,
        fill: Fill,
    ) -> Result<Self, LaunchError> {
        let (name, shape) = (name.into(), shape.into());
        let length = shape
            .iter()
            .try_fold(1_u64, |product, &extent| product.checked_mul(extent))
            .and_then(|elements| dtype.bytes_for(elements))
            .ok_or_else(|| LaunchError::ShapeOverflow { tensor: name.clone(), shape: shape.clone() })?;
        let contents = Contents::Virtual { fill, patches: BTreeMap::new() };
        Ok(Self { name, dtype, shape, length, contents, may_race: Vec::new(), output: false })
    }

    /// The same buffer, marked as a result of the launch.
    #[must_use]
    pub fn as_output(mut self) -> Self {
        self.output = true;
        self
    }

    /// The whole buffer as a range.
    pub const fn range(&self) -> ByteRange {
        ByteRange::new(0, self.length)
    }

    pub(crate) fn validate(&self) -> Result<(), LaunchError> {
        let outside = |range| LaunchError::ContentsOutside { buffer: self.name.clone(), length: self.length, range };
        match &self.contents {
            Contents::Dense(bytes) => {
                let given = ByteRange::new(0, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                if given.end != self.length {
                    return Err(outside(given));
                }
            }
            Contents::Virtual { patches, .. } => {
                let mut free_from = 0;
                for (&start, bytes) in patches {
                    let end = start.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                    if start < free_from || end > self.length {
                        return Err(outside(ByteRange::new(start, end)));
                    }
                    free_from = end;
                }
            }
        }
        for declared in &self.may_race {
            let refuse = |problem| LaunchError::MayRace { buffer: self.name.clone(), range: declared.range, problem };
            if declared.range.length() == 0 {
                return Err(refuse("is empty"));
            }
            if declared.range.end > self.length {
                return Err(refuse("reaches past the end of the buffer"));
            }
            if declared.reason.trim().is_empty() {
                return Err(refuse("has no reason"));
            }
        }
        Ok(())
    }
}
