//! What parses, as what, and what does not. Messages are tested in `tests/ptx_malformed`.

mod constants;
mod forms;
mod mutation;
mod print;

use super::{ParseError, parse};
use crate::frontend::ptx::ast::{Module, Operand, Statement};
use print::print;

/// A module with every form of the grammar.
const EVERY_FORM: &str = include_str!("every_form.ptx");

/// A module with one kernel of this body.
fn kernel(body: &str) -> String {
    format!(".version 8.5\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 k_param_0) {{\n{body}\n}}\n")
}

/// The first operand of the first instruction of this body, as `Debug` prints it, without its places.
fn first_operand(body: &str) -> String {
    let text = kernel(body);
    let module = parse(&text).unwrap();
    let statements = module.functions[0].body.as_deref().unwrap();
    let mut instructions = statements.iter().filter_map(|statement| match statement {
        Statement::Instruction(instruction) => Some(instruction),
        _ => None,
    });
    let operand: &Operand<'_> = &instructions.next().unwrap().operands[0];
    without_places(&format!("{operand:?}"))
}

/// The refusal of a kernel with this body.
fn refusal(body: &str) -> ParseError {
    parse(&kernel(body)).unwrap_err()
}

/// The `Debug` text of a syntax tree, with all places made equal.
fn without_places(debug: &str) -> String {
    let mut parts = debug.split("Place { start: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "Place" + part.split_once('}').map_or("", |(_, rest)| rest))
}

/// Asserts that printing and parsing again gives the same tree.
fn round_trip(module: &Module<'_>) {
    let printed = print(module);
    let again = parse(&printed).unwrap_or_else(|error| panic!("{error:?} in\n{printed}"));
    assert_eq!(without_places(&format!("{module:?}")), without_places(&format!("{again:?}")), "{printed}");
    assert_eq!(print(&again), printed);
}
