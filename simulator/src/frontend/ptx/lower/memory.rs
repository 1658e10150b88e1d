//! Loads, stores, atomics and fences.

use super::words::Words;
use super::{Lowered, Lowerer, written};
use crate::frontend::ptx::ast::{Instruction, Name, Operand, StateSpace, Type};
use crate::ir::{
    Access, AccessKind, Address, AtomicOp, Base, Instr, Order, PRIVATE_REGION, REGION_SHIFT, Reg, Scalar, Scope,
};

/// Where an instruction says its address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// It does not say.
    Generic,
    /// It does.
    Space(StateSpace),
}

/// The elements of one load or store.
struct Shape {
    ty: Type,
    count: u32,
}

/// Memory order and scope of an access that is not weak.
#[derive(Clone, Copy)]
struct Strong {
    order: Order,
    scope: Scope,
}

const CACHE: [&str; 14] = [
    "ca",
    "cg",
    "cs",
    "lu",
    "cv",
    "wb",
    "wt",
    "L1::evict_normal",
    "L1::evict_unchanged",
    "L1::evict_first",
    "L1::evict_last",
    "L1::no_allocate",
    "L2::evict_last",
    "L2::evict_first",
];
const HINTS: [&str; 6] = ["L2::cache_hint", "L2::64B", "L2::128B", "L2::256B", "L2::evict_normal", "unified"];

/// What an element is called in the IR.
pub(super) const fn scalar_of(ty: Type) -> Scalar {
    match ty {
        Type::Pred => Scalar::Bool,
        Type::B8 | Type::U8 => Scalar::U8,
        Type::S8 => Scalar::I8,
        Type::B16 | Type::U16 => Scalar::U16,
        Type::S16 => Scalar::I16,
        Type::F16 => Scalar::F16,
        Type::Bf16 => Scalar::Bf16,
        Type::B32 | Type::U32 | Type::F16x2 | Type::Bf16x2 => Scalar::U32,
        Type::S32 => Scalar::I32,
        Type::F32 => Scalar::F32,
        Type::B64 | Type::B128 | Type::U64 => Scalar::U64,
        Type::S64 => Scalar::I64,
        Type::F64 => Scalar::F64,
    }
}

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was.
    pub(super) fn memory(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        match instruction.opcode.text {
            "ld" | "ldu" => self.load(instruction)?,
            "st" => self.store(instruction)?,
            "atom" => self.atomic(instruction, true)?,
            "red" => self.atomic(instruction, false)?,
            "membar" | "fence" => self.fence(instruction)?,
            // Hints to the caches.
            "prefetch" | "prefetchu" | "applypriority" => {}
            "createpolicy" => self.cache_policy(instruction)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn cache_policy(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let Some(first) = instruction.operands.first() else {
            return Err(self.invalid(instruction.place, "`createpolicy` needs a destination"));
        };
        let (dst, zero) = (self.write(first, Type::B64)?, self.emitter.constant64(0));
        self.emitter.copy(dst, zero, 2);
        Ok(())
    }

    pub(super) fn take_space(&self, words: &mut Words<'_, 't>) -> Lowered<Window> {
        let place = words.place();
        Ok(match words.peek() {
            Some("global") => self.space(words, StateSpace::Global),
            Some("shared" | "shared::cta") => self.space(words, StateSpace::Shared),
            Some("local") => self.space(words, StateSpace::Local),
            Some("const") => self.space(words, StateSpace::Const),
            Some("param" | "param::entry" | "param::func") => self.space(words, StateSpace::Param),
            Some(word) if word.starts_with("shared::") => {
                return Err(self.unsupported(place, format!("`.{word}`: clusters of workgroups")));
            }
            _ => Window::Generic,
        })
    }

    fn space(&self, words: &mut Words<'_, 't>, space: StateSpace) -> Window {
        words.take_next();
        Window::Space(space)
    }

    fn take_scope(words: &mut Words<'_, 't>) -> Option<Scope> {
        Some(match words.take_any(&["cta", "cluster", "gpu", "sys"])? {
            // A launch without clusters has one workgroup in each.
            "cta" | "cluster" => Scope::Workgroup,
            "gpu" => Scope::Device,
            _ => Scope::System,
        })
    }

    /// `.weak`, `.volatile`, `.relaxed.scope`, ...: `None` for a weak access.
    fn take_strength(&self, words: &mut Words<'_, 't>, instruction: &Instruction<'t>) -> Lowered<Option<Strong>> {
        let order = match words.take_any(&["weak", "volatile", "relaxed", "acquire", "release", "mmio"]) {
            None | Some("weak") => return Ok(None),
            Some("volatile") => return Ok(Some(Strong { order: Order::Relaxed, scope: Scope::System })),
            Some("mmio") => {
                words.take("relaxed");
                Order::Relaxed
            }
            Some("acquire") => Order::Acquire,
            Some("release") => Order::Release,
            Some(_) => Order::Relaxed,
        };
        let Some(scope) = Self::take_scope(words) else {
            return Err(self.invalid(words.place(), format!("`{}` needs a scope", written(instruction))));
        };
        Ok(Some(Strong { order, scope }))
    }

    fn take_hints(words: &mut Words<'_, 't>) {
        while words.take_any(&CACHE).is_some() || words.take_any(&HINTS).is_some() {}
    }

    /// Elements of a vector form; 1 without one.
    fn take_count(words: &mut Words<'_, 't>) -> u32 {
        match words.take_any(&["v2", "v4", "v8"]) {
            Some("v2") => 2,
            Some("v4") => 4,
            Some(_) => 8,
            None => 1,
        }
    }

    fn take_shape(&self, words: &mut Words<'_, 't>, instruction: &Instruction<'t>) -> Lowered<Shape> {
        let count = Self::take_count(words);
        let place = words.place();
        let Some(ty) = words.take_type() else {
            return Err(match words.take_next() {
                Some(name) => self.unsupported(name.place, format!("`.{}` of `{}`", name.text, written(instruction))),
                None => self.invalid(place, format!("`{}` needs a type", written(instruction))),
            });
        };
        if matches!(ty, Type::Pred | Type::B128 | Type::F16x2 | Type::Bf16x2) {
            return Err(self.unsupported(place, format!("`{}`", written(instruction))));
        }
        self.finish_words(words, instruction)?;
        Ok(Shape { ty, count })
    }

    fn load(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let strong = self.take_strength(&mut words, instruction)?;
        let window = self.take_space(&mut words)?;
        Self::take_hints(&mut words);
        words.take("nc");
        Self::take_hints(&mut words);
        let shape = self.take_shape(&mut words, instruction)?;
        let (dst, from) = match instruction.operands.as_slice() {
            [dst, from] | [dst, from, _] => (dst, from),
            _ => return Err(self.operands::<2>(instruction).err().unwrap_or_else(|| self.unknown(instruction.opcode))),
        };
        if self.load_parameter(&shape, window, dst, from)? {
            return Ok(());
        }
        let address = self.address(from, window)?;
        let parts = self.parts(dst, shape.count)?;
        let scalar = scalar_of(shape.ty);
        let value = self.emitter.fresh(scalar.rows() * shape.count);
        match strong {
            None => self.emitter.access(Access {
                kind: AccessKind::Load,
                scalar,
                count: shape.count,
                value,
                result: None,
                compare: None,
                exchanged: None,
                address,
                checks: Vec::new(),
                alignment: scalar.bits() / 8 * shape.count,
                reaches: None,
            }),
            Some(Strong { order, scope }) => {
                for element in 0..shape.count {
                    let result = Reg(value.0 + element * scalar.rows());
                    let mut access = self.strong(AtomicOp::Load, order, scope, scalar, result, address, element);
                    access.result = Some(result);
                    access.value = self.emitter.constant64(0);
                    self.emitter.access(access);
                }
            }
        }
        for (element, part) in (0..).zip(parts) {
            self.receive(&part, shape.ty, Reg(value.0 + element * scalar.rows()))?;
        }
        Ok(())
    }

    /// Writes a value of type `ty` to a register that may be wider: sign-extended for signed types, else with zeros.
    pub(super) fn receive(&mut self, part: &Operand<'t>, ty: Type, value: Reg) -> Lowered<()> {
        let (dst, declared) = self.write_wide(part, ty)?;
        let from = scalar_of(ty);
        if declared.bits() == ty.bits() || (declared.bits() <= 32 && !from.is_signed()) {
            self.emitter.copy(dst, value, from.rows());
            return Ok(());
        }
        let signed = from.is_signed();
        let from = match (ty.bits(), signed) {
            (8, true) => Scalar::I8,
            (8, false) => Scalar::U8,
            (16, true) => Scalar::I16,
            (16, false) => Scalar::U16,
            (_, true) => Scalar::I32,
            (_, false) => Scalar::U32,
        };
        let to = match (declared.bits(), signed) {
            (16, _) => Scalar::I16,
            (32, _) => Scalar::I32,
            (_, true) => Scalar::I64,
            (_, false) => Scalar::U64,
        };
        self.emitter.emit(Instr::Convert { from, to, rounding: crate::ir::Rounding::NearestEven, dst, src: value });
        Ok(())
    }

    /// The components of a `.v2` or `.v4` register.
    fn components(&mut self, name: Name<'t>, count: u32) -> Vec<Operand<'t>> {
        let vector = self.registers.find(name.text, &mut self.emitter);
        match vector {
            Some(register) if register.vector == count => {
                (0..count).map(|component| Operand::Component { name, component }).collect()
            }
            _ => vec![Operand::Name(name)],
        }
    }

    fn parts(&mut self, operand: &Operand<'t>, count: u32) -> Lowered<Vec<Operand<'t>>> {
        let parts: Vec<Operand<'t>> = match operand {
            Operand::Vector { parts, .. } => parts.clone(),
            Operand::Name(name) if count > 1 => self.components(*name, count),
            other => vec![other.clone()],
        };
        if parts.len() == crate::cast::at(count) {
            return Ok(parts);
        }
        let message = format!("{count} registers are needed here, not {}", parts.len());
        Err(self.invalid(operand.place(), message))
    }

    /// A kernel parameter at a constant place: the launch knows its value.
    fn load_parameter(
        &mut self,
        shape: &Shape,
        window: Window,
        dst: &Operand<'t>,
        from: &Operand<'t>,
    ) -> Lowered<bool> {
        let Operand::Address { base: Some(base), offset, place, .. } = from else { return Ok(false) };
        if window != Window::Space(StateSpace::Param) {
            return Ok(false);
        }
        let Some(symbol) = self.symbol(base.text) else { return Ok(false) };
        let Some(parameter) = self.parameters.get(&symbol.address).cloned() else { return Ok(false) };
        let size = usize::try_from(shape.ty.bits() / 8).unwrap_or(1);
        let parts = self.parts(dst, shape.count)?;
        for (element, part) in parts.into_iter().enumerate() {
            let start = usize::try_from(*offset).ok().and_then(|offset| offset.checked_add(element * size));
            let bytes = start.and_then(|start| parameter.bytes.get(start..start.checked_add(size)?));
            let Some(bytes) = bytes else {
                let message = format!(
                    "bytes {offset} to {} of parameter `{}`, which has {}",
                    offset.saturating_add_unsigned(super::wide(size * (element + 1))),
                    base.text,
                    parameter.bytes.len()
                );
                return Err(self.invalid(*place, message));
            };
            let bits = bytes.iter().rev().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
            let value =
                if size == 8 { self.emitter.constant64(bits) } else { self.emitter.constant(crate::cast::low(bits)) };
            self.receive(&part, shape.ty, value)?;
        }
        Ok(true)
    }

    fn store(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let strong = self.take_strength(&mut words, instruction)?;
        let window = self.take_space(&mut words)?;
        Self::take_hints(&mut words);
        let shape = self.take_shape(&mut words, instruction)?;
        let (to, from) = match instruction.operands.as_slice() {
            [to, from] | [to, from, _] => (to, from),
            _ => return Err(self.operands::<2>(instruction).err().unwrap_or_else(|| self.unknown(instruction.opcode))),
        };
        let address = self.address(to, window)?;
        let parts = self.parts(from, shape.count)?;
        let scalar = scalar_of(shape.ty);
        let mut sources = Vec::new();
        for part in parts {
            sources.push(self.read_stored(&part, shape.ty, strong.is_some())?);
        }
        if let Some(Strong { order, scope }) = strong {
            for (element, source) in (0..).zip(sources) {
                let access = self.strong(AtomicOp::Store, order, scope, scalar, source, address, element);
                self.emitter.access(access);
            }
            return Ok(());
        }
        let value = match sources.as_slice() {
            [one] => *one,
            many => {
                let value = self.emitter.fresh(scalar.rows() * shape.count);
                for (element, &source) in (0..).zip(many) {
                    self.emitter.copy(Reg(value.0 + element * scalar.rows()), source, scalar.rows());
                }
                value
            }
        };
        self.emitter.access(plain(AccessKind::Store, scalar, shape.count, value, address));
        Ok(())
    }

    /// A value to be stored: a plain store looks at the low bits only, and leaves the register as it is.
    fn read_stored(&mut self, part: &Operand<'t>, ty: Type, cut: bool) -> Lowered<Reg> {
        let register = match part {
            Operand::Name(name) => self.registers.find(name.text, &mut self.emitter),
            Operand::Component { name, component } => {
                self.registers.component(name.text, *component, &mut self.emitter)
            }
            _ => None,
        };
        match register {
            Some(register) if !cut && register.vector == 1 && register.ty.bits() >= ty.bits() => Ok(register.reg),
            _ => self.read_low(part, ty),
        }
    }

    /// Stores a register at a constant place of private memory.
    pub(super) fn store_private(&mut self, offset: u64, ty: Type, value: Reg) {
        let address = Address {
            base: Base::Private,
            index: None,
            index_signed: false,
            scale: 0,
            offset: None,
            wide: false,
            displacement: offset.cast_signed(),
        };
        self.emitter.access(plain(AccessKind::Store, scalar_of(ty), 1, value, address));
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one atomic")]
    fn strong(
        &self,
        op: AtomicOp,
        order: Order,
        scope: Scope,
        scalar: Scalar,
        value: Reg,
        mut address: Address,
        element: u32,
    ) -> Access {
        let bytes = scalar.bits() / 8;
        address.displacement += i64::from(element * bytes);
        Access {
            kind: AccessKind::Atomic { op, order, scope },
            scalar,
            count: 1,
            value,
            result: None,
            compare: None,
            exchanged: None,
            address,
            checks: Vec::new(),
            alignment: bytes,
            reaches: None,
        }
    }

    /// An address operand in a window.
    pub(super) fn address(&mut self, operand: &Operand<'t>, window: Window) -> Lowered<Address> {
        let (base, offset) = match operand {
            Operand::Address { base, offset, brackets: true, .. } => (*base, *offset),
            other => return Err(self.invalid(other.place(), "an address in brackets is needed here")),
        };
        let mut address = Address {
            base: match window {
                Window::Space(StateSpace::Shared) => Base::Workgroup,
                Window::Space(StateSpace::Local) => Base::Private,
                Window::Space(StateSpace::Global | StateSpace::Const) => Base::Absolute,
                _ => Base::Generic,
            },
            index: None,
            index_signed: false,
            scale: 0,
            offset: None,
            wide: false,
            displacement: offset,
        };
        let Some(name) = base else { return Ok(address) };
        if let Some(register) = self.registers.find(name.text, &mut self.emitter) {
            address.wide = match register.ty.bits() {
                64 => true,
                32 if matches!(address.base, Base::Workgroup | Base::Private) => false,
                bits => {
                    let message = format!("`{}` is {bits} bits; an address has 64", name.text);
                    return Err(self.invalid(name.place, message));
                }
            };
            address.offset = Some(register.reg);
            return Ok(address);
        }
        let symbol = self.symbol(name.text).ok_or_else(|| self.unknown(name))?;
        self.check_window(name, symbol.space, window)?;
        // A variable's name says where it is, also where the instruction does not.
        match (window, symbol.space) {
            (Window::Generic, StateSpace::Shared) => address.base = Base::Workgroup,
            (Window::Generic, StateSpace::Local) => address.base = Base::Private,
            _ => {}
        }
        let private = PRIVATE_REGION << REGION_SHIFT;
        let known = symbol.address.wrapping_add_signed(offset);
        match address.base {
            Base::Workgroup | Base::Private => address.displacement = known.cast_signed(),
            // Parameters of functions are in private memory.
            Base::Generic if symbol.address >> REGION_SHIFT == PRIVATE_REGION => {
                address.base = Base::Private;
                address.displacement = known.wrapping_sub(private).cast_signed();
            }
            _ => {
                address.offset = Some(self.emitter.constant64(symbol.address));
                address.wide = true;
            }
        }
        Ok(address)
    }

    fn check_window(
        &self,
        name: crate::frontend::ptx::ast::Name<'t>,
        space: StateSpace,
        window: Window,
    ) -> Lowered<()> {
        let fits = match window {
            Window::Generic => true,
            Window::Space(wanted) => wanted == space,
        };
        if fits {
            return Ok(());
        }
        let message = format!("`{}` is in another state space than this instruction's", name.text);
        Err(self.invalid(name.place, message))
    }

    fn atomic(&mut self, instruction: &Instruction<'t>, returns: bool) -> Lowered<()> {
        let mut words = Words::new(instruction);
        // Compilers write order, scope and state space in any order.
        let (mut order, mut scope, mut window) = (Order::Relaxed, Scope::Device, Window::Generic);
        loop {
            if let Some(word) = words.take_any(&["relaxed", "acquire", "release", "acq_rel"]) {
                order = match word {
                    "acquire" => Order::Acquire,
                    "release" => Order::Release,
                    "acq_rel" => Order::AcquireRelease,
                    _ => Order::Relaxed,
                };
            } else if let Some(found) = Self::take_scope(&mut words) {
                scope = found;
            } else if let found @ Window::Space(_) = self.take_space(&mut words)? {
                window = found;
            } else {
                break;
            }
        }
        let place = words.place();
        let word = words.take_any(&["and", "or", "xor", "cas", "exch", "add", "inc", "dec", "min", "max"]);
        let op = match word {
            Some("and") => AtomicOp::And,
            Some("or") => AtomicOp::Or,
            Some("xor") => AtomicOp::Xor,
            Some("cas") => AtomicOp::CompareExchange,
            Some("exch") => AtomicOp::Exchange,
            Some("add") => AtomicOp::Add,
            Some("inc") => AtomicOp::Increment,
            Some("dec") => AtomicOp::Decrement,
            Some("min") => AtomicOp::Min,
            Some("max") => AtomicOp::Max,
            _ => return Err(self.unsupported(place, format!("`{}`", written(instruction)))),
        };
        words.take("noftz");
        Self::take_hints(&mut words);
        let count = Self::take_count(&mut words);
        let place = words.place();
        let ty = words.take_type();
        self.finish_words(&words, instruction)?;
        let Some(ty) = ty.filter(|ty| is_atomic(op, *ty)) else {
            return Err(self.unsupported(place, format!("`{}`", written(instruction))));
        };
        let mut operands = instruction.operands.as_slice();
        let result = match operands.split_first() {
            Some((first, rest)) if returns => {
                operands = rest;
                Some(first)
            }
            _ => None,
        };
        let needed = if op == AtomicOp::CompareExchange { 3 } else { 2 };
        // A cache policy may follow.
        let [at, value, ..] = operands else {
            return Err(self.invalid(instruction.place, format!("`{}` has too few operands", written(instruction))));
        };
        if operands.len() < needed || operands.len() > needed + 1 {
            let message = format!("`{}` has {} operands", written(instruction), instruction.operands.len());
            return Err(self.invalid(instruction.place, message));
        }
        let mut address = self.address(at, window)?;
        let values = self.parts(value, count)?;
        let results = match result {
            Some(result) => self.parts(result, count)?.into_iter().map(Some).collect(),
            None => vec![None; values.len()],
        };
        let last = operands.get(2).filter(|_| needed == 3);
        for (value, result) in values.into_iter().zip(results) {
            self.atomic_element(op, order, scope, ty, [Some(&value), last, result.as_ref()], address)?;
            address.displacement += i64::from(ty.bits() / 8);
        }
        Ok(())
    }

    /// One element; a packed pair is two atomics, as the ISA has it.
    fn atomic_element(
        &mut self,
        op: AtomicOp,
        order: Order,
        scope: Scope,
        ty: Type,
        [value, last, result]: [Option<&Operand<'t>>; 3],
        address: Address,
    ) -> Lowered<()> {
        let Some(value) = value else { return Ok(()) };
        let half = match ty {
            Type::F16x2 => Some(Scalar::F16),
            Type::Bf16x2 => Some(Scalar::Bf16),
            _ => None,
        };
        let whole = self.read(value, ty)?;
        let dst = match result {
            Some(result) => Some(self.write(result, ty)?),
            None => None,
        };
        let Some(half) = half else {
            let scalar = scalar_of(ty);
            let mut access = self.strong(op, order, scope, scalar, whole, address, 0);
            access.result = dst;
            if let Some(last) = last {
                // `cas d, [a], compare, new`
                access.compare = Some(whole);
                access.value = self.read(last, ty)?;
            }
            self.emitter.access(access);
            return Ok(());
        };
        let (mask, sixteen) = (self.emitter.constant(0xffff), self.emitter.constant(16));
        let (low, high) = (self.emitter.fresh(1), self.emitter.fresh(1));
        let word = |op, dst, a, b| Instr::Binary { op, ty: Scalar::U32, dst, a, b };
        self.emitter.emit(word(crate::ir::BinaryOp::And, low, whole, mask));
        self.emitter.emit(word(crate::ir::BinaryOp::Shr, high, whole, sixteen));
        let (old_low, old_high) = (self.emitter.fresh(1), self.emitter.fresh(1));
        for (element, part, old) in [(0, low, old_low), (1, high, old_high)] {
            let mut access = self.strong(op, order, scope, half, part, address, element);
            access.result = dst.map(|_| old);
            self.emitter.access(access);
        }
        if let Some(dst) = dst {
            let shifted = self.emitter.fresh(1);
            self.emitter.emit(word(crate::ir::BinaryOp::Shl, shifted, old_high, sixteen));
            self.emitter.emit(word(crate::ir::BinaryOp::Or, dst, old_low, shifted));
        }
        Ok(())
    }

    fn fence(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let (order, scope) = if instruction.opcode.text == "membar" {
            let scope = match words.take_any(&["cta", "gl", "sys"]) {
                Some("cta") => Some(Scope::Workgroup),
                Some("gl") => Some(Scope::Device),
                Some(_) => Some(Scope::System),
                None => None,
            };
            (Order::SequentiallyConsistent, scope)
        } else {
            let order = match words.take_any(&["sc", "acq_rel", "acquire", "release"]) {
                Some("sc") => Order::SequentiallyConsistent,
                Some("acquire") => Order::Acquire,
                Some("release") => Order::Release,
                _ => Order::AcquireRelease,
            };
            (order, Self::take_scope(&mut words))
        };
        self.finish_words(&words, instruction)?;
        let Some(scope) = scope else {
            return Err(self.invalid(words.place(), format!("`{}` needs a scope", written(instruction))));
        };
        self.operands::<0>(instruction)?;
        self.emitter.emit(Instr::Fence { order, scope, workgroup_memory: true, storage_memory: true });
        Ok(())
    }
}

/// A weak access.
pub(super) fn plain(kind: AccessKind, scalar: Scalar, count: u32, value: Reg, address: Address) -> Access {
    Access {
        kind,
        scalar,
        count,
        value,
        result: None,
        compare: None,
        exchanged: None,
        address,
        checks: Vec::new(),
        alignment: scalar.bits() / 8 * count,
        reaches: None,
    }
}

/// Which types an atomic operation has.
const fn is_atomic(op: AtomicOp, ty: Type) -> bool {
    let bits = ty.bits();
    match op {
        AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => matches!(ty, Type::B32 | Type::B64),
        AtomicOp::Exchange => matches!(ty, Type::B32 | Type::B64),
        AtomicOp::CompareExchange => matches!(ty, Type::B16 | Type::B32 | Type::B64),
        AtomicOp::Increment | AtomicOp::Decrement => matches!(ty, Type::U32),
        AtomicOp::Min | AtomicOp::Max => {
            matches!(ty, Type::U32 | Type::S32 | Type::U64 | Type::S64)
                || matches!(ty, Type::F16 | Type::Bf16 | Type::F16x2 | Type::Bf16x2)
        }
        _ => {
            matches!(ty, Type::F16 | Type::Bf16 | Type::F16x2 | Type::Bf16x2 | Type::F32 | Type::F64)
                || (bits >= 32 && matches!(ty, Type::U32 | Type::S32 | Type::U64 | Type::S64))
        }
    }
}
