//! Other work on the device while a launch runs: workgroups that only hold their places for a while, so that those of
//! the launch start late, and not together.

use std::rc::Rc;

use super::context::Context;
use super::graph::Node;
use super::module::{Image, LoadedModule};
use crate::RunError;

/// The kernel that waits. Its text is old enough for every driver.
const PTX: &str = include_str!("company.ptx");

/// How much other work there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// Workgroups.
    pub workgroups: u32,
    /// Invocations of each, 1,024 at most.
    pub invocations: u32,
    /// The longest that one holds its place.
    pub nanoseconds: u32,
}

/// The module of the kernel that waits, and the node that runs it.
pub(super) fn node(context: &Rc<Context>, company: Company) -> Result<(LoadedModule, Node), RunError> {
    let module = LoadedModule::load(context, "company.ptx", Image::Ptx(PTX))?;
    let kernel = module.kernel("company")?;
    let kernel = kernel.ok_or_else(|| RunError::Internal("`company` is not there".to_owned()))?;
    let node = Node {
        kernel,
        grid: [company.workgroups.max(1), 1, 1],
        workgroup: [company.invocations.clamp(1, 1024), 1, 1],
        dynamic_bytes: 0,
        parameters: vec![company.nanoseconds.to_le_bytes().to_vec()],
    };
    Ok((module, node))
}
