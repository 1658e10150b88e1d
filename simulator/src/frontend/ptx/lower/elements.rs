//! What one element of an untyped shared array is: compilers declare every shared variable as an array of `.b8`.
//!
//! An array whose accesses all have one size, at multiples of it as far as constants say, consists of elements of that
//! size; any other of bytes. Which registers can hold the address of which variable is followed by name through all
//! instructions of the reachable functions, without looking at the order in which they run; addresses that are stored or
//! passed to a function are not followed, and their variables stay bytes. Only reports depend on this.

use std::collections::{BTreeSet, HashMap};

use super::layout::mentioned_by;
use crate::frontend::ptx::ast::{Function, Instruction, Operand, StateSpace, Statement, Type, Variable};

/// Variables by their number in [`Elements::variables`].
type Set = BTreeSet<usize>;

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Elements<'t> {
    /// Bytes of an element, by name. Two variables of one name are taken as one.
    sizes: HashMap<&'t str, u64>,
}

impl<'t> Elements<'t> {
    /// Looks at all accesses of some functions to the shared variables of a module and their own.
    pub(super) fn of(module: &[Variable<'t>], functions: &[&Function<'t>]) -> Self {
        let mut names: Vec<&'t str> =
            module.iter().filter(|variable| is_untyped(variable)).map(|v| v.name.text).collect();
        let mut instructions = Vec::new();
        for function in functions {
            collect(function.body.as_deref().unwrap_or_default(), &mut names, &mut instructions);
        }
        let mut found = Accesses::new(names);
        if found.variables.is_empty() {
            return Self::default();
        }
        while instructions.iter().fold(false, |changed, instruction| found.follow(instruction) | changed) {}
        for instruction in instructions {
            found.note(instruction);
        }
        Self { sizes: found.sizes() }
    }

    /// Bytes of one element of a variable that has so many bytes and this alignment; `declared` where nothing says more.
    pub(super) fn size(&self, variable: &Variable<'t>, declared: u64, alignment: u64) -> u64 {
        let size = self.sizes.get(variable.name.text).filter(|_| is_untyped(variable));
        size.copied().filter(|&size| alignment.is_multiple_of(size)).unwrap_or(declared)
    }
}

fn is_untyped(variable: &Variable<'_>) -> bool {
    variable.space == StateSpace::Shared && variable.ty == Type::B8 && variable.vector == 1
}

fn collect<'m, 't>(
    statements: &'m [Statement<'t>],
    names: &mut Vec<&'t str>,
    instructions: &mut Vec<&'m Instruction<'t>>,
) {
    for statement in statements {
        match statement {
            Statement::Variable(variable) if is_untyped(variable) => names.push(variable.name.text),
            Statement::Instruction(instruction) => instructions.push(instruction),
            Statement::Block(inner) => collect(inner, names, instructions),
            _ => {}
        }
    }
}

/// What is known of one variable.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The size of its accesses so far.
    size: Option<u64>,
    /// The alignment that all constant offsets and copies keep, as the bits that are set in one of them.
    offsets: u64,
    /// Whether it is accessed in more than one way, or in an unknown one.
    mixed: bool,
}

struct Accesses<'t> {
    variables: HashMap<&'t str, usize>,
    known: Vec<Known>,
    registers: HashMap<&'t str, Set>,
}

impl<'t> Accesses<'t> {
    fn new(mut names: Vec<&'t str>) -> Self {
        names.sort_unstable();
        names.dedup();
        let known = vec![Known::default(); names.len()];
        let variables = names.into_iter().zip(0..).collect();
        Self { variables, known, registers: HashMap::new() }
    }

    /// The variables whose address an operand can be or lead to.
    fn set(&self, operand: &Operand<'t>) -> Set {
        let mut names = Vec::new();
        mentioned_by(operand, &mut names);
        let mut set = Set::new();
        for name in names {
            set.extend(self.variables.get(name));
            set.extend(self.registers.get(name).into_iter().flatten());
        }
        set
    }

    /// Lets results have the addresses that operands have. Whether there was a new one.
    fn follow(&mut self, instruction: &Instruction<'t>) -> bool {
        if instruction.operands.iter().any(is_bracketed) {
            return false;
        }
        let Some((results, operands)) = instruction.operands.split_first() else { return false };
        let set: Set = operands.iter().flat_map(|operand| self.set(operand)).collect();
        let mut names = Vec::new();
        mentioned_by(results, &mut names);
        let mut changed = false;
        for name in names.into_iter().filter(|_| !set.is_empty()) {
            let known = self.registers.entry(name).or_default();
            let before = known.len();
            known.extend(&set);
            changed |= known.len() > before;
        }
        changed
    }

    /// Notes what an instruction does to the variables that it can touch.
    fn note(&mut self, instruction: &Instruction<'t>) {
        let opcode = instruction.opcode.text;
        let has = |word: &str| instruction.modifiers.iter().any(|modifier| modifier.text == word);
        let is_shared = instruction.modifiers.iter().any(|modifier| modifier.text.starts_with("shared"));
        let size = match opcode {
            "ld" | "st" | "atom" | "red" => instruction.modifiers.iter().rev().find_map(|word| Type::parse(word.text)),
            _ => None,
        };
        let size = size.map(|ty| u64::from(ty.bits() / 8));
        let copies = opcode == "cp" && has("async");
        let copied = instruction.operands.iter().find_map(|operand| match operand {
            Operand::Integer { bits, .. } if copies => Some(*bits),
            _ => None,
        });
        for operand in &instruction.operands {
            let Operand::Address { offset, brackets: true, .. } = operand else {
                // An address that is stored, or passed on, is lost.
                if opcode == "call" || instruction.operands.iter().any(is_bracketed) {
                    self.set(operand).into_iter().for_each(|variable| self.known[variable].mixed = true);
                }
                continue;
            };
            let mut touched = self.set(operand);
            if touched.is_empty() && is_shared && size.is_some() {
                touched.extend(0..self.known.len());
            }
            for variable in touched {
                let known = &mut self.known[variable];
                known.offsets |= offset.unsigned_abs() | copied.unwrap_or(0);
                match size {
                    Some(size) => known.mixed |= *known.size.get_or_insert(size) != size,
                    None => known.mixed |= copied.is_none(),
                }
            }
        }
    }

    fn sizes(&self) -> HashMap<&'t str, u64> {
        let size = |(&name, &at): (&&'t str, &usize)| {
            let known = self.known.get(at).filter(|known| !known.mixed)?;
            let size = known.size.filter(|&size| size > 0 && known.offsets.is_multiple_of(size))?;
            Some((name, size))
        };
        self.variables.iter().filter_map(size).collect()
    }
}

const fn is_bracketed(operand: &Operand<'_>) -> bool {
    matches!(operand, Operand::Address { brackets: true, .. })
}
