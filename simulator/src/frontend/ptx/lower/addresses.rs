//! Addresses between state spaces: `cvta`, `isspacep`.

use super::memory::Window;
use super::words::Words;
use super::{Lowered, Lowerer, written};
use crate::frontend::ptx::ast::{Instruction, StateSpace, Type};
use crate::ir::{BinaryOp, Instr, PRIVATE_REGION, REGION_SHIFT, Reg, Scalar, WORKGROUP_REGION};

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was.
    pub(super) fn addresses(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        match instruction.opcode.text {
            "cvta" => self.convert_address(instruction)?,
            "isspacep" => self.is_in_space(instruction)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Generic addresses of storage, constants and parameters are their own; workgroup and private memory have windows.
    fn convert_address(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let to = words.take("to");
        let window = self.take_space(&mut words)?;
        let place = words.place();
        match words.take_type() {
            Some(Type::U64) => {}
            Some(ty) => return Err(self.unsupported(place, format!("addresses of {} bits", ty.bits()))),
            None => return Err(self.invalid(place, format!("`{}` needs a type", written(instruction)))),
        }
        self.finish_words(&words, instruction)?;
        let [dst, from] = self.operands::<2>(instruction)?;
        let from = self.read(from, Type::U64)?;
        let dst = self.write(dst, Type::U64)?;
        let region = match window {
            Window::Space(StateSpace::Shared) => WORKGROUP_REGION,
            Window::Space(StateSpace::Local) => PRIVATE_REGION,
            Window::Space(_) => 0,
            Window::Generic => {
                return Err(self.invalid(words.place(), format!("`{}` needs a state space", written(instruction))));
            }
        };
        if region == 0 {
            self.emitter.copy(dst, from, 2);
            return Ok(());
        }
        let base = self.emitter.constant64(region << REGION_SHIFT);
        let op = if to { BinaryOp::Sub } else { BinaryOp::Add };
        self.emitter.emit(Instr::Binary { op, ty: Scalar::U64, dst, a: from, b: base });
        Ok(())
    }

    fn is_in_space(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        let window = self.take_space(&mut words)?;
        self.finish_words(&words, instruction)?;
        let [dst, address] = self.operands::<2>(instruction)?;
        let address = self.read(address, Type::U64)?;
        let dst = self.write(dst, Type::Pred)?;
        let (shift, region) = (self.emitter.constant(REGION_SHIFT), self.emitter.fresh(2));
        self.emitter.emit(Instr::Binary { op: BinaryOp::Shr, ty: Scalar::U64, dst: region, a: address, b: shift });
        // The module's own variables and the launch's buffers; parameters are constants of another kind.
        let is_parameter = |address: u64| self.parameters.contains_key(&address);
        let own = |space: StateSpace| {
            let wanted =
                if space == StateSpace::Global { crate::ir::Space::Storage } else { crate::ir::Space::Uniform };
            let bound = self.bindings.iter().filter(move |binding| binding.space == wanted);
            let addresses = bound.filter_map(|binding| binding.address);
            addresses.filter(move |&address| is_parameter(address) == (space == StateSpace::Param))
        };
        let regions: Vec<u64> = match window {
            Window::Space(StateSpace::Shared) => vec![WORKGROUP_REGION],
            Window::Space(StateSpace::Local) => vec![PRIVATE_REGION],
            Window::Space(space @ (StateSpace::Global | StateSpace::Const | StateSpace::Param)) => {
                own(space).map(|address| address >> REGION_SHIFT).collect()
            }
            _ => return Err(self.unsupported(instruction.opcode.place, format!("`{}`", written(instruction)))),
        };
        let zero = self.emitter.constant(0);
        self.emitter.copy(dst, zero, 1);
        for number in regions {
            self.join_if_equal(dst, region, number);
        }
        Ok(())
    }

    fn join_if_equal(&mut self, dst: Reg, region: Reg, number: u64) {
        let (equal, number) = (self.emitter.fresh(1), self.emitter.constant64(number));
        self.emitter.emit(Instr::Binary { op: BinaryOp::Eq, ty: Scalar::U64, dst: equal, a: region, b: number });
        self.emitter.emit(Instr::Binary { op: BinaryOp::Or, ty: Scalar::Bool, dst, a: dst, b: equal });
    }
}
