//! What PTX instructions mean, as data: every row of `tests/ptx/opcodes/*.txt` is a kernel of its own.
//!
//! A row is `text : inputs -> outputs # rule`. Inputs are called `a`, `b`, `c`, `e`, outputs `d`, `q`, `r`, `s`, in
//! order; all are bits, and their number of digits says how wide the register is (one digit is a predicate). `?` as the
//! only output says that the instruction is refused.
//!
//! What is expected comes from the text of the PTX ISA, and where that needs calculation from exact rational numbers,
//! never from this crate.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use gridproof_launch::{Argument, Buffer, DType, Dispatch, Fill, Launch, Module, Source, Target, Tensor, Value};
use gridproof_simulator::{Config, SimulateError, prove, ptx_support};

const INPUTS: [&str; 4] = ["a", "b", "c", "e"];
const OUTPUTS: [&str; 4] = ["d", "q", "r", "s"];

/// One row of a file.
#[derive(Debug)]
struct Row {
    place: String,
    text: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

impl Row {
    fn parse(place: String, line: &str) -> Self {
        let (row, _rule) = line.split_once(" # ").unwrap_or((line, ""));
        let (text, values) = row.rsplit_once(" : ").unwrap_or_else(|| panic!("{place}: no ` : `"));
        let (inputs, outputs) = values.split_once("->").unwrap_or_else(|| panic!("{place}: no `->`"));
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self { place, text: text.trim().to_owned(), inputs: words(inputs), outputs: words(outputs) }
    }

    fn is_refused(&self) -> bool {
        self.outputs == ["?"]
    }

    /// The kernel: loads the inputs, executes the text, stores the outputs, 8 bytes each.
    fn module(&self) -> String {
        let mut body = String::new();
        for (at, (name, digits)) in INPUTS.iter().zip(&self.inputs).enumerate() {
            body += &load(name, digits.len(), 8 * at);
        }
        let outputs: &[String] = if self.is_refused() { &[] } else { &self.outputs };
        for (name, digits) in OUTPUTS.iter().zip(outputs) {
            writeln!(body, ".reg .{} {name};", register(digits.len())).unwrap();
        }
        for name in OUTPUTS.iter().skip(outputs.len()) {
            writeln!(body, ".reg .b32 {name};").unwrap();
        }
        writeln!(body, "{};", self.text).unwrap();
        for (at, (name, digits)) in OUTPUTS.iter().zip(outputs).enumerate() {
            body += &store(name, digits.len(), 8 * at);
        }
        format!(
            ".version 9.0\n.target sm_100a\n.address_size 64\n.visible .entry main(.param .u64 in, .param .u64 out)\n\
             {{\n.reg .b64 %in, %out;\n.reg .b32 %word;\n.reg .pred %p;\n\
             ld.param.u64 %in, [in];\nld.param.u64 %out, [out];\n{body}ret;\n}}\n"
        )
    }

    fn run(&self) -> Result<Vec<u64>, SimulateError> {
        let mut launch = Launch::default();
        let module = launch.add_module(Module::new("row.ptx", Source::Ptx(self.module().into())));
        let mut dispatch = Dispatch::new(module, "main", [1, 1, 1]);
        dispatch.workgroup = Some([1, 1, 1]);
        let bits = |digits: &String| u64::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{}", self.place));
        let mut bytes: Vec<u8> = self.inputs.iter().flat_map(|digits| bits(digits).to_le_bytes()).collect();
        bytes.resize(32, 0);
        let input = Buffer::from_tensor(Tensor::dense("in", DType::U32, [8], bytes).unwrap());
        let output = Buffer::filled("out", DType::U32, [8], Fill::Byte(0)).unwrap();
        for (name, buffer) in [("in", input), ("out", output)] {
            let range = buffer.range();
            let value = Value::Buffer { buffer: launch.add_buffer(buffer), range };
            dispatch.arguments.push(Argument { target: Target::Name(name.into()), value });
        }
        launch.dispatches.push(dispatch);
        let outcome = prove(&launch, &Config { threads: 1, ..Config::default() })?;
        assert!(outcome.findings.is_empty(), "{}: {:?}", self.place, outcome.findings);
        let bytes = outcome.buffers[1].to_vec();
        Ok(bytes.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect())
    }

    /// What is wrong with it, if anything.
    fn check(&self) -> Option<String> {
        let complain = |what: String| Some(format!("{}: `{}` {what}", self.place, self.text));
        match self.run() {
            Err(SimulateError::Unsupported(_) | SimulateError::Module { .. }) if self.is_refused() => None,
            Err(error) => complain(format!("gives: {error}\n{}", self.module())),
            Ok(_) if self.is_refused() => complain("is not refused".into()),
            Ok(values) => {
                let found: Vec<String> =
                    self.outputs.iter().zip(values).map(|(digits, value)| hex(value, digits.len())).collect();
                if found == self.outputs { None } else { complain(format!("gives {found:?}, not {:?}", self.outputs)) }
            }
        }
    }

    /// The opcodes of the text.
    fn opcodes(&self) -> impl Iterator<Item = &str> {
        self.text.split(';').filter_map(|part| part.trim().split(['.', ' ']).next())
    }
}

fn hex(value: u64, digits: usize) -> String {
    format!("{value:0digits$x}")
}

fn register(digits: usize) -> &'static str {
    match digits {
        1 => "pred",
        2 => "b8",
        4 => "b16",
        8 => "b32",
        _ => "b64",
    }
}

fn load(name: &str, digits: usize, at: usize) -> String {
    match digits {
        1 => {
            format!(".reg .pred {name};\nld.global.b32 %word, [%in+{at}];\nsetp.ne.b32 {name}, %word, 0;\n")
        }
        _ => {
            let ty = register(digits);
            format!(".reg .{ty} {name};\nld.global.{ty} {name}, [%in+{at}];\n")
        }
    }
}

fn store(name: &str, digits: usize, at: usize) -> String {
    match digits {
        1 => format!("selp.b32 %word, 1, 0, {name};\nst.global.b32 [%out+{at}], %word;\n"),
        _ => format!("st.global.{} [%out+{at}], {name};\n", register(digits)),
    }
}

fn rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ptx/opcodes");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut rows = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for (line, content) in (1..).zip(text.lines()) {
            if !content.trim().is_empty() && !content.starts_with('#') {
                rows.push(Row::parse(format!("{name}:{line}"), content));
            }
        }
    }
    rows
}

#[test]
fn every_row_gives_what_the_isa_says() {
    let failures: Vec<String> = rows().iter().filter_map(Row::check).collect();
    assert!(failures.is_empty(), "{} rows fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_opcode_has_a_row_and_every_row_a_listed_opcode() {
    let rows = rows();
    let run: BTreeSet<&str> = rows.iter().filter(|row| !row.is_refused()).flat_map(Row::opcodes).collect();
    let families = ptx_support();
    let listed = |scalar: bool| {
        let families = families.iter().filter(move |family| family.scalar || !scalar);
        families.flat_map(|family| family.opcodes).map(|opcode| opcode.opcode).collect::<BTreeSet<&str>>()
    };
    let unlisted: Vec<_> = run.iter().filter(|opcode| !opcode.is_empty() && !listed(false).contains(*opcode)).collect();
    assert!(unlisted.is_empty(), "not in the table: {unlisted:?}");
    let untested: Vec<_> = listed(true).into_iter().filter(|opcode| !run.contains(opcode)).collect();
    assert!(untested.is_empty(), "without a row: {untested:?}");
}

/// What needs more than one invocation or memory has its cases in `tests/pass/ptx`.
#[test]
fn every_other_opcode_has_a_case() {
    let mut text = String::from(include_str!("ptx/mma.txt"));
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pass/ptx")).unwrap() {
        for file in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            text += &std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        }
    }
    let words: BTreeSet<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "%_".contains(c)))
        .filter(|word| !word.is_empty())
        .collect();
    let families = ptx_support();
    let others = families.iter().filter(|family| !family.scalar).flat_map(|family| family.opcodes);
    let missing: Vec<_> = others.map(|opcode| opcode.opcode).filter(|opcode| !words.contains(opcode)).collect();
    assert!(missing.is_empty(), "no case has: {missing:?}");
}

#[test]
fn the_document_lists_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("PTX.md");
    let text = document();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "PTX.md differs from the table: BLESS=1 rewrites it");
}

fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    for family in ptx_support() {
        write!(text, "\n## {}\n\n| opcode | forms |\n| --- | --- |\n", family.name).unwrap();
        for opcode in family.opcodes {
            let form = |form: &&&str| {
                let text = form.replace('|', "\\|");
                if form.starts_with(['.', '{']) && !form.contains(' ') { format!("`{text}`") } else { text }
            };
            let forms: Vec<String> = opcode.forms.iter().map(|text| form(&text)).collect();
            writeln!(text, "| `{}` | {} |", opcode.opcode, forms.join("<br>")).unwrap();
        }
    }
    text
}

const INTRODUCTION: &str = "# PTX that is modelled

What is not listed is refused with its name and its place, never skipped. `{...}` may be left out, `a|b` is one of them.
The list is made from the table beside the lowering (`BLESS=1 cargo test -p gridproof-simulator --test opcodes`).

Where PTX leaves a result open, this is assumed:

* integer division by zero gives all ones, for quotient and remainder;
* a NaN that an operation gives is 0x7fff (f16, bf16), 0x7fffffff (f32), 0x7fffe000 (tf32) or 0x7f (e4m3, e5m2); f64
  keeps payloads, and makes 0xfff8000000000000; `mov`, `copysign` and selections keep the bits of theirs;
* `.ftz` flushes operands, and results that are too small before they are rounded; the f32 forms of `mul`, `fma`, `div`
  and `rcp` that round to nearest look after it instead, which differs for a result that is rounded up to the smallest
  normal number, and no other;
* approximate functions give the correctly rounded value, and the report names them;
* `add`, `sub` and `mul` without a rounding are not contracted to `fma`;
* the condition code is 0 where no `.cc` has set it;
* the products of `mma` are added as tensor cores of the Hopper generation add them.
";
