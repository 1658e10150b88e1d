//! Which opcodes of PTX are modelled, for people to read: `PTX.md` is made from it.
//!
//! Every file of the lowering lists what it takes; [`super::lower`] puts the lists together.

/// An opcode and its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtxOpcode {
    /// The word before the first dot.
    pub opcode: &'static str,
    /// Its modifiers, as the PTX ISA writes them: `{...}` may be left out, `a|b` is one of them.
    pub forms: &'static [&'static str],
}

/// Opcodes that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtxFamily {
    /// What they do.
    pub name: &'static str,
    /// Whether an invocation computes them from its own registers alone: then their meaning is tested row by row.
    pub scalar: bool,
    /// The opcodes.
    pub opcodes: &'static [PtxOpcode],
}

/// An entry of the lists.
pub(super) const fn opcode(opcode: &'static str, forms: &'static [&'static str]) -> PtxOpcode {
    PtxOpcode { opcode, forms }
}

/// Every opcode of PTX that is modelled, by family.
pub fn ptx_support() -> Vec<PtxFamily> {
    super::lower::SUPPORT.iter().flat_map(|families| families.iter().copied()).collect()
}
