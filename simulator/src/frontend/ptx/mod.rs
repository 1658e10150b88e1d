//! PTX: the text that GPU compilers emit, as a register program.
//!
//! [`parse`] gives the module's syntax tree ([`ast`]).

pub mod ast;
mod lower;
pub mod parse;
