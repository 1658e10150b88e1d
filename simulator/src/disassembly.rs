//! A program as text, one instruction per line, for people and for tests.
//!
//! Rows print as `r7`, a register of 64 bits by its low row; rows with a constant value print the value, read
//! as the type that the instruction gives it. Each line ends with the source line and column, where known, and
//! the calls it was inlined for.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use crate::ir::{
    Access, AccessKind, Address, BarrierScope, Base, Builtin, Instr, Limit, Operand, Pc, Program, Reg, Rounding,
    Scalar, Span, SubgroupOp, Transfer,
};

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroup_size;
        writeln!(f, "entry `{}`, workgroup {x} x {y} x {z}, {} rows", self.entry, self.rows)?;
        for (at, binding) in self.bindings.iter().enumerate() {
            write!(f, "binding {at}: `{}`", binding.name)?;
            if let Some((group, slot)) = binding.slot {
                write!(f, " @group({group}) @binding({slot})")?;
            }
            if let Some(position) = binding.parameter {
                write!(f, " parameter {position}")?;
            }
            let mode = if binding.writable { "read-write" } else { "read-only" };
            writeln!(f, ", {} {mode}, at least {} bytes", binding.space, binding.minimum_length)?;
        }
        for (space, variables) in [("workgroup", &self.workgroup_variables), ("private", &self.private_variables)] {
            for variable in variables {
                let end = u64::from(variable.offset) + u64::from(variable.length);
                writeln!(f, "{space} `{}`: bytes {}..{end} by {}", variable.name, variable.offset, variable.stride)?;
            }
        }
        let printer = Printer { program: self, constants: self.constants.iter().copied().collect() };
        let targets = self.code.iter().filter_map(|instr| match instr {
            Instr::Jump { target } | Instr::JumpIf { target, .. } => Some(*target),
            _ => None,
        });
        let targets: std::collections::HashSet<Pc> = targets.collect();
        for (pc, instr) in (0..).map(Pc).zip(&self.code) {
            let mark = if targets.contains(&pc) { '>' } else { ' ' };
            let line = format!("{mark}{:>4}: {}", pc.0, printer.instr(instr));
            writeln!(f, "{}", format!("{line:<72} {}", printer.place(self.span(pc))).trim_end())?;
        }
        Ok(())
    }
}

struct Printer<'p> {
    program: &'p Program,
    constants: HashMap<Reg, u32>,
}

impl Printer<'_> {
    /// `; 12:5 in 30:9` for line 12 of a function called in line 30.
    fn place(&self, span: Span) -> String {
        if span.line == 0 {
            return String::new();
        }
        let mut text = format!("; {}:{}", span.line, span.column);
        let mut at = span.inlined_at;
        while let Some(id) = at {
            let found = usize::try_from(id.0).ok().and_then(|id| self.program.spans.get(id));
            let Some(call) = found else { break };
            text += &format!(" in {}:{}", call.line, call.column);
            at = call.inlined_at;
        }
        text
    }

    /// A register, or the value it always has.
    fn reg(&self, reg: Reg, ty: Scalar) -> String {
        let Some(&low) = self.constants.get(&reg) else { return format!("r{}", reg.0) };
        if ty.rows() == 2 {
            let high = self.constants.get(&reg.high()).copied().unwrap_or(0);
            let bits = u64::from(high) << 32 | u64::from(low);
            return match ty {
                Scalar::F64 => format!("{:?}", f64::from_bits(bits)),
                Scalar::I64 => bits.cast_signed().to_string(),
                _ => bits.to_string(),
            };
        }
        let half = u16::try_from(low).unwrap_or(u16::MAX);
        match ty {
            Scalar::F32 => format!("{:?}", f32::from_bits(low)),
            Scalar::F16 => format!("{:?}", half::f16::from_bits(half).to_f32()),
            Scalar::Bf16 => format!("{:?}", half::bf16::from_bits(half).to_f32()),
            Scalar::I32 => low.cast_signed().to_string(),
            Scalar::I16 => half.cast_signed().to_string(),
            Scalar::Bool => (low != 0).to_string(),
            _ => low.to_string(),
        }
    }

    fn word(&self, reg: Reg) -> String {
        self.reg(reg, Scalar::U32)
    }

    fn flag(&self, reg: Reg) -> String {
        self.reg(reg, Scalar::Bool)
    }

    fn instr(&self, instr: &Instr) -> String {
        let name = |value: &dyn fmt::Debug| snake(&format!("{value:?}"));
        match *instr {
            Instr::Copy { dst, src } => format!("{} = {}", self.word(dst), self.word(src)),
            Instr::Unary { op, ty, dst, a } => {
                format!("{} = {}.{} {}", self.word(dst), name(&op), name(&ty), self.reg(a, ty))
            }
            Instr::Binary { op, ty, dst, a, b } => {
                use crate::ir::BinaryOp::{Ldexp, Shl, ShlClamp, Shr, ShrClamp};
                let second = match op {
                    Shl | Shr | ShlClamp | ShrClamp => Scalar::U32,
                    Ldexp => Scalar::I32,
                    _ => ty,
                };
                let (a, b) = (self.reg(a, ty), self.reg(b, second));
                format!("{} = {}.{} {a}, {b}", self.word(dst), name(&op), name(&ty))
            }
            Instr::Ternary { op, ty, dst, a, b, c } => {
                let others = if op == crate::ir::TernaryOp::ExtractBits { Scalar::U32 } else { ty };
                let (a, b, c) = (self.reg(a, ty), self.reg(b, others), self.reg(c, others));
                format!("{} = {}.{} {a}, {b}, {c}", self.word(dst), name(&op), name(&ty))
            }
            Instr::Select { condition, dst, accept, reject } => {
                let (accept, reject) = (self.word(accept), self.word(reject));
                format!("{} = select {}, {accept}, {reject}", self.word(dst), self.flag(condition))
            }
            Instr::InsertBits { dst, base, new, place } => {
                let (offset, count) = (self.word(place), self.word(place.high()));
                let (base, new) = (self.word(base), self.word(new));
                format!("{} = insert_bits {base}, {new}, {offset}, {count}", self.word(dst))
            }
            Instr::Convert { from, to, rounding, dst, src } => {
                let rounding =
                    if rounding == Rounding::NearestEven { String::new() } else { format!(".{}", name(&rounding)) };
                let (from_name, to_name) = (name(&from), name(&to));
                format!("{} = convert{rounding}.{to_name}.{from_name} {}", self.word(dst), self.reg(src, from))
            }
            Instr::Builtin { dst, which } => format!("{} = {}", self.word(dst), builtin(which)),
            Instr::ArrayLength { dst, binding, first, stride } => {
                let binding = self.base(Base::Binding(binding));
                format!("{} = array_length {binding} from {first} by {stride}", self.word(dst))
            }
            Instr::CheckIndex { dst, index, signed, limit } => {
                let index = self.reg(index, if signed { Scalar::I32 } else { Scalar::U32 });
                format!("{} = check_index {index} < {limit}", self.word(dst))
            }
            Instr::Access(id) => {
                let access = usize::try_from(id.0).ok().and_then(|id| self.program.tables.accesses.get(id));
                access.map_or_else(|| format!("access {}", id.0), |access| self.access(access))
            }
            Instr::Extended(id) => self.tables().extended.get(usize_of(id.0)).map_or_else(String::new, |entry| {
                format!("{} = {:?} {}", self.operands(&entry.results), entry.op, self.operands(&entry.sources))
            }),
            Instr::Warp(id) => self.tables().warps.get(usize_of(id.0)).map_or_else(String::new, |entry| {
                let mask = entry.mask.map_or_else(|| "active".to_owned(), |mask| self.word(mask));
                let (results, sources) = (self.operands(&entry.results), self.operands(&entry.sources));
                format!("{results} = warp {:?} of {mask} {sources}", entry.op)
            }),
            Instr::Rendezvous(id) => {
                let entry = self.tables().rendezvous.get(usize_of(id.0));
                entry.map_or_else(String::new, |entry| {
                    let count = entry.count.map_or_else(|| "all".to_owned(), |count| self.word(count));
                    format!("{:?} at barrier {} of {count}", entry.kind, self.word(entry.barrier))
                })
            }
            Instr::Transfer(id) => {
                self.tables().transfers.get(usize_of(id.0)).map_or_else(String::new, |entry| match entry {
                    Transfer::Copy { destination, source, bytes, .. } => {
                        format!("async copy of {bytes} bytes {} <- {}", self.address(destination), self.address(source))
                    }
                    other => format!("async {other:?}"),
                })
            }
            Instr::Jump { target } => format!("jump {}", target.0),
            Instr::JumpIf { condition, when, target } => {
                let word = if when { "if" } else { "unless" };
                format!("jump {} {word} {}", target.0, self.flag(condition))
            }
            Instr::Barrier { scope, workgroup_memory, storage_memory } => {
                let scope = if scope == BarrierScope::Subgroup { "subgroup" } else { "workgroup" };
                let memory = match (workgroup_memory, storage_memory) {
                    (true, true) => "all memory",
                    (true, false) => "workgroup memory",
                    (false, true) => "storage memory",
                    (false, false) => "no memory",
                };
                format!("barrier {scope}, {memory}")
            }
            Instr::Fence { order, scope, .. } => format!("fence {}.{}", name(&order), name(&scope)),
            Instr::Subgroup { op, ty, dst, src, lane } => {
                let (src, lane) = (self.reg(src, ty), self.word(lane));
                let op = match op {
                    SubgroupOp::Combine(reduction, extent) => format!("{}.{}", name(&reduction), name(&extent)),
                    other => name(&other),
                };
                format!("{} = subgroup.{op}.{} {src}, {lane}", self.word(dst), name(&ty))
            }
            Instr::AssertUniform { src } => format!("assert_uniform {}", self.word(src)),
            Instr::Exit => "exit".to_owned(),
            Instr::Trap => "trap".to_owned(),
        }
    }

    const fn tables(&self) -> &crate::ir::Tables {
        &self.program.tables
    }

    fn operands(&self, operands: &[Operand]) -> String {
        let one = |operand: &Operand| self.reg(operand.reg, if operand.rows == 2 { Scalar::U64 } else { Scalar::U32 });
        operands.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn base(&self, base: Base) -> String {
        match base {
            Base::Binding(id) => {
                let binding = usize::try_from(id.0).ok().and_then(|id| self.program.bindings.get(id));
                binding.map_or_else(|| format!("binding_{}", id.0), |binding| binding.name.clone())
            }
            Base::Workgroup => "workgroup".to_owned(),
            Base::Private => "private".to_owned(),
            Base::Absolute => "memory".to_owned(),
            Base::Generic => "generic memory".to_owned(),
        }
    }

    /// `name[displacement + offset + index * scale]`, in bytes.
    fn address(&self, address: &Address) -> String {
        let mut parts = Vec::new();
        if address.displacement != 0 || (address.index.is_none() && address.offset.is_none()) {
            parts.push(address.displacement.to_string());
        }
        if let Some(offset) = address.offset {
            let ty = if address.wide { Scalar::U64 } else { Scalar::U32 };
            parts.push(self.reg(offset, ty));
        }
        if let Some(index) = address.index {
            let sign = if address.index_signed { "i32 " } else { "" };
            parts.push(format!("{sign}{} * {}", self.word(index), address.scale));
        }
        format!("{}[{}]", self.base(address.base), parts.join(" + "))
    }

    /// `r1..r4` for several rows.
    fn rows(&self, access: &Access) -> String {
        if access.count == 1 {
            return self.reg(access.value, access.scalar);
        }
        let step = access.scalar.rows();
        if self.constants.contains_key(&access.value) && access.count <= 16 {
            let parts = (0..access.count).map(|at| self.reg(Reg(access.value.0 + at * step), access.scalar));
            return parts.collect::<Vec<_>>().join(" ");
        }
        format!("r{}..r{}", access.value.0, access.value.0 + access.count * step - 1)
    }

    fn access(&self, access: &Access) -> String {
        let count = if access.count == 1 { String::new() } else { format!("x{}", access.count) };
        let ty = format!("{}{count}", snake(&format!("{:?}", access.scalar)));
        let place = self.address(&access.address);
        let mut text = match access.kind {
            AccessKind::Load => format!("{} = load.{ty} {place}", self.rows(access)),
            AccessKind::Store => format!("store.{ty} {place}, {}", self.rows(access)),
            AccessKind::Atomic { op, order, scope } => {
                let results = [access.result, access.exchanged].into_iter().flatten().map(|row| format!("r{}", row.0));
                let results = results.collect::<Vec<_>>().join(" ");
                let results = if results.is_empty() { results } else { results + " = " };
                let name = snake(&format!("{op:?}.{scope:?}"));
                let order = if order == crate::ir::Order::Relaxed {
                    String::new()
                } else {
                    format!(".{order:?}").to_lowercase()
                };
                let mut text = format!("{results}atomic_{name}{order}.{ty} {place}");
                if let Some(compare) = access.compare {
                    text += &format!(", {} ->", self.reg(compare, access.scalar));
                }
                if op != crate::ir::AtomicOp::Load {
                    text += &format!(" {}", self.reg(access.value, access.scalar));
                }
                text
            }
        };
        let limits = access.checks.iter().map(|check| {
            let index = self.reg(check.index, if check.signed { Scalar::I32 } else { Scalar::U32 });
            match check.limit {
                Limit::Elements(count) => format!("{index} < {count}"),
                Limit::RuntimeArray { .. } => format!("{index} < length"),
            }
        });
        let limits = limits.collect::<Vec<_>>().join(", ");
        if !limits.is_empty() {
            text += &format!(" where {limits}");
        }
        if access.alignment != access.scalar.bits() / 8 {
            text += &format!(" align {}", access.alignment);
        }
        text
    }
}

fn builtin(which: Builtin) -> String {
    let (name, component) = match which {
        Builtin::WorkgroupId(component) => ("workgroup_id", component),
        Builtin::NumWorkgroups(component) => ("num_workgroups", component),
        Builtin::LocalInvocationId(component) => ("local_invocation_id", component),
        Builtin::GlobalInvocationId(component) => ("global_invocation_id", component),
        Builtin::WorkgroupSize(component) => ("workgroup_size", component),
        other => return snake(&format!("{other:?}")),
    };
    let component = ["x", "y", "z"].get(usize::from(component)).unwrap_or(&"?");
    format!("{name}.{component}")
}

/// `FirstLeadingBit` as `first_leading_bit`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    let mut after_word = false;
    for character in name.chars() {
        if character.is_uppercase() && after_word {
            text.push('_');
        }
        after_word = character.is_alphanumeric();
        text.extend(character.to_lowercase());
    }
    text
}

fn usize_of(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}
