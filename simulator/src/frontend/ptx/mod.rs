//! PTX: the text that GPU compilers emit, as a register program.
//!
//! [`parse`] gives the module's syntax tree ([`ast`]).

pub mod ast;
mod lower;
pub mod parse;

use gridproof_launch::{Dispatch, Module, Source as Language};

use crate::frontend::source::Source;
use crate::ir::Program;
use crate::outcome::SimulateError;

/// Lowers one entry point.
///
/// # Errors
/// See [`crate::frontend::lower`].
pub fn lower(module: &Module, dispatch: &Dispatch) -> Result<Program, SimulateError> {
    let text = match &module.source {
        Language::Ptx(text) => text.clone(),
        _ => std::sync::Arc::from(""),
    };
    let source = Source::new(&module.name, Some(text.clone()));
    let tree = parse::parse(&text).map_err(|error| {
        let at = source.line_column(usize::try_from(error.place.start).unwrap_or(usize::MAX));
        if error.unsupported { source.unsupported_at(at, error.message) } else { source.error_at(at, error.message) }
    })?;
    lower::lower(&tree, &source, &module.files, dispatch)
}
