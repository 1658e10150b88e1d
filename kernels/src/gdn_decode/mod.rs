//! Dispatcher of `gdn_decode`: the gated delta rule over a pool of states, for one to eight tokens a request.
//!
//! Source: flashinfer pull requests 3147, 3145 and 3230. The kernels' headers say what the port keeps and what it maps
//! anew. [`dispatcher`] has the rules by which a kernel and its tile are chosen, [`launch()`] makes the launch,
//! [`expectation()`] says what it must be reported as, and [`parse_shape`] reads what the command line asks for.
//!
//! Two differences from upstream matter to a reader:
//!
//! * Updating the pool and caching intermediate states are independent, whichever kernel runs. (Upstream's wide kernel
//!   does not store the final state when it caches; its fallback does.)
//! * The f32 kernel takes up to eight tokens, as the bf16 ones do.

pub mod dispatcher;
pub mod expectation;
pub mod launch;
pub mod request;
pub mod variant;

mod buffers;
mod entry;

pub use dispatcher::{Choice, choose};
pub use entry::KERNEL;
pub use expectation::expectation;
pub use launch::{CUDA_MODULE_NAME, MODULE_NAME, Refusal, launch};
pub use request::{Gates, MOST_REQUESTS, Request, ShapeTextError, parse_shape};
pub use variant::{Options, Variant};

pub use crate::limits::{CUDA_GRID_LIMIT, WGSL_BUFFER_LIMIT, WGSL_GRID_LIMIT};
pub use crate::variant::{Reduction, UnknownVariant};
