//! WGSL, SPIR-V and GLSL through naga.

use gridproof_launch::{Dispatch, Module};

use crate::ir::Program;
use crate::outcome::SimulateError;

/// Lowers one entry point.
///
/// # Errors
/// See [`crate::frontend::lower`].
pub fn lower(module: &Module, _dispatch: &Dispatch) -> Result<Program, SimulateError> {
    Err(SimulateError::Unsupported(crate::Unsupported {
        construct: "everything".to_owned(),
        file: module.name.clone(),
        line: 0,
        column: 0,
    }))
}
