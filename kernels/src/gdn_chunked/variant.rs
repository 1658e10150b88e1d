//! What can be asked of the kernel: its variants, and what the caller chooses besides.

use std::str::FromStr;

use gridproof_launch::{Arithmetic, Language};
use gridproof_reference::gdn_chunked::Path;

use crate::variant::{UnknownVariant, variant_named};

/// One variant of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// In chunks, with every barrier.
    Chunked,
    /// Token by token, for comparison.
    Serial,
    /// In chunks, without the barrier after all have read the sum of squares of the query.
    NoBarrierMaterializeQ,
    /// In chunks, without the barrier after all have read the sum of squares of the key.
    NoBarrierMaterializeK,
    /// In chunks, without the barrier after invocation 0 has added up the products of the keys of two tokens.
    NoBarrierSolveKk,
    /// In chunks, without the barrier after invocation 0 has added up the products of a token's key with itself.
    NoBarrierSolveDiag,
}

impl Variant {
    /// All variants, in catalogue order.
    pub const ALL: [Self; 6] = [
        Self::Chunked,
        Self::Serial,
        Self::NoBarrierMaterializeQ,
        Self::NoBarrierMaterializeK,
        Self::NoBarrierSolveKk,
        Self::NoBarrierSolveDiag,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chunked => "chunked",
            Self::Serial => "serial",
            Self::NoBarrierMaterializeQ => "no_barrier_materialize_q",
            Self::NoBarrierMaterializeK => "no_barrier_materialize_k",
            Self::NoBarrierSolveKk => "no_barrier_solve_kk",
            Self::NoBarrierSolveDiag => "no_barrier_solve_diag",
        }
    }

    /// The kernels whose order of operations the variant has: what its outputs are compared with.
    pub const fn path(self) -> Path {
        match self {
            Self::Serial => Path::Serial,
            _ => Path::Chunked,
        }
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        variant_named("gdn_chunked", &Self::ALL, Self::name, name)
    }
}

/// What the caller chooses besides the variant. Subgroups may have any size from 4 on: the WGSL source asks the device for
/// it, and the bits are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// How a multiply-add rounds. Denormals are the device's business.
    pub arithmetic: Arithmetic,
    /// Which source runs.
    pub language: Language,
}
