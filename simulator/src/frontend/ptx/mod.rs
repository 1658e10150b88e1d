//! PTX: the text that GPU compilers emit, as a register program.
//!
//! [`parse`] gives the module's syntax tree ([`ast`]), [`lower`] makes the program.

pub mod ast;
mod folded;
mod lower;
mod narrowed;
pub mod parse;
pub mod support;

use gridproof_launch::{Dispatch, Module};

use super::source::Source;
use crate::cast;
use crate::ir::Program;
use crate::outcome::SimulateError;

/// Lowers one entry point.
///
/// # Errors
/// See [`crate::frontend::lower`].
pub fn lower(module: &Module, dispatch: &Dispatch) -> Result<Program, SimulateError> {
    let gridproof_launch::Source::Ptx(text) = &module.source else {
        let source = Source::new(&module.name, None);
        return Err(source.unsupported_at((0, 0), format!("{} as PTX", module.source.language())));
    };
    let source = Source::new(&module.name, Some(text.clone()));
    let parsed = parse::parse(text).map_err(|error| refusal(&source, error))?;
    lower::lower(&parsed, &source, &module.files, dispatch)
}

/// An error of the parser, with line and column.
fn refusal(source: &Source, error: parse::ParseError) -> SimulateError {
    let at = source.line_column(cast::at(error.place.start));
    match error.unsupported {
        true => source.unsupported_at(at, error.message),
        false => source.error_at(at, error.message),
    }
}
