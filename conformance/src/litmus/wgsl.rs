//! Litmus tests as WGSL.

use std::fmt::Write;

use super::{Change, Kind, Litmus, LitmusError, Memory, Operation, Order, REGISTERS, Scope, Syntax, Value, WORDS};

/// The text of a module with the entry point `main`.
pub(super) fn text(litmus: &Litmus) -> Result<String, LitmusError> {
    sayable(litmus)?;
    let mut writer = Writer { litmus, text: String::new(), depth: 0 };
    writer.variables();
    writer.main();
    Ok(writer.text)
}

fn sayable(litmus: &Litmus) -> Result<(), LitmusError> {
    let refuse = |what| Err(LitmusError::Unsayable { name: litmus.name.clone(), syntax: Syntax::Wgsl, what });
    let scope = match litmus.kind.memory() {
        Memory::Storage => Scope::Device,
        Memory::Workgroup => Scope::Workgroup,
    };
    for operation in litmus.operations() {
        let strength = match *operation {
            Operation::Fence(_) => return refuse("fences"),
            Operation::Load { strength, .. } | Operation::Store { strength, .. } => strength,
            Operation::Change { strength, .. }
            | Operation::Await { strength, .. }
            | Operation::Lock { strength, .. } => Some(strength),
            Operation::If { .. } | Operation::Barrier { .. } => None,
        };
        if strength.is_some_and(|strength| strength.order != Order::Relaxed) {
            return refuse("atomics that are not relaxed");
        }
        if strength.is_some_and(|strength| strength.scope != scope) {
            return refuse("atomics of another scope than their memory's");
        }
    }
    match (0..litmus.words()).any(|word| litmus.is_plain(word) && litmus.is_atomic(word)) {
        true => refuse("plain accesses to atomic words"),
        false => Ok(()),
    }
}

struct Writer<'a> {
    litmus: &'a Litmus,
    text: String,
    depth: usize,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        let written = writeln!(self.text, "{:width$}{text}", "", width = 4 * self.depth);
        debug_assert!(written.is_ok(), "writing to a string succeeds");
    }

    fn open(&mut self, text: &str) {
        self.line(&format!("{text} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn variables(&mut self) {
        let words = self.litmus.words();
        for (word, name) in WORDS.iter().enumerate().take(words) {
            let ty = if self.litmus.is_atomic(word) { "atomic<u32>" } else { "u32" };
            match self.litmus.kind.memory() {
                Memory::Storage => {
                    self.line(&format!("@group(0) @binding({word}) var<storage, read_write> {name}: {ty};"));
                }
                Memory::Workgroup => self.line(&format!("var<workgroup> {name}: {ty};")),
            }
        }
        self.line(&format!("@group(0) @binding({words}) var<storage, read_write> output: array<u32>;"));
    }

    fn main(&mut self) {
        let litmus = self.litmus;
        self.line(&format!("@compute @workgroup_size({})", litmus.invocations()));
        self.open(match litmus.kind {
            Kind::Workgroups => "fn main(@builtin(workgroup_id) workgroup: vec3<u32>)",
            Kind::Subgroups { .. } => "fn main(@builtin(local_invocation_index) i: u32)",
        });
        for register in 0..REGISTERS {
            self.line(&format!("var r{register} = 0u;"));
        }
        for (units, barrier) in litmus.phases() {
            for (unit, operations) in units.into_iter().enumerate().filter(|(_, operations)| !operations.is_empty()) {
                self.open(&self.is_unit(unit));
                self.operations(operations);
                self.close();
            }
            if let Some(Operation::Barrier { storage, workgroup }) = barrier {
                let names = [(*storage, "storageBarrier();"), (*workgroup, "workgroupBarrier();")];
                names.iter().filter(|(has, _)| *has).for_each(|(_, name)| self.line(name));
            }
        }
        for (unit, operations) in litmus.units.iter().enumerate() {
            let written = Litmus::written(operations);
            if written.is_empty() {
                continue;
            }
            self.open(&self.is_unit(unit));
            for register in written {
                self.line(&format!("output[{unit}u * {REGISTERS}u + {register}u] = r{register};"));
            }
            self.close();
        }
        self.close();
    }

    fn is_unit(&self, unit: usize) -> String {
        match self.litmus.kind {
            Kind::Workgroups => format!("if workgroup.x == {unit}u"),
            Kind::Subgroups { size, .. } => format!("if i == {unit}u * {size}u"),
        }
    }

    fn operations(&mut self, operations: &[Operation]) {
        operations.iter().for_each(|operation| self.operation(operation));
    }

    fn operation(&mut self, operation: &Operation) {
        match operation {
            Operation::Load { word, strength: None, into } => self.line(&format!("r{into} = {};", WORDS[*word])),
            Operation::Load { word, into, .. } => self.line(&format!("r{into} = atomicLoad(&{});", WORDS[*word])),
            Operation::Store { word, strength: None, value: new } => {
                self.line(&format!("{} = {};", WORDS[*word], value(*new)));
            }
            Operation::Store { word, value: new, .. } => {
                self.line(&format!("atomicStore(&{}, {});", WORDS[*word], value(*new)));
            }
            Operation::Change { word, change, into, .. } => {
                let name = WORDS[*word];
                self.line(&match *change {
                    Change::Add(value) => format!("r{into} = atomicAdd(&{name}, {value}u);"),
                    Change::Exchange(value) => format!("r{into} = atomicExchange(&{name}, {value}u);"),
                    Change::CompareExchange { expected, value } => {
                        format!("r{into} = atomicCompareExchangeWeak(&{name}, {expected}u, {value}u).old_value;")
                    }
                });
            }
            Operation::If { register, equals, then } => {
                self.open(&format!("if r{register} == {equals}u"));
                self.operations(then);
                self.close();
            }
            Operation::Await { word, equals, .. } => {
                self.line(&format!("while atomicLoad(&{}) != {equals}u {{}}", WORDS[*word]));
            }
            Operation::Lock { word, .. } => {
                self.line(&format!("while !atomicCompareExchangeWeak(&{}, 0u, 1u).exchanged {{}}", WORDS[*word]));
            }
            // Fences are refused before; barriers stand between phases.
            Operation::Fence(_) | Operation::Barrier { .. } => {}
        }
    }
}

fn value(value: Value) -> String {
    match value {
        Value::Constant(value) => format!("{value}u"),
        Value::Sum { register, plus } => format!("r{register} + {plus}u"),
    }
}
