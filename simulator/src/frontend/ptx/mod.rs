//! PTX: the text that GPU compilers emit, as a register program.
//!
//! [`parse`] gives the module's syntax tree ([`ast`]).

pub mod ast;
pub mod parse;

use gridproof_launch::{Dispatch, Module};

use super::source::Source;
use crate::cast;
use crate::ir::Program;
use crate::outcome::SimulateError;

/// Lowers one entry point.
///
/// # Errors
/// See [`crate::frontend::lower`].
pub fn lower(module: &Module, _dispatch: &Dispatch) -> Result<Program, SimulateError> {
    let gridproof_launch::Source::Ptx(text) = &module.source else {
        let source = Source::new(&module.name, None);
        return Err(source.unsupported_at((0, 0), format!("{} as PTX", module.source.language())));
    };
    let source = Source::new(&module.name, Some(text.clone()));
    let parsed = parse::parse(text).map_err(|error| refusal(&source, error))?;
    let first = parsed.functions.first().map_or(0, |function| function.place.start);
    Err(source.unsupported_at(source.line_column(cast::at(first)), "lowering PTX"))
}

/// An error of the parser, with line and column.
fn refusal(source: &Source, error: parse::ParseError) -> SimulateError {
    let at = source.line_column(cast::at(error.place.start));
    match error.unsupported {
        true => source.unsupported_at(at, error.message),
        false => source.error_at(at, error.message),
    }
}
