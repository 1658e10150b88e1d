//! From a litmus test to a launch.

use gridproof_launch::{Argument, Buffer, DType, Dispatch, Fill, Launch, Module, Source};

use super::{Kind, LARGEST, Litmus, LitmusError, Memory, Operation, REGISTERS, Syntax, WORDS, ptx, wgsl};

impl Litmus {
    /// The launch. Its buffers are the shared words, where they are in storage, and `output`.
    ///
    /// # Errors
    /// When the test breaks a rule of litmus tests, or the language cannot say it.
    pub fn launch(&self, syntax: Syntax) -> Result<Launch, LitmusError> {
        self.validate()?;
        let mut launch = Launch::default();
        let (ending, source) = match syntax {
            Syntax::Wgsl => ("wgsl", Source::Wgsl(wgsl::text(self)?.into())),
            Syntax::Ptx => ("ptx", Source::Ptx(ptx::text(self).into())),
        };
        let module = launch.add_module(Module::new(format!("{}.{ending}", self.name), source));
        let units = u32::try_from(self.units.len()).unwrap_or(u32::MAX);
        let grid = if self.kind == Kind::Workgroups { [units, 1, 1] } else { [1, 1, 1] };
        let mut dispatch = Dispatch::new(module, "main", grid);
        dispatch.workgroup = (syntax == Syntax::Ptx).then_some([self.invocations(), 1, 1]);
        let words = if self.kind.memory() == Memory::Storage { self.words() } else { 0 };
        let mut names: Vec<(&str, u64)> = WORDS.iter().take(words).map(|name| (*name, 1)).collect();
        names.push(("output", u64::from(units * REGISTERS)));
        for (name, length) in names {
            let id = launch.add_buffer(Buffer::filled(name, DType::U32, [length], Fill::Byte(0))?.as_output());
            dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
        }
        launch.dispatches.push(dispatch);
        Ok(launch)
    }

    /// Invocations of a workgroup.
    pub(super) fn invocations(&self) -> u32 {
        match self.kind {
            Kind::Workgroups => 1,
            Kind::Subgroups { size, .. } => u32::try_from(self.units.len()).unwrap_or(u32::MAX).saturating_mul(size),
        }
    }

    /// The registers of a unit that some operation writes.
    pub(super) fn written(unit: &[Operation]) -> Vec<u32> {
        let into = unit.iter().flat_map(Operation::all).filter_map(|operation| match *operation {
            Operation::Load { into, .. } | Operation::Change { into, .. } => Some(into),
            _ => None,
        });
        let all: std::collections::BTreeSet<u32> = into.collect();
        all.into_iter().collect()
    }

    /// What the units do between barriers, and each barrier after its phase.
    pub(super) fn phases(&self) -> Vec<(Vec<&[Operation]>, Option<&Operation>)> {
        let is_barrier = |operation: &Operation| matches!(operation, Operation::Barrier { .. });
        let split: Vec<Vec<&[Operation]>> = self.units.iter().map(|unit| unit.split(is_barrier).collect()).collect();
        let barriers: Vec<&Operation> =
            self.units.first().map_or_else(Vec::new, |unit| unit.iter().filter(|one| is_barrier(one)).collect());
        let of = |phase: usize| split.iter().map(|unit| unit.get(phase).copied().unwrap_or_default()).collect();
        (0..=barriers.len()).map(|phase| (of(phase), barriers.get(phase).copied())).collect()
    }

    fn validate(&self) -> Result<(), LitmusError> {
        let refuse = |what, value, limit| Err(LitmusError::Malformed { name: self.name.clone(), what, value, limit });
        if !(1..=4).contains(&self.units.len()) {
            return refuse("units", self.units.len(), "must be from 1 to 4");
        }
        if self.accesses() > LARGEST {
            return refuse("accesses to shared words", self.accesses(), "must be at most 12");
        }
        if self.words() > WORDS.len() {
            return refuse("words", self.words(), "must be at most 4");
        }
        if let Kind::Subgroups { size, .. } = self.kind
            && !(size.is_power_of_two() && (4..=128).contains(&size))
        {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            return refuse("subgroup size", size, "must be a power of two from 4 to 128");
        }
        let barriers = |unit: &Vec<Operation>| -> Vec<Operation> {
            unit.iter().filter(|one| matches!(one, Operation::Barrier { .. })).cloned().collect()
        };
        let first = self.units.first().map(barriers).unwrap_or_default();
        if let Some(other) = self.units.iter().position(|unit| barriers(unit) != first) {
            return refuse("unit", other, "must have the barriers of unit 0");
        }
        if self.kind == Kind::Workgroups && !first.is_empty() {
            return refuse("barriers of a workgroup of one invocation", first.len(), "must be 0");
        }
        let inner = self.units.iter().flatten().flat_map(|one| one.all().skip(1));
        let nested = inner.filter(|one| matches!(one, Operation::Barrier { .. } | Operation::If { .. })).count();
        if nested > 0 {
            return refuse("barriers and conditions under a condition", nested, "must be 0");
        }
        let registers = self.operations().filter_map(|operation| match *operation {
            Operation::Load { into, .. } | Operation::Change { into, .. } => Some(into),
            Operation::If { register, .. } => Some(register),
            Operation::Store { value: super::Value::Sum { register, .. }, .. } => Some(register),
            _ => None,
        });
        match registers.max().filter(|register| *register >= REGISTERS) {
            Some(register) => {
                refuse("register", usize::try_from(register).unwrap_or(usize::MAX), "must be from 0 to 3")
            }
            None => Ok(()),
        }
    }
}
