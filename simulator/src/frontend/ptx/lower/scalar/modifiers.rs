//! Modifiers that several opcodes share.

use crate::frontend::ptx::ast::Instruction;
use crate::frontend::ptx::lower::words::Words;
use crate::ir::{Clamp, Rounding};

/// Whether one of the modifiers is a floating-point type.
pub(super) fn is_float(instruction: &Instruction<'_>) -> bool {
    let floats = ["f16", "f16x2", "bf16", "bf16x2", "f32", "f32x2", "f64"];
    instruction.modifiers.iter().any(|name| floats.contains(&name.text))
}

/// The modifiers that stand before the types, in any order.
#[derive(Debug, Default)]
pub(super) struct Flags(Vec<&'static str>);

impl Flags {
    /// Takes those of `allowed` that come next.
    pub(super) fn take(words: &mut Words<'_, '_>, allowed: &[&'static str]) -> Self {
        let mut flags = Self::default();
        while let Some(word) = words.take_any(allowed) {
            flags.0.push(word);
        }
        flags
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    /// `.rn`, `.rz`, `.rm` or `.rp`, where one stands.
    pub(super) fn rounding(&self) -> Option<Rounding> {
        self.0.iter().find_map(|word| match *word {
            "rn" => Some(Rounding::NearestEven),
            "rz" => Some(Rounding::TowardsZero),
            "rm" => Some(Rounding::Down),
            "rp" => Some(Rounding::Up),
            _ => None,
        })
    }

    /// `.rni`, `.rzi`, `.rmi` or `.rpi`, where one stands.
    pub(super) fn to_integer(&self) -> Option<Rounding> {
        self.0.iter().find_map(|word| match *word {
            "rni" => Some(Rounding::NearestEven),
            "rzi" => Some(Rounding::TowardsZero),
            "rmi" => Some(Rounding::Down),
            "rpi" => Some(Rounding::Up),
            _ => None,
        })
    }

    /// What `.sat` and `.relu` ask for.
    pub(super) fn clamp(&self) -> Clamp {
        if self.has("sat") {
            Clamp::Unit
        } else if self.has("relu") {
            Clamp::Positive
        } else {
            Clamp::Free
        }
    }
}
