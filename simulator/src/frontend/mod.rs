//! Front ends: one module text or binary in, one [`crate::ir::Program`] out.

mod finish;
pub mod ptx;
mod source;
pub mod wgsl;

use gridproof_launch::{Dispatch, Launch, Source};

pub(crate) use finish::operands::{Role, each_operand};

use crate::ir::Program;
use crate::mutation;
use crate::outcome::SimulateError;

/// Lowers the entry point of one dispatch, specialised with its constants.
///
/// # Errors
/// [`SimulateError::Module`] when the text is not a valid module or lacks the entry point,
/// [`SimulateError::Unsupported`] when it uses what the simulator does not model.
pub fn lower(launch: &Launch, dispatch: &Dispatch) -> Result<Program, SimulateError> {
    let module = &launch.modules[dispatch.module.0];
    let mut program = match &module.source {
        Source::Wgsl(_) | Source::SpirV(_) | Source::Glsl(_) => wgsl::lower(module, dispatch)?,
        Source::Ptx(_) => ptx::lower(module, dispatch)?,
        Source::Cuda(_) => {
            return Err(SimulateError::Unsupported(crate::Unsupported {
                construct: format!("{} modules", module.source.language()),
                file: module.name.clone(),
                line: 0,
                column: 0,
            }));
        }
    };
    mutation::apply(&mut program, &module.edits);
    Ok(program)
}
