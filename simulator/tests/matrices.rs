//! `mma.sync`, compared with what a device of the Hopper generation gave, bit by bit.
//!
//! A row of `tests/ptx/mma.txt` is an instruction's name, what its operands were drawn from, and the registers of A, B
//! and C, then of D, of each of the 32 invocations, in hexadecimal.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::path::Path;

use gridproof_launch::{Argument, Buffer, DType, Dispatch, Fill, Launch, Module, Source, Target, Tensor, Value};
use gridproof_simulator::{Config, prove};

/// One row.
struct Row {
    name: String,
    mode: String,
    inputs: Vec<u64>,
    outputs: Vec<u64>,
}

fn rows() -> Vec<Row> {
    let path = std::env::var("MMA").unwrap_or_else(|_| format!("{}/tests/ptx/mma.txt", env!("CARGO_MANIFEST_DIR")));
    let values = |text: &str| text.split(',').map(|word| u64::from_str_radix(word, 16).unwrap()).collect();
    let parse = |line: &str| {
        let [name, mode, inputs, outputs]: [&str; 4] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        Row { name: name.into(), mode: mode.into(), inputs: values(inputs), outputs: values(outputs) }
    };
    std::fs::read_to_string(Path::new(&path))
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(parse)
        .collect()
}

impl Row {
    /// Registers of A, B, C and D, by trying what the instruction's name says.
    fn counts(&self) -> [usize; 4] {
        let words: Vec<&str> = self.name.split('.').collect();
        let shape: Vec<usize> = words[3].split(['m', 'n', 'k']).filter_map(|number| number.parse().ok()).collect();
        let types: Vec<&str> = words[6..].iter().copied().filter(|word| *word != "satfinite").take(4).collect();
        let bits = |ty: &str| match ty {
            "f64" => 64,
            "f16" | "bf16" => 16,
            "e4m3" | "e5m2" | "s8" | "u8" => 8,
            "s4" | "u4" => 4,
            "b1" => 1,
            _ => 32,
        };
        let [m, n, k] = [shape[0], shape[1], shape[2]];
        let matrices = if k == 4 && types[1] == "f16" { 4 } else { 1 };
        let registers = |elements: usize, ty: &str| elements * matrices * bits(ty) / (32 * bits(ty).max(32));
        [registers(m * k, types[1]), registers(k * n, types[2]), registers(m * n, types[3]), registers(m * n, types[0])]
    }

    fn module(&self) -> String {
        let counts = self.counts();
        let ty = if self.name.contains("f64") { "b64" } else { "b32" };
        let names: Vec<Vec<String>> = ["a", "b", "c", "d"]
            .iter()
            .zip(counts)
            .map(|(name, count)| (0..count).map(|i| format!("%{name}{i}")).collect())
            .collect();
        let mut body = String::new();
        for name in names.iter().flatten() {
            writeln!(body, ".reg .{ty} {name};").unwrap();
        }
        for (at, name) in names[..3].iter().flatten().enumerate() {
            writeln!(body, "ld.global.{ty} {name}, [%in+{}];", 8 * at).unwrap();
        }
        let list = |which: usize| names[which].join(", ");
        writeln!(body, "{} {{{}}}, {{{}}}, {{{}}}, {{{}}};", self.name, list(3), list(0), list(1), list(2)).unwrap();
        for (at, name) in names[3].iter().enumerate() {
            writeln!(body, "st.global.{ty} [%out+{}], {name};", 8 * at).unwrap();
        }
        let (input, output) = (8 * (counts[0] + counts[1] + counts[2]), 8 * counts[3]);
        format!(
            ".version 9.0\n.target sm_90a\n.address_size 64\n.visible .entry main(.param .u64 in, .param .u64 out)\n\
             {{\n.reg .b64 %in, %out, %t;\n.reg .b32 %lane;\nld.param.u64 %in, [in];\nld.param.u64 %out, [out];\n\
             mov.u32 %lane, %tid.x;\nmul.wide.u32 %t, %lane, {input};\nadd.s64 %in, %in, %t;\n\
             mul.wide.u32 %t, %lane, {output};\nadd.s64 %out, %out, %t;\n{body}ret;\n}}\n"
        )
    }

    fn run(&self) -> Vec<u64> {
        let mut launch = Launch::default();
        let module = launch.add_module(Module::new("mma.ptx", Source::Ptx(self.module().into())));
        let mut dispatch = Dispatch::new(module, "main", [1, 1, 1]);
        dispatch.workgroup = Some([32, 1, 1]);
        let bytes: Vec<u8> = self.inputs.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape = [u64::try_from(bytes.len() / 4).unwrap()];
        let words = u64::try_from(self.outputs.len() * 2).unwrap();
        let input = Buffer::from_tensor(Tensor::dense("in", DType::U32, shape, bytes).unwrap());
        let output = Buffer::filled("out", DType::U32, [words], Fill::Byte(0)).unwrap();
        for (name, buffer) in [("in", input), ("out", output)] {
            let range = buffer.range();
            let value = Value::Buffer { buffer: launch.add_buffer(buffer), range };
            dispatch.arguments.push(Argument { target: Target::Name(name.into()), value });
        }
        launch.dispatches.push(dispatch);
        let outcome =
            prove(&launch, &Config { threads: 1, ..Config::default() }).unwrap_or_else(|error| panic!("{error}"));
        assert!(outcome.findings.is_empty(), "{}: {:?}", self.name, outcome.findings);
        let bytes = outcome.buffers[1].to_vec();
        bytes.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }
}

#[test]
fn every_element_has_the_bits_of_the_device() {
    let mut failures = Vec::new();
    for row in rows() {
        let found = row.run();
        let different: Vec<usize> = (0..found.len()).filter(|&at| found[at] != row.outputs[at]).collect();
        if let Some(&first) = different.first() {
            failures.push(format!(
                "{} {}: {} of {} registers, first {first}: {:x}, not {:x}",
                row.name,
                row.mode,
                different.len(),
                found.len(),
                found[first],
                row.outputs[first]
            ));
        }
    }
    assert!(failures.is_empty(), "{} rows differ:\n{}", failures.len(), failures.join("\n"));
}
