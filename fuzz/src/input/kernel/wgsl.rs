//! Drawn kernels as WGSL.

use std::fmt::Write;

use super::{FLOATS, Float, INPUTS, Kernel, Lines, OUTPUTS, Plant, Statement, Text, WORDS, Word, WordOp, power_of_two};

/// The text of a module with the entry point `main`.
pub fn text(kernel: &Kernel) -> Text {
    let mut writer = Writer { kernel, text: String::new(), lines: 0, loops: 0, race: [0; 2] };
    writer.module();
    let race: Option<Lines> = kernel.plant.map(|_| writer.race);
    Text { text: writer.text, race }
}

struct Writer<'a> {
    kernel: &'a Kernel,
    text: String,
    lines: u32,
    loops: u32,
    race: Lines,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        let written = writeln!(self.text, "{text}");
        debug_assert!(written.is_ok(), "writing to a string succeeds");
        self.lines += 1;
    }

    fn module(&mut self) {
        let kernel = self.kernel;
        self.line("@group(0) @binding(0) var<storage, read> input: array<u32>;");
        self.line("@group(0) @binding(1) var<storage, read_write> output: array<u32>;");
        self.line("@group(0) @binding(2) var<storage, read_write> meeting: array<u32>;");
        self.line(&format!("var<workgroup> tile: array<u32, {}>;", kernel.size));
        self.line("fn bits(x: f32) -> u32 { let b = bitcast<u32>(x); return select(b, 0u, (b & 0x7fffffffu) > 0x7f800000u); }");
        self.line(&format!("@compute @workgroup_size({})", kernel.size));
        self.line("fn main(@builtin(local_invocation_index) l: u32, @builtin(workgroup_id) id: vec3<u32>) {");
        self.line("let g = id.x;");
        self.line(&format!("let o = (g * {}u + l) * {OUTPUTS}u;", kernel.size));
        self.line("var w0 = l; var w1 = g; var w2 = 1u; var w3 = 2u; var f0 = 1.0f; var f1 = 0.5f;");
        self.block(&kernel.body);
        (0..WORDS).for_each(|at| self.line(&format!("output[o + {at}u] = w{at};")));
        (0..FLOATS).for_each(|at| self.line(&format!("output[o + {}u] = bits(f{at});", WORDS + at)));
        // A binding that the entry point does not use would be no binding of it.
        self.line("if arrayLength(&meeting) + arrayLength(&input) == 0u { output[o] = meeting[0] + input[0]; }");
        self.line("}");
    }

    fn block(&mut self, block: &[Statement]) {
        block.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Word(variable, value) => self.line(&format!("w{variable} = {};", word(value))),
            Statement::Float(variable, value) => self.line(&format!("f{variable} = {};", float(value))),
            Statement::Output(variable, value) => {
                self.line(&format!("output[o + {variable}u] = {};", word(value)));
                self.line(&format!("w{variable} = output[o + {variable}u];"));
            }
            Statement::Exchange { variable, word: value, distance } => {
                self.line(&format!("tile[l] = {};", word(value)));
                self.line("workgroupBarrier();");
                self.line(&format!("w{variable} = tile[(l + {distance}u) % {}u];", self.kernel.size));
                self.line("workgroupBarrier();");
            }
            Statement::If(one, other, accept, reject) => {
                self.line(&format!("if {} < {} {{", word(one), word(other)));
                self.block(accept);
                self.line("} else {");
                self.block(reject);
                self.line("}");
            }
            Statement::Repeat(times, body) => {
                let (name, times) = (self.next_loop(), word(times));
                self.line(&format!("let t{name} = {times} & 3u;"));
                self.line(&format!("for (var n{name} = 0u; n{name} < t{name}; n{name}++) {{"));
                self.block(body);
                self.line("}");
            }
            Statement::Uniform(times, body) => {
                let name = self.next_loop();
                self.line(&format!("for (var n{name} = 0u; n{name} < {times}u; n{name}++) {{"));
                self.block(body);
                self.line("}");
            }
            Statement::Race => self.planted(),
        }
    }

    fn next_loop(&mut self) -> u32 {
        self.loops += 1;
        self.loops
    }

    /// What is read is compared with what it cannot be, so that no output depends on it.
    fn planted(&mut self) {
        match self.kernel.plant {
            None => {}
            Some(Plant::Tile) => {
                self.line("workgroupBarrier();");
                self.line("tile[l] = l + 5u;");
                self.race[0] = self.lines;
                self.line(&format!("if tile[(l + 1u) % {}u] == 0xffffffffu {{", self.kernel.size));
                self.race[1] = self.lines;
                self.line("w0 = 7u;");
                self.line("}");
                self.line("workgroupBarrier();");
            }
            Some(Plant::Workgroups) => {
                self.line("if g == 0u && l == 0u {");
                self.line("meeting[0] = 9u;");
                self.race[0] = self.lines;
                self.line("}");
                self.line(&format!("if g == {}u && l == 0u {{", self.kernel.groups - 1));
                self.line("if meeting[0] == 0xffffffffu {");
                self.race[1] = self.lines;
                self.line("w0 = 7u;");
                self.line("}");
                self.line("}");
            }
        }
    }
}

fn word(value: &Word) -> String {
    match value {
        Word::Constant(value) => format!("{value}u"),
        Word::Variable(variable) => format!("w{variable}"),
        Word::Local => "l".to_owned(),
        Word::Workgroup => "g".to_owned(),
        Word::Input(index) => format!("input[{} % {INPUTS}u]", word(index)),
        Word::Binary(operation, a, b) => {
            let (a, b) = (word(a), word(b));
            match operation {
                WordOp::Add => format!("({a} + {b})"),
                WordOp::Sub => format!("({a} - {b})"),
                WordOp::Mul => format!("({a} * {b})"),
                WordOp::And => format!("({a} & {b})"),
                WordOp::Or => format!("({a} | {b})"),
                WordOp::Xor => format!("({a} ^ {b})"),
                WordOp::Min => format!("min({a}, {b})"),
                WordOp::Max => format!("max({a}, {b})"),
            }
        }
        // The front end computes with constants exactly, and would find that these lose bits.
        Word::Left(a, by) => format!("({} << (w2 * 0u + {by}u))", word(a)),
        Word::Right(a, by) => format!("({} >> (w2 * 0u + {by}u))", word(a)),
        Word::Select(all) => {
            let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| word(&all[at]));
            format!("select({b}, {a}, {c} < {d})")
        }
        Word::Bits(value) => format!("bits({})", float(value)),
    }
}

fn float(value: &Float) -> String {
    match value {
        Float::Variable(variable) => format!("f{variable}"),
        Float::Of(value, exponent) => {
            format!("(f32({} & 0xffffu) * bitcast<f32>({}u))", word(value), power_of_two(*exponent).to_bits())
        }
        Float::Add(a, b) => format!("({} + {})", float(a), float(b)),
        Float::Mul(a, b) => format!("({} * {})", float(a), float(b)),
        Float::MulAdd(all) => format!("fma({}, {}, {})", float(&all[0]), float(&all[1]), float(&all[2])),
    }
}
