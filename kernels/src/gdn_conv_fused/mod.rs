//! Dispatcher of `gdn_conv_fused`: one decode step of a gated delta net, from the projections to the output, with a
//! causal convolution and two pools of states.
//!
//! Source: intel/llm-scaler pull request 356. The kernels' headers say what the port keeps and what it maps anew.
//! [`dispatcher`] has the rules by which blocks of channels go to teams and by which the shift is made, [`launch()`] makes
//! the launch, [`expectation()`] says what it must be reported as, and [`parse_shape`] reads what the command line asks
//! for.
//!
//! What is at stake: every workgroup of a request reads rows of the convolution's state that somebody must shift. A
//! launch of its own ([`Variant::Split`]) does that without a race; the workgroup of value head 0 does it
//! while others may still read ([`Variant::Inline`]).

pub mod dispatcher;
pub mod expectation;
pub mod launch;
pub mod request;
pub mod variant;

mod buffers;
mod entry;

pub use dispatcher::{Blocks, Choice, Shift, choose};
pub use entry::KERNEL;
pub use expectation::expectation;
pub use launch::{CUDA_MODULE_NAME, MODULE_NAME, Refusal, launch};
pub use request::{Gates, MOST_REQUESTS, Request, ShapeTextError, parse_shape};
pub use variant::{Options, Variant};

pub use crate::limits::{CUDA_GRID_LIMIT, WGSL_BUFFER_LIMIT, WGSL_GRID_LIMIT};
pub use crate::variant::{Reduction, UnknownVariant};
