//! Makes SPIR-V exact: decorates every float arithmetic result `NoContraction`.
//!
//! Rule: SPIR-V 1.6, section 3.20. `NoContraction` on the result of an arithmetic instruction forbids
//! combining it with another one; drivers take it as leave to neither contract `a * b + c` nor fold
//! `(a + b) - a`. It may stand on core arithmetic instructions only, so `fma` and the other extended
//! instructions are left as they are, and what a driver does inside those is not pinned down.
//!
//! The words are rewritten in one pass: decorations stand in the annotation section, which ends where
//! the first type, constant, variable or function begins. `RelaxedPrecision` decorations are dropped,
//! for they allow half precision. Reordering a tree of additions is not asked of any driver, and none
//! was seen to do it to a decorated one.

use std::collections::BTreeSet;

/// Words that are not a SPIR-V module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than a header, or another first word than SPIR-V's in this byte order.
    #[error("not a SPIR-V module")]
    NoHeader,
    /// An instruction that is empty or longer than what is left.
    #[error("the instruction at word {word} is malformed")]
    Instruction {
        /// Position of its first word.
        word: usize,
    },
}

const MAGIC: u32 = 0x0723_0203;
const HEADER_WORDS: usize = 5;

const NO_CONTRACTION: u32 = 42;
const RELAXED_PRECISION: u32 = 0;

/// Instructions by their number in section 3.49 of the specification.
mod op {
    pub(super) const LINE: u32 = 8;
    pub(super) const TYPE_VOID: u32 = 19;
    pub(super) const TYPE_FORWARD_POINTER: u32 = 39;
    pub(super) const CONSTANT_TRUE: u32 = 41;
    pub(super) const SPEC_CONSTANT_OP: u32 = 52;
    pub(super) const FUNCTION: u32 = 54;
    pub(super) const VARIABLE: u32 = 59;
    pub(super) const DECORATE: u32 = 71;
    pub(super) const MEMBER_DECORATE: u32 = 72;
    pub(super) const UNDEF: u32 = 1;
    pub(super) const F_NEGATE: u32 = 127;
    pub(super) const F_ADD: u32 = 129;
    pub(super) const F_SUB: u32 = 131;
    pub(super) const F_MUL: u32 = 133;
    pub(super) const F_DIV: u32 = 136;
    pub(super) const F_REM: u32 = 140;
    pub(super) const F_MOD: u32 = 141;
    pub(super) const VECTOR_TIMES_SCALAR: u32 = 142;
    pub(super) const DOT: u32 = 148;
}

/// The same module with `NoContraction` on every float arithmetic result that may carry it.
///
/// # Errors
/// When the words are not a SPIR-V module.
pub fn forbid_contraction(words: &[u32]) -> Result<Vec<u32>, Malformed> {
    if words.len() < HEADER_WORDS || words[0] != MAGIC {
        return Err(Malformed::NoHeader);
    }
    let mut results = BTreeSet::new();
    let mut exact = words[..HEADER_WORDS].to_vec();
    let mut annotations_end = None;
    for instruction in instructions(words) {
        let instruction = instruction?;
        let opcode = instruction[0] & 0xFFFF;
        if begins_declarations(opcode) {
            annotations_end.get_or_insert(exact.len());
        }
        if is_float_arithmetic(opcode) && instruction.len() > 2 {
            results.insert(instruction[2]);
        }
        if !is_dropped(opcode, instruction) {
            exact.extend_from_slice(instruction);
        }
    }
    let at = annotations_end.unwrap_or(exact.len());
    exact.splice(at..at, results.into_iter().flat_map(decoration));
    Ok(exact)
}

/// How many results of a module carry `NoContraction`.
///
/// # Errors
/// When the words are not a SPIR-V module.
pub fn count_no_contraction(words: &[u32]) -> Result<usize, Malformed> {
    instructions(words).try_fold(0, |count, instruction| Ok(count + usize::from(is_no_contraction(instruction?))))
}

fn instructions(words: &[u32]) -> impl Iterator<Item = Result<&[u32], Malformed>> {
    let mut at = HEADER_WORDS;
    std::iter::from_fn(move || {
        let first = *words.get(at)?;
        let length = usize::try_from(first >> 16).unwrap_or(0);
        let word = at;
        match words.get(at..at + length) {
            Some(instruction) if length > 0 => {
                at += length;
                Some(Ok(instruction))
            }
            _ => {
                at = words.len();
                Some(Err(Malformed::Instruction { word }))
            }
        }
    })
}

fn decoration(result: u32) -> [u32; 3] {
    [(3 << 16) | op::DECORATE, result, NO_CONTRACTION]
}

fn is_no_contraction(instruction: &[u32]) -> bool {
    instruction[0] & 0xFFFF == op::DECORATE && instruction.get(2) == Some(&NO_CONTRACTION)
}

/// Relaxed precision goes, and so does a `NoContraction` that is already there: it is set anew.
fn is_dropped(opcode: u32, instruction: &[u32]) -> bool {
    let relaxed = match opcode {
        op::DECORATE => instruction.get(2),
        op::MEMBER_DECORATE => instruction.get(3),
        _ => None,
    };
    relaxed == Some(&RELAXED_PRECISION) || is_no_contraction(instruction)
}

/// Whether an instruction stands behind the annotation section.
fn begins_declarations(opcode: u32) -> bool {
    matches!(
        opcode,
        op::TYPE_VOID..=op::TYPE_FORWARD_POINTER
            | op::CONSTANT_TRUE..=op::SPEC_CONSTANT_OP
            | op::FUNCTION
            | op::VARIABLE
            | op::UNDEF
            | op::LINE
    )
}

/// `OpVectorTimesScalar` to `OpDot` are one block: the products of vectors and matrices.
fn is_float_arithmetic(opcode: u32) -> bool {
    matches!(opcode, op::F_NEGATE | op::F_ADD | op::F_SUB | op::F_MUL | op::F_DIV | op::F_REM | op::F_MOD)
        || (op::VECTOR_TIMES_SCALAR..=op::DOT).contains(&opcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruction(opcode: u32, operands: &[u32]) -> Vec<u32> {
        let length = u32::try_from(operands.len() + 1).unwrap_or(0);
        let mut words = vec![(length << 16) | opcode];
        words.extend_from_slice(operands);
        words
    }

    fn module(body: &[Vec<u32>]) -> Vec<u32> {
        let mut words = vec![MAGIC, 0x0001_0300, 0, 100, 0];
        words.extend(body.iter().flatten());
        words
    }

    #[test]
    fn decorations_come_before_the_first_type_and_once_a_result() {
        let existing = instruction(op::DECORATE, &[9, 33, 0]);
        let float = instruction(22, &[1, 32]);
        let add = instruction(op::F_ADD, &[1, 50, 10, 11]);
        let dot = instruction(op::DOT, &[1, 51, 10, 11]);
        let integer = instruction(128, &[2, 52, 10, 11]);
        let words = module(&[existing.clone(), float.clone(), add.clone(), dot.clone(), integer.clone()]);
        let (on_add, on_dot) = (decoration(50).to_vec(), decoration(51).to_vec());
        let exact = module(&[existing, on_add, on_dot, float, add, dot, integer]);
        assert_eq!(forbid_contraction(&words), Ok(exact.clone()));
        assert_eq!(forbid_contraction(&exact), Ok(exact), "a second pass changes nothing");
    }

    #[test]
    fn every_float_arithmetic_instruction_is_decorated_and_no_other() {
        let decorated: Vec<u32> = (1..1000).filter(|&opcode| is_float_arithmetic(opcode)).collect();
        assert_eq!(decorated, [127, 129, 131, 133, 136, 140, 141, 142, 143, 144, 145, 146, 147, 148]);
    }

    #[test]
    fn relaxed_precision_goes() {
        let relaxed = instruction(op::DECORATE, &[50, RELAXED_PRECISION]);
        let member = instruction(op::MEMBER_DECORATE, &[60, 0, RELAXED_PRECISION]);
        let offset = instruction(op::MEMBER_DECORATE, &[60, 0, 35, 0]);
        assert_eq!(forbid_contraction(&module(&[relaxed, member, offset.clone()])), Ok(module(&[offset])));
    }

    #[test]
    fn words_that_are_no_module_are_refused() {
        assert_eq!(forbid_contraction(&[1, 2, 3, 4, 5]), Err(Malformed::NoHeader));
        assert_eq!(forbid_contraction(&module(&[vec![0]])), Err(Malformed::Instruction { word: 5 }));
        assert_eq!(forbid_contraction(&module(&[vec![9 << 16 | 129]])), Err(Malformed::Instruction { word: 5 }));
    }

    #[test]
    fn a_module_written_by_naga_keeps_its_order_of_sections() -> Result<(), Box<dyn std::error::Error>> {
        let source = "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
            @compute @workgroup_size(1) fn main() { x[0] = (x[0] + x[1]) * x[2] - fma(x[0], x[1], x[2]); }";
        let module = naga::front::wgsl::parse_str(source)?;
        let mut validator = naga::valid::Validator::new(Default::default(), Default::default());
        let info = validator.validate(&module)?;
        let words = naga::back::spv::write_vec(&module, &info, &Default::default(), None)?;
        let exact = forbid_contraction(&words)?;
        assert_eq!(count_no_contraction(&words)?, 0);
        assert_eq!(count_no_contraction(&exact)?, 3);
        let opcodes = |words: &[u32]| -> Result<Vec<u32>, Malformed> {
            instructions(words).map(|instruction| Ok(instruction?[0] & 0xFFFF)).collect()
        };
        let order = opcodes(&exact)?;
        let last_decoration = order.iter().rposition(|&opcode| opcode == op::DECORATE);
        let first_type = order.iter().position(|&opcode| begins_declarations(opcode));
        assert!(last_decoration < first_type, "{last_decoration:?} {first_type:?}");
        Ok(())
    }
}
