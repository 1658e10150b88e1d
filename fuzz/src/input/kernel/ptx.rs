//! Drawn kernels as PTX.
//!
//! Every value has a register of its own, so there is nothing to allocate. Sums and products carry `.rn`: nothing may be
//! contracted.

use std::fmt::Write;

use super::{FLOATS, Float, INPUTS, Kernel, Lines, OUTPUTS, Plant, Statement, Text, WORDS, Word, WordOp, power_of_two};

/// The text of a module with the entry point `main`.
pub fn text(kernel: &Kernel) -> Text {
    let mut writer = Writer { kernel, body: String::new(), lines: 0, registers: 0, labels: 0, race: [0; 2] };
    writer.main();
    let Writer { body, registers, race, .. } = writer;
    let head = head(kernel, registers);
    let before = u32::try_from(head.lines().count()).unwrap_or(0);
    let race: Option<Lines> = kernel.plant.map(|_| race.map(|line| line + before));
    Text { text: head + &body, race }
}

fn head(kernel: &Kernel, registers: u32) -> String {
    let used = registers + 1;
    format!(
        ".version 8.5
.target sm_90
.address_size 64
.visible .entry main(.param .u64 input, .param .u64 output, .param .u64 meeting)
{{
.reg .pred %p<{used}>;
.reg .b32 %r<{used}>, %w<{WORDS}>, %l, %g;
.reg .f32 %x<{used}>, %f<{FLOATS}>;
.reg .b64 %a<{used}>, %input, %output, %meeting, %own, %place, %tile;
.shared .align 4 .b32 tile[{}];
",
        kernel.size
    )
}

struct Writer<'a> {
    kernel: &'a Kernel,
    body: String,
    lines: u32,
    registers: u32,
    labels: u32,
    race: Lines,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        let written = writeln!(self.body, "{text}");
        debug_assert!(written.is_ok(), "writing to a string succeeds");
        self.lines += 1;
    }

    fn next(&mut self) -> u32 {
        self.registers += 1;
        self.registers
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("L{}", self.labels)
    }

    fn main(&mut self) {
        let kernel = self.kernel;
        for name in ["input", "output", "meeting"] {
            self.line(&format!("ld.param.u64 %{name}, [{name}];"));
        }
        self.line("mov.u32 %l, %tid.x;");
        self.line("mov.u32 %g, %ctaid.x;");
        let (index, element) = (self.next(), self.next());
        self.line(&format!("mad.lo.u32 %r{index}, %g, {}, %l;", kernel.size));
        self.line(&format!("mul.wide.u32 %a{element}, %r{index}, {};", 4 * OUTPUTS));
        self.line(&format!("add.u64 %own, %output, %a{element};"));
        let base = self.next();
        self.line("mov.u64 %tile, tile;");
        self.line(&format!("mul.wide.u32 %a{base}, %l, 4;"));
        self.line(&format!("add.u64 %place, %tile, %a{base};"));
        // WGSL's workgroup memory is zeros in the beginning; this would be read before it is written.
        self.line("st.shared.u32 [%place], 0;");
        self.line("bar.sync 0;");
        self.line("mov.u32 %w0, %l;");
        self.line("mov.u32 %w1, %g;");
        self.line("mov.u32 %w2, 1;");
        self.line("mov.u32 %w3, 2;");
        self.line("mov.f32 %f0, 0f3F800000;");
        self.line("mov.f32 %f1, 0f3F000000;");
        self.block(&kernel.body);
        (0..WORDS).for_each(|at| self.line(&format!("st.global.u32 [%own + {}], %w{at};", 4 * at)));
        for at in 0..FLOATS {
            let bits = self.bits(&format!("%f{at}"));
            self.line(&format!("st.global.u32 [%own + {}], {bits};", 4 * (WORDS + at)));
        }
        self.line("ret;");
        self.line("}");
    }

    fn block(&mut self, block: &[Statement]) {
        block.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Word(variable, value) => {
                let value = self.word(value);
                self.line(&format!("mov.u32 %w{variable}, {value};"));
            }
            Statement::Float(variable, value) => {
                let value = self.float(value);
                self.line(&format!("mov.f32 %f{variable}, {value};"));
            }
            Statement::Output(variable, value) => {
                let value = self.word(value);
                self.line(&format!("st.global.u32 [%own + {}], {value};", 4 * variable));
                self.line(&format!("ld.global.u32 %w{variable}, [%own + {}];", 4 * variable));
            }
            Statement::Exchange { variable, word, distance } => {
                let value = self.word(word);
                self.line(&format!("st.shared.u32 [%place], {value};"));
                self.line("bar.sync 0;");
                let address = self.neighbour(*distance);
                self.line(&format!("ld.shared.u32 %w{variable}, [{address}];"));
                self.line("bar.sync 0;");
            }
            Statement::If(one, other, accept, reject) => {
                let (one, other) = (self.word(one), self.word(other));
                let (no, end, truth) = (self.label(), self.label(), self.next());
                self.line(&format!("setp.ge.u32 %p{truth}, {one}, {other};"));
                self.line(&format!("@%p{truth} bra {no};"));
                self.block(accept);
                self.line(&format!("bra {end};"));
                self.line(&format!("{no}:"));
                self.block(reject);
                self.line(&format!("{end}:"));
            }
            Statement::Repeat(times, body) => {
                let (value, limit) = (self.word(times), self.next());
                self.line(&format!("and.b32 %r{limit}, {value}, 3;"));
                self.repeat(&format!("%r{limit}"), body);
            }
            Statement::Uniform(times, body) => self.repeat(&times.to_string(), body),
            Statement::Race => self.planted(),
        }
    }

    fn repeat(&mut self, limit: &str, body: &[Statement]) {
        let (again, end, counter, truth) = (self.label(), self.label(), self.next(), self.next());
        self.line(&format!("mov.u32 %r{counter}, 0;"));
        self.line(&format!("{again}:"));
        self.line(&format!("setp.ge.u32 %p{truth}, %r{counter}, {limit};"));
        self.line(&format!("@%p{truth} bra {end};"));
        self.block(body);
        self.line(&format!("add.u32 %r{counter}, %r{counter}, 1;"));
        self.line(&format!("bra {again};"));
        self.line(&format!("{end}:"));
    }

    /// The address of the place in the tile that is so much further on.
    fn neighbour(&mut self, distance: u32) -> String {
        let (sum, rest, bytes) = (self.next(), self.next(), self.next());
        self.line(&format!("add.u32 %r{sum}, %l, {distance};"));
        self.line(&format!("rem.u32 %r{rest}, %r{sum}, {};", self.kernel.size));
        self.line(&format!("mul.wide.u32 %a{bytes}, %r{rest}, 4;"));
        self.line(&format!("add.u64 %a{bytes}, %tile, %a{bytes};"));
        format!("%a{bytes}")
    }

    fn planted(&mut self) {
        let (value, truth, end) = (self.next(), self.next(), self.label());
        match self.kernel.plant {
            None => {}
            Some(Plant::Tile) => {
                self.line("bar.sync 0;");
                let address = self.neighbour(1);
                self.line(&format!("add.u32 %r{value}, %l, 5;"));
                self.line(&format!("st.shared.u32 [%place], %r{value};"));
                self.race[0] = self.lines;
                self.line(&format!("ld.shared.u32 %r{value}, [{address}];"));
                self.race[1] = self.lines;
                self.seven_if_ones(value, truth, &end);
                self.line(&format!("{end}:"));
                self.line("bar.sync 0;");
            }
            Some(Plant::Workgroups) => {
                let (after, first) = (self.label(), self.next());
                self.line(&format!("or.b32 %r{first}, %g, %l;"));
                self.line(&format!("setp.ne.u32 %p{first}, %r{first}, 0;"));
                self.line(&format!("@%p{first} bra {after};"));
                self.line(&format!("mov.u32 %r{value}, 9;"));
                self.line(&format!("st.global.u32 [%meeting], %r{value};"));
                self.race[0] = self.lines;
                self.line(&format!("{after}:"));
                let last = self.next();
                self.line(&format!("setp.ne.u32 %p{last}, %g, {};", self.kernel.groups - 1));
                self.line(&format!("@%p{last} bra {end};"));
                self.line(&format!("setp.ne.u32 %p{last}, %l, 0;"));
                self.line(&format!("@%p{last} bra {end};"));
                self.line(&format!("ld.global.u32 %r{value}, [%meeting];"));
                self.race[1] = self.lines;
                self.seven_if_ones(value, truth, &end);
                self.line(&format!("{end}:"));
            }
        }
    }

    /// What is read is compared with what it cannot be, so that no output depends on it.
    fn seven_if_ones(&mut self, value: u32, truth: u32, end: &str) {
        self.line(&format!("setp.ne.u32 %p{truth}, %r{value}, 4294967295;"));
        self.line(&format!("@%p{truth} bra {end};"));
        self.line("mov.u32 %w0, 7;");
    }

    /// The register or constant that holds a word.
    fn word(&mut self, value: &Word) -> String {
        let (operation, a, b) = match value {
            Word::Variable(variable) => return self.copied(&format!("%w{variable}")),
            Word::Constant(value) => return self.copied(&value.to_string()),
            Word::Local => return "%l".to_owned(),
            Word::Workgroup => return "%g".to_owned(),
            Word::Input(index) => return self.input(index),
            Word::Bits(value) => {
                let value = self.float(value);
                return self.bits(&value);
            }
            Word::Select(all) => {
                let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| self.word(&all[at]));
                let (truth, result) = (self.next(), self.next());
                self.line(&format!("setp.lt.u32 %p{truth}, {c}, {d};"));
                self.line(&format!("selp.b32 %r{result}, {a}, {b}, %p{truth};"));
                return format!("%r{result}");
            }
            Word::Left(a, by) => ("shl.b32", self.word(a), by.to_string()),
            Word::Right(a, by) => ("shr.u32", self.word(a), by.to_string()),
            Word::Binary(operation, a, b) => {
                let name = match operation {
                    WordOp::Add => "add.u32",
                    WordOp::Sub => "sub.u32",
                    WordOp::Mul => "mul.lo.u32",
                    WordOp::And => "and.b32",
                    WordOp::Or => "or.b32",
                    WordOp::Xor => "xor.b32",
                    WordOp::Min => "min.u32",
                    WordOp::Max => "max.u32",
                };
                (name, self.word(a), self.word(b))
            }
        };
        let result = self.next();
        self.line(&format!("{operation} %r{result}, {a}, {b};"));
        format!("%r{result}")
    }

    fn copied(&mut self, source: &str) -> String {
        let result = self.next();
        self.line(&format!("mov.u32 %r{result}, {source};"));
        format!("%r{result}")
    }

    fn input(&mut self, index: &Word) -> String {
        let (index, rest, bytes, result) = (self.word(index), self.next(), self.next(), self.next());
        self.line(&format!("rem.u32 %r{rest}, {index}, {INPUTS};"));
        self.line(&format!("mul.wide.u32 %a{bytes}, %r{rest}, 4;"));
        self.line(&format!("add.u64 %a{bytes}, %input, %a{bytes};"));
        self.line(&format!("ld.global.u32 %r{result}, [%a{bytes}];"));
        format!("%r{result}")
    }

    /// The register with the bits of a float, 0 for a NaN.
    fn bits(&mut self, value: &str) -> String {
        let (bits, truth, result) = (self.next(), self.next(), self.next());
        self.line(&format!("mov.b32 %r{bits}, {value};"));
        self.line(&format!("setp.nan.f32 %p{truth}, {value}, {value};"));
        self.line(&format!("selp.b32 %r{result}, 0, %r{bits}, %p{truth};"));
        format!("%r{result}")
    }

    fn float(&mut self, value: &Float) -> String {
        let code = match value {
            Float::Variable(variable) => {
                let source = format!("%f{variable}");
                let result = self.next();
                self.line(&format!("mov.f32 %x{result}, {source};"));
                return format!("%x{result}");
            }
            Float::Of(value, exponent) => {
                let (value, low, whole) = (self.word(value), self.next(), self.next());
                self.line(&format!("and.b32 %r{low}, {value}, 65535;"));
                self.line(&format!("cvt.rn.f32.u32 %x{whole}, %r{low};"));
                format!("mul.rn.f32 RESULT, %x{whole}, 0f{:08X}", power_of_two(*exponent).to_bits())
            }
            Float::Add(a, b) => format!("add.rn.f32 RESULT, {}, {}", self.float(a), self.float(b)),
            Float::Mul(a, b) => format!("mul.rn.f32 RESULT, {}, {}", self.float(a), self.float(b)),
            Float::MulAdd(all) => {
                let [a, b, c] = [0, 1, 2].map(|at: usize| self.float(&all[at]));
                format!("fma.rn.f32 RESULT, {a}, {b}, {c}")
            }
        };
        let result = format!("%x{}", self.next());
        self.line(&format!("{};", code.replace("RESULT", &result)));
        result
    }
}
