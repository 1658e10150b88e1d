//! The modifiers of one instruction, taken off one by one: what is left over is refused by name.

use crate::frontend::ptx::ast::{Instruction, Name, Place, Type};

/// See the file's head. Modifiers are taken in the order in which they stand.
#[derive(Debug)]
pub(super) struct Words<'i, 't> {
    instruction: &'i Instruction<'t>,
    next: usize,
}

impl<'i, 't> Words<'i, 't> {
    pub(super) const fn new(instruction: &'i Instruction<'t>) -> Self {
        Self { instruction, next: 0 }
    }

    /// The next modifier, which stays.
    pub(super) fn peek(&self) -> Option<&'t str> {
        self.instruction.modifiers.get(self.next).map(|name| name.text)
    }

    /// Takes the next modifier if it is this one.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.next += usize::from(found);
        found
    }

    /// Takes the next modifier if it is one of these.
    pub(super) fn take_any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let next = self.peek()?;
        let found = words.iter().copied().find(|&word| word == next)?;
        self.next += 1;
        Some(found)
    }

    /// Takes the next modifier if it is the name of a type.
    pub(super) fn take_type(&mut self) -> Option<Type> {
        let ty = self.peek().and_then(Type::parse)?;
        self.next += 1;
        Some(ty)
    }

    /// Takes the next modifier, whatever it is.
    pub(super) fn take_next(&mut self) -> Option<Name<'t>> {
        let name = self.instruction.modifiers.get(self.next).copied();
        self.next += usize::from(name.is_some());
        name
    }

    /// The first modifier nobody took.
    pub(super) fn rest(&self) -> Option<Name<'t>> {
        self.instruction.modifiers.get(self.next).copied()
    }

    /// Where the next modifier stands, or the opcode when there is none.
    pub(super) fn place(&self) -> Place {
        self.rest().map_or(self.instruction.opcode.place, |name| name.place)
    }
}
