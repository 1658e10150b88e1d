//! Snippets, lowered and printed: every construct gives exactly these instructions.

mod control;
mod memory;
mod refusals;
mod values;

use gridproof_launch::{Constant, Dispatch, Module, ModuleId, Source};

use crate::SimulateError;
use crate::ir::Program;

/// Lowers WGSL text for a dispatch of entry `main` with the given overrides.
pub(super) fn lowered_with(text: &str, constants: &[(&str, Constant)]) -> Result<Program, SimulateError> {
    let mut dispatch = Dispatch::new(ModuleId(0), "main", [1, 1, 1]);
    dispatch.constants = constants.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    super::lower(&Module::new("t.wgsl", Source::Wgsl(text.into())), &dispatch)
}

pub(super) fn lowered(text: &str) -> Program {
    match lowered_with(text, &[]) {
        Ok(program) => program,
        Err(error) => panic!("{error}"),
    }
}

/// The instructions of a module, without places, one per line.
pub(super) fn code(text: &str) -> String {
    instructions(&lowered(text))
}

pub(super) fn instructions(program: &Program) -> String {
    let text = program.to_string();
    let lines = text.lines().filter(|line| line.starts_with([' ', '>']));
    lines.map(|line| line.split(" ; ").next().unwrap_or("").trim_end().to_owned() + "\n").collect()
}

/// The instructions of `fn main` with this body, with `data: array<u32>` and `i` the invocation's index.
pub(super) fn body(text: &str) -> String {
    code(&format!(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @group(0) @binding(1) var<storage, read_write> reals: array<f32>;
         @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{ {text} }}"
    ))
}

/// The error that lowering gives.
pub(super) fn refusal(text: &str) -> String {
    match lowered_with(text, &[]) {
        Ok(program) => panic!("lowered to\n{program}"),
        Err(error) => error.to_string(),
    }
}

/// A listing without the numbers of rows, which depend on what else is alive.
pub(super) fn without_rows(text: &str) -> String {
    let mut shape = String::new();
    let mut characters = text.chars().peekable();
    let mut inside_word = false;
    while let Some(character) = characters.next() {
        shape.push(character);
        if character == 'r' && !inside_word {
            while characters.next_if(char::is_ascii_digit).is_some() {}
        }
        inside_word = character.is_alphanumeric() || character == '_';
    }
    shape.replace("r..r", "r")
}
