//! `conv1d_qkv_split`: the short causal convolution of a prefill, with SiLU, split into q, k and v.
//!
//! Source: lightseekorg/tokenspeed pull request 382; the convolution is vLLM's and sglang's. The kernels' headers say
//! what the port keeps and what it maps anew. [`dispatcher`] has the rules by which a kernel is chosen and the tables of
//! chunks, [`launch()`] makes the launch, [`expectation()`] says what it must be reported as, and [`parse_shape`] reads
//! what the command line asks for.

pub mod dispatcher;
pub mod expectation;
pub mod launch;
pub mod request;
pub mod variant;

mod buffers;
mod entry;
mod misrouted;

pub use dispatcher::{Chunks, Path, block_routable, choose};
pub use entry::KERNEL;
pub use expectation::expectation;
pub use launch::{CUDA_MODULE_NAME, GRID_Y_LIMIT, MODULE_NAME, Refusal, launch};
pub use request::{MOST_ELEMENTS, Request, ShapeTextError, parse_shape};
pub use variant::{Options, Variant};
