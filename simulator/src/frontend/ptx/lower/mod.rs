//! From the syntax tree to a register program.
//!
//! Every register becomes rows of its own, every call is inlined (recursion is refused), every kernel parameter is the
//! constant that the launch gives. Opcodes are lowered by kind: [`scalar`] for what an invocation computes from its own
//! registers, and so on. What no one takes is refused by name, with its place.

mod addresses;
mod body;
mod elements;
mod emit;
mod fragments;
mod layout;
mod matrix;
mod memory;
mod registers;
mod scalar;
mod spans;
mod special;
mod synchronise;
mod table;
mod warp;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use gridproof_launch::{Arithmetic, Dispatch};

use self::body::Frame;
use self::elements::Elements;
use self::layout::{Memory, Parameter, Reach};
use self::spans::{Files, Spans};

use self::emit::Emitter;
use self::registers::{Register, Registers, rows_of};
use self::words::Words;
use super::ast::{Function, Instruction, Module, Name, Operand, Place, StateSpace, Type};
use super::support::PtxFamily;
use crate::frontend::finish::{self, rows};
use crate::frontend::source::Source;
use crate::ir::{BinaryOp, Binding, Instr, Program, Reg, Scalar, SpanId};
use crate::outcome::SimulateError;

/// What each file of the lowering takes.
pub(super) const SUPPORT: &[&[PtxFamily]] = &[scalar::FAMILIES, matrix::FAMILIES, table::FAMILIES];

/// A step of the lowering: what it gives, or why the module is refused.
pub(super) type Lowered<T> = Result<T, SimulateError>;

/// Where a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// Its state space.
    pub(super) space: StateSpace,
    /// Its address in that space.
    pub(super) address: u64,
    /// Bytes.
    pub(super) length: u64,
}

/// One kernel being lowered.
struct Lowerer<'m, 't> {
    module: &'m Module<'t>,
    source: &'m Source,
    emitter: Emitter,
    registers: Registers<'t>,
    /// Variables by name, innermost scope last.
    symbols: Vec<HashMap<&'t str, Symbol>>,
    /// Variables of functions that exist once, by where they are declared.
    statics: HashMap<u32, Symbol>,
    /// Operations whose bits devices compute differently.
    approximations: Vec<(String, SpanId)>,
    /// What the launch must bind, and what the module defines itself.
    bindings: Vec<Binding>,
    /// Regions given out.
    regions: u64,
    /// Dynamic workgroup memory.
    dynamic_bytes: u32,
    /// Kernel parameters by their address.
    parameters: HashMap<u64, Parameter>,
    /// Workgroup memory.
    memory: Memory,
    /// What its untyped arrays consist of.
    elements: Elements<'t>,
    /// Where the system's part of it begins, if the kernel asks.
    reserved: Option<u64>,
    /// Private memory.
    private: Memory,
    spans: Spans,
    files: Files,
    /// Bodies being inlined, the kernel first.
    frames: Vec<Frame<'t>>,
}

/// Lowers one kernel of a module for one dispatch.
pub(super) fn lower(
    module: &Module<'_>,
    source: &Source,
    known: &[(String, Arc<str>)],
    dispatch: &Dispatch,
) -> Lowered<Program> {
    let entry = find_entry(module, source, &dispatch.entry)?;
    let mut files = Files::new(&source.name, source.text.clone().unwrap_or_else(|| Arc::from("")));
    for file in &module.files {
        files.add(file.index, &file.name, known);
    }
    let mut lowerer = Lowerer {
        module,
        source,
        emitter: Emitter::new(),
        registers: Registers::default(),
        symbols: Vec::new(),
        statics: HashMap::new(),
        approximations: Vec::new(),
        bindings: Vec::new(),
        regions: 0,
        dynamic_bytes: dispatch.dynamic_workgroup_bytes,
        parameters: HashMap::new(),
        memory: Memory::default(),
        elements: Elements::default(),
        reserved: None,
        private: Memory::default(),
        spans: Spans::default(),
        files,
        frames: Vec::new(),
    };
    if module.address_size != 64 {
        let message = format!("`.address_size {}`: addresses have 64 bits", module.address_size);
        return Err(lowerer.unsupported(Place::default(), message));
    }
    let workgroup_size = lowerer.workgroup_size(entry, dispatch)?;
    let nowhere = lowerer.span_at(entry.name.place);
    lowerer.emitter.at(nowhere);
    let reach = Reach::new(entry, &module.functions);
    lowerer.place_module(&reach, dispatch)?;
    lowerer.kernel(entry)?;
    Ok(lowerer.finish(entry, workgroup_size, dispatch))
}

fn find_entry<'m, 't>(module: &'m Module<'t>, source: &Source, name: &str) -> Lowered<&'m Function<'t>> {
    let entries = || module.functions.iter().filter(|function| function.is_entry && function.body.is_some());
    if let Some(entry) = entries().find(|entry| entry.name.text == name) {
        return Ok(entry);
    }
    let names: Vec<String> = entries().map(|entry| format!("`{}`", entry.name.text)).collect();
    let known = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    Err(source.error_at((0, 0), format!("there is no entry point `{name}` in the module: {known}")))
}

/// A length as 64 bits.
fn wide(length: usize) -> u64 {
    crate::cast::wide(length)
}

impl<'t> Lowerer<'_, 't> {
    /// What the launch says, within what the kernel allows.
    fn workgroup_size(&self, entry: &Function<'t>, dispatch: &Dispatch) -> Lowered<[u32; 3]> {
        let name = entry.name;
        let Some(size) = dispatch.workgroup.or(entry.required_size) else {
            return Err(self.invalid(name.place, format!("the launch gives no workgroup size for `{}`", name.text)));
        };
        if let Some(required) = entry.required_size.filter(|required| *required != size) {
            let message = format!("`{}` must be launched with workgroups of {required:?}, not {size:?}", name.text);
            return Err(self.invalid(name.place, message));
        }
        let count =
            |size: [u32; 3]| size.iter().fold(1_u64, |all, &extent| all.saturating_mul(u64::from(extent.max(1))));
        if let Some(largest) = entry.largest_size.filter(|largest| count(size) > count(*largest)) {
            let message =
                format!("`{}` may be launched with {} threads at most, not {}", name.text, count(largest), count(size));
            return Err(self.invalid(name.place, message));
        }
        Ok(size)
    }

    fn finish(mut self, entry: &Function<'t>, workgroup_size: [u32; 3], dispatch: &Dispatch) -> Program {
        let small = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).next_multiple_of(4);
        let mut unfinished = std::mem::replace(&mut self.emitter, Emitter::new()).into_unfinished();
        finish::mark_variables(&mut unfinished);
        let laid = finish::finish(unfinished);
        let mut program = Program {
            entry: entry.name.text.to_owned(),
            files: self.files.into_list(),
            code: laid.code,
            span_of: laid.span_of,
            spans: self.spans.into_list(),
            rows: laid.rows,
            constants: laid.constants,
            narrowed: Vec::new(),
            folded: Vec::new(),
            zeroed: Vec::new(),
            tables: laid.tables,
            bindings: self.bindings,
            workgroup_size,
            workgroup_bytes: small(self.memory.bytes),
            workgroup_zeroed: false,
            workgroup_variables: self.memory.variables,
            private_bytes: small(self.private.bytes),
            private_zeroed: false,
            private_variables: self.private.variables,
            strict_barriers: false,
            arithmetic: Some(Arithmetic::FUSED),
            subgroup_size: Some(32),
            nan: 0x7fff_ffff,
            signs_known: false,
            approximations: Some(self.approximations),
        };
        crate::pointees::note(&mut program);
        super::narrowed::note(&mut program);
        if super::folded::can_matter(dispatch) {
            super::folded::note(&mut program);
        }
        rows::share(&mut program);
        program
    }

    /// The module is not valid PTX.
    fn invalid(&self, place: Place, message: impl Into<String>) -> SimulateError {
        self.source.error_at(self.position(place), message)
    }

    /// The module uses what the simulator does not model.
    fn unsupported(&self, place: Place, construct: impl Into<String>) -> SimulateError {
        self.source.unsupported_at(self.position(place), construct)
    }

    fn position(&self, place: Place) -> (u32, u32) {
        self.source.line_column(usize::try_from(place.start).unwrap_or(usize::MAX))
    }

    /// Refuses a modifier that nobody took.
    fn finish_words(&self, words: &Words<'_, 't>, instruction: &Instruction<'t>) -> Lowered<()> {
        match words.rest() {
            None => Ok(()),
            Some(name) => Err(self.unsupported(name.place, format!("`.{}` of `{}`", name.text, written(instruction)))),
        }
    }

    /// Records that devices compute this operation differently.
    fn approximate(&mut self, instruction: &Instruction<'t>) {
        self.approximations.push((written(instruction), self.emitter.span()));
    }

    /// The operands, of which there must be `N`.
    fn operands<'i, const N: usize>(&self, instruction: &'i Instruction<'t>) -> Lowered<&'i [Operand<'t>; N]> {
        instruction.operands.as_slice().try_into().map_err(|_| {
            let message =
                format!("`{}` takes {N} operands, and has {}", written(instruction), instruction.operands.len());
            self.invalid(instruction.place, message)
        })
    }

    /// The rows of an operand of type `ty`, of exactly its width.
    fn read(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<Reg> {
        self.read_as(operand, ty, false)
    }

    /// The same, where the register may be wider than the type (`cvt`, `ld`, `st`): its low bits.
    fn read_low(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<Reg> {
        self.read_as(operand, ty, true)
    }

    fn read_as(&mut self, operand: &Operand<'t>, ty: Type, wider: bool) -> Lowered<Reg> {
        match operand {
            Operand::Name(name) => {
                let register = self.registers.find(name.text, &mut self.emitter);
                self.read_name(*name, register, ty, wider)
            }
            Operand::Component { name, component } => {
                let register = self.registers.component(name.text, *component, &mut self.emitter);
                self.read_name(*name, register, ty, wider)
            }
            Operand::Integer { bits, place } => self.integer(*bits, ty, *place),
            Operand::Float32 { bits, place } => self.float(f64::from(f32::from_bits(*bits)), Some(*bits), ty, *place),
            Operand::Float64 { bits, place } => self.float(f64::from_bits(*bits), None, ty, *place),
            Operand::Not(name) if ty == Type::Pred => {
                let register = self.registers.find(name.text, &mut self.emitter);
                let reg = self.read_name(*name, register, ty, wider)?;
                let dst = self.emitter.fresh(1);
                self.emitter.emit(Instr::Unary { op: crate::ir::UnaryOp::Not, ty: Scalar::Bool, dst, a: reg });
                Ok(dst)
            }
            Operand::Address { base: Some(base), offset, brackets: false, place } => {
                let symbol = self.symbol(base.text).ok_or_else(|| self.unknown(*base))?;
                self.integer(symbol.address.wrapping_add_signed(*offset), ty, *place)
            }
            other => Err(self.invalid(other.place(), "this operand cannot be read as a value")),
        }
    }

    fn read_name(&mut self, name: Name<'t>, register: Option<Register>, ty: Type, wider: bool) -> Lowered<Reg> {
        if let Some(register) = register {
            let (has, wants) = (register.ty.bits(), ty.bits());
            if register.vector > 1 || has < wants || (has != wants && !wider) || (ty == Type::Pred) != (has == 1) {
                return Err(self.width(name, register.ty, ty));
            }
            // Registers of up to 16 bits are kept zero-extended; the low part of a wider one has to be cut out.
            if has > wants && wants < 32 {
                let (dst, mask) = (self.emitter.fresh(1), self.emitter.constant((1 << wants) - 1));
                self.emitter.emit(Instr::Binary { op: BinaryOp::And, ty: Scalar::U32, dst, a: register.reg, b: mask });
                return Ok(dst);
            }
            return Ok(register.reg);
        }
        if let Some(reg) = self.special(name, ty)? {
            return Ok(reg);
        }
        let symbol = self.symbol(name.text).ok_or_else(|| self.unknown(name))?;
        self.integer(symbol.address, ty, name.place)
    }

    fn width(&self, name: Name<'t>, has: Type, wants: Type) -> SimulateError {
        let words = |ty: Type| if ty == Type::Pred { "a predicate".to_owned() } else { format!("{} bits", ty.bits()) };
        self.invalid(name.place, format!("`{}` is {}; {} is needed here", name.text, words(has), words(wants)))
    }

    fn unknown(&self, name: Name<'t>) -> SimulateError {
        self.invalid(name.place, format!("`{}` is not declared", name.text))
    }

    /// The variable called `name`.
    fn symbol(&self, name: &str) -> Option<Symbol> {
        self.symbols.iter().rev().find_map(|scope| scope.get(name)).copied()
    }

    fn integer(&mut self, bits: u64, ty: Type, place: Place) -> Lowered<Reg> {
        Ok(match ty.bits() {
            1 => self.emitter.constant(u32::from(bits != 0)),
            width @ (8 | 16) => self.emitter.constant(crate::cast::low(bits) & ((1 << width) - 1)),
            32 => self.emitter.constant(crate::cast::low(bits)),
            64 => self.emitter.constant64(bits),
            _ => return Err(self.unsupported(place, "128-bit constants")),
        })
    }

    fn float(&mut self, value: f64, exact: Option<u32>, ty: Type, place: Place) -> Lowered<Reg> {
        match (ty, exact) {
            (Type::F32 | Type::B32, Some(bits)) => Ok(self.emitter.constant(bits)),
            (Type::F64 | Type::B64, None) => Ok(self.emitter.constant64(value.to_bits())),
            (Type::F64, Some(_)) => Ok(self.emitter.constant64(value.to_bits())),
            (Type::F32, None) => Ok(self.emitter.constant(crate::cast::f64_to_f32(value).to_bits())),
            _ => {
                Err(self
                    .invalid(place, format!("a floating-point constant cannot be {} bits of an integer", ty.bits())))
            }
        }
    }

    /// The register that a result of type `ty` goes to; `_` gives rows that nobody reads.
    fn write(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<Reg> {
        self.write_as(operand, ty, false)
    }

    /// The same, where the register may be wider than the type (`cvt`, `ld`): the caller extends the value.
    fn write_wide(&mut self, operand: &Operand<'t>, ty: Type) -> Lowered<(Reg, Type)> {
        let declared = match operand {
            Operand::Name(name) | Operand::Component { name, .. } => {
                self.registers.find(name.text, &mut self.emitter).map(|register| register.ty)
            }
            _ => None,
        };
        Ok((self.write_as(operand, ty, true)?, declared.unwrap_or(ty)))
    }

    fn write_as(&mut self, operand: &Operand<'t>, ty: Type, wider: bool) -> Lowered<Reg> {
        let (name, component) = match operand {
            Operand::Name(name) => (*name, None),
            Operand::Component { name, component } => (*name, Some(*component)),
            Operand::Sink(_) => return Ok(self.emitter.fresh(rows_of(ty, 1))),
            other => return Err(self.invalid(other.place(), "this operand cannot be written")),
        };
        let register = match component {
            None => self.registers.find(name.text, &mut self.emitter),
            Some(component) => self.registers.component(name.text, component, &mut self.emitter),
        };
        let register = register.ok_or_else(|| self.unknown(name))?;
        let (has, wants) = (register.ty.bits(), ty.bits());
        let fits = has == wants || (wider && has > wants && wants > 1);
        if register.vector > 1 || !fits || (ty == Type::Pred) != (has == 1) {
            return Err(self.width(name, register.ty, ty));
        }
        Ok(register.reg)
    }
}

/// Opcode and modifiers as they stand in the text.
pub(super) fn written(instruction: &Instruction<'_>) -> String {
    let mut text = instruction.opcode.text.to_owned();
    for modifier in &instruction.modifiers {
        text.push('.');
        text.push_str(modifier.text);
    }
    text
}
