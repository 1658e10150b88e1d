//! Dispatcher of `gdn_chunked`: prefill of a gated delta net, from the projections to the output, in chunks of tokens or
//! token by token.
//!
//! Source: ohdearquant/lattice pull request 190. The kernels' headers say what the port keeps and what it maps anew.
//! [`dispatcher`] says which kernels run over which grids, [`launch()`] makes the launch, [`expectation()`] says what it
//! must be reported as, and [`parse_shape`] reads what the command line asks for.
//!
//! What is at stake: every sum over a workgroup goes through one scratch of one number a subgroup. On hardware that keeps
//! the subgroups of a workgroup in step, a barrier that is missing between two sums does not show.

pub mod dispatcher;
pub mod expectation;
pub mod launch;
pub mod request;
pub mod variant;

mod buffers;
mod entry;

pub use dispatcher::{Step, steps};
pub use entry::KERNEL;
pub use expectation::expectation;
pub use launch::{CUDA_MODULE_NAME, GRID_Y_LIMIT, MODULE_NAME, Refusal, launch};
pub use request::{MOST_ELEMENTS, MOST_SEQUENCES, Request, ShapeTextError, parse_shape};
pub use variant::{Options, Variant};

pub use crate::limits::{CUDA_GRID_LIMIT, WGSL_BUFFER_LIMIT, WGSL_GRID_LIMIT};
pub use crate::variant::UnknownVariant;
