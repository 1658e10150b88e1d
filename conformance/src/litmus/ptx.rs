//! Litmus tests as PTX.

use std::fmt::Write;

use super::{Change, Kind, Litmus, Memory, Operation, Order, REGISTERS, Scope, Strength, Value, WORDS};

/// The text of a module with the entry point `main`.
pub(super) fn text(litmus: &Litmus) -> String {
    let space = if litmus.kind.memory() == Memory::Storage { "global" } else { "shared" };
    let mut writer = Writer { litmus, space, text: String::new(), labels: 0 };
    writer.main();
    writer.text
}

struct Writer<'a> {
    litmus: &'a Litmus,
    space: &'static str,
    text: String,
    labels: u32,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        let written = writeln!(self.text, "{text}");
        debug_assert!(written.is_ok(), "writing to a string succeeds");
    }

    fn code(&mut self, text: &str) {
        self.line(&format!("    {text}"));
    }

    fn main(&mut self) {
        let litmus = self.litmus;
        let words: Vec<&str> = WORDS.iter().take(litmus.words()).copied().collect();
        let storage = litmus.kind.memory() == Memory::Storage;
        let mut parameters = if storage { words.clone() } else { Vec::new() };
        parameters.push("output");
        let parameters: Vec<String> = parameters.iter().map(|name| format!(".param .u64 {name}")).collect();
        self.line(".version 8.5\n.target sm_90\n.address_size 64");
        self.line(&format!(".visible .entry main({})\n{{", parameters.join(", ")));
        self.code(&format!(".reg .pred %p;\n    .reg .b32 %i, %t, %r<{REGISTERS}>;\n    .reg .b64 %output;"));
        for name in &words {
            match storage {
                true => self.code(&format!(".reg .b64 %{name};\n    ld.param.u64 %{name}, [{name}];")),
                false => self.code(&format!(".shared .align 4 .b32 {name}[1];")),
            }
        }
        self.code("ld.param.u64 %output, [output];");
        (0..REGISTERS).for_each(|register| self.code(&format!("mov.u32 %r{register}, 0;")));
        self.code(match litmus.kind {
            Kind::Workgroups => "mov.u32 %i, %ctaid.x;",
            Kind::Subgroups { .. } => "mov.u32 %i, %tid.x;",
        });
        if !storage {
            self.zero(&words);
        }
        for (units, barrier) in litmus.phases() {
            for (unit, operations) in units.into_iter().enumerate().filter(|(_, operations)| !operations.is_empty()) {
                let end = self.unless_unit(unit);
                operations.iter().for_each(|operation| self.operation(operation));
                self.line(&end);
            }
            if barrier.is_some() {
                self.code("bar.sync 0;");
            }
        }
        for (unit, operations) in litmus.units.iter().enumerate() {
            let written = Litmus::written(operations);
            if written.is_empty() {
                continue;
            }
            let end = self.unless_unit(unit);
            let first = u32::try_from(unit).unwrap_or(u32::MAX) * REGISTERS;
            for register in written {
                self.code(&format!("st.global.u32 [%output + {}], %r{register};", 4 * (first + register)));
            }
            self.line(&end);
        }
        self.code("ret;");
        self.line("}");
    }

    /// Workgroup memory holds nothing in the beginning.
    fn zero(&mut self, words: &[&str]) {
        let end = self.unless_unit(0);
        words.iter().for_each(|name| self.code(&format!("st.shared.u32 [{name}], %r0;")));
        self.line(&end);
        self.code("bar.sync 0;");
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("L{}", self.labels)
    }

    /// Jumps over what follows, up to the label that it gives, unless this is the unit.
    fn unless_unit(&mut self, unit: usize) -> String {
        let size = match self.litmus.kind {
            Kind::Workgroups => 1,
            Kind::Subgroups { size, .. } => size,
        };
        let end = self.label();
        self.code(&format!("setp.ne.u32 %p, %i, {};", u32::try_from(unit).unwrap_or(u32::MAX).saturating_mul(size)));
        self.code(&format!("@%p bra {end};"));
        format!("{end}:")
    }

    fn address(&self, word: usize) -> String {
        let sigil = if self.space == "global" { "%" } else { "" };
        format!("[{sigil}{}]", WORDS[word])
    }

    fn operation(&mut self, operation: &Operation) {
        let space = self.space;
        match operation {
            Operation::Load { word, strength, into } => {
                let address = self.address(*word);
                self.code(&format!("ld{}.{space}.u32 %r{into}, {address};", strength.map_or_else(String::new, strong)));
            }
            Operation::Store { word, strength, value } => {
                let address = self.address(*word);
                self.code(&match *value {
                    Value::Constant(value) => format!("mov.u32 %t, {value};"),
                    Value::Sum { register, plus } => format!("add.u32 %t, %r{register}, {plus};"),
                });
                self.code(&format!("st{}.{space}.u32 {address}, %t;", strength.map_or_else(String::new, strong)));
            }
            Operation::Change { word, strength, change, into } => {
                let (address, how) = (self.address(*word), strong(*strength));
                self.code(&match *change {
                    Change::Add(value) => format!("atom{how}.{space}.add.u32 %r{into}, {address}, {value};"),
                    Change::Exchange(value) => format!("atom{how}.{space}.exch.b32 %r{into}, {address}, {value};"),
                    Change::CompareExchange { expected, value } => {
                        format!("atom{how}.{space}.cas.b32 %r{into}, {address}, {expected}, {value};")
                    }
                });
            }
            Operation::Fence(strength) => self.code(&format!("fence{};", strong(*strength))),
            Operation::If { register, equals, then } => {
                let end = self.label();
                self.code(&format!("setp.ne.u32 %p, %r{register}, {equals};"));
                self.code(&format!("@%p bra {end};"));
                then.iter().for_each(|operation| self.operation(operation));
                self.line(&format!("{end}:"));
            }
            Operation::Await { word, strength, equals } => {
                let (again, address) = (self.label(), self.address(*word));
                self.line(&format!("{again}:"));
                self.code(&format!("ld{}.{space}.u32 %t, {address};", strong(*strength)));
                self.code(&format!("setp.ne.u32 %p, %t, {equals};"));
                self.code(&format!("@%p bra {again};"));
            }
            Operation::Lock { word, strength } => {
                let (again, address) = (self.label(), self.address(*word));
                self.line(&format!("{again}:"));
                self.code(&format!("atom{}.{space}.cas.b32 %t, {address}, 0, 1;", strong(*strength)));
                self.code("setp.ne.u32 %p, %t, 0;");
                self.code(&format!("@%p bra {again};"));
            }
            // Barriers stand between phases.
            Operation::Barrier { .. } => {}
        }
    }
}

/// `.order.scope`.
fn strong(strength: Strength) -> String {
    let order = match strength.order {
        Order::Relaxed => "relaxed",
        Order::Acquire => "acquire",
        Order::Release => "release",
        Order::AcquireRelease => "acq_rel",
        Order::SequentiallyConsistent => "sc",
    };
    let scope = match strength.scope {
        Scope::Workgroup => "cta",
        Scope::Device => "gpu",
        Scope::System => "sys",
    };
    format!(".{order}.{scope}")
}
