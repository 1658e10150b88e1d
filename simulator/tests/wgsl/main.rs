//! What WGSL constructs mean: kernels are lowered and run, and their outputs compared with what the
//! construct's definition gives, computed here.

#![expect(missing_docs, reason = "a test program")]

mod control;
mod conversions;
mod functions;
mod languages;
mod math;
mod memory;
mod operators;
mod packing;
mod random;
mod subgroups;
mod types;

use gridproof_launch::{
    Argument, Buffer, Constant, DType, Dispatch, Fill, Launch, Module, Source, Target, Tensor, Value,
};
use gridproof_simulator::{Config, Outcome, prove};

/// Buffers of 32-bit words called `input` (if the text names it) and `output`.
pub struct Run<'a> {
    pub source: Source,
    pub entry: &'a str,
    pub input: &'a [u32],
    /// Words of `output`.
    pub words: u64,
    pub grid: [u32; 3],
    pub constants: Vec<(&'a str, Constant)>,
    pub subgroup_size: u32,
}

impl<'a> Run<'a> {
    pub fn wgsl(text: &str, input: &'a [u32], words: u64) -> Self {
        let source = Source::Wgsl(text.into());
        Self { source, entry: "main", input, words, grid: [1, 1, 1], constants: Vec::new(), subgroup_size: 32 }
    }

    pub fn outcome(self) -> Outcome {
        let mut launch = Launch::default();
        let bytes: Vec<u8> = self.input.iter().flat_map(|word| word.to_le_bytes()).collect();
        let shape = [u64::try_from(self.input.len()).unwrap()];
        let module = launch.add_module(Module::new("t.wgsl", self.source));
        let mut dispatch = Dispatch::new(module, self.entry, self.grid);
        dispatch.constants = self.constants.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let input = Buffer::from_tensor(Tensor::dense("input", DType::U32, shape, bytes).unwrap());
        let output = Buffer::filled("output", DType::U32, [self.words], Fill::Byte(0)).unwrap();
        for (binding, buffer) in (0..).zip([input, output]) {
            let range = buffer.range();
            let value = Value::Buffer { buffer: launch.add_buffer(buffer), range };
            dispatch.arguments.push(Argument { target: Target::Slot { group: 0, binding }, value });
        }
        launch.dispatches.push(dispatch);
        let config = Config { subgroup_size: self.subgroup_size, threads: 1, ..Config::default() };
        prove(&launch, &config).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The words of `output` of a run without findings.
    pub fn words(self) -> Vec<u32> {
        let outcome = self.outcome();
        assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
        assert!(outcome.exhausted.is_none(), "{:?}", outcome.exhausted);
        words(&outcome)
    }
}

pub fn words(outcome: &Outcome) -> Vec<u32> {
    let bytes = outcome.buffers[1].to_vec();
    bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// Runs a whole module.
pub fn module(text: &str, input: &[u32], words: u64) -> Vec<u32> {
    Run::wgsl(text, input, words).words()
}

const HEAD: &str = "
    enable f16;
    @group(0) @binding(0) var<storage, read> input: array<u32>;
    @group(0) @binding(1) var<storage, read_write> output: array<u32>;
    fn real(i: u32) -> f32 { return bitcast<f32>(input[i]); }
    fn int(i: u32) -> i32 { return bitcast<i32>(input[i]); }
    fn put(i: u32, value: f32) { output[i] = bitcast<u32>(value); }
    fn puti(i: u32, value: i32) { output[i] = bitcast<u32>(value); }
";

/// Runs `fn main` with this body on one invocation.
pub fn body(text: &str, input: &[u32], words: u64) -> Vec<u32> {
    items("", text, input, words)
}

/// Like [`body`], with more items at module scope.
pub fn items(items: &str, text: &str, input: &[u32], words: u64) -> Vec<u32> {
    module(&format!("{HEAD} {items}\n@compute @workgroup_size(1) fn main() {{ {text} }}"), input, words)
}

/// Runs `fn main` with this body on 64 invocations; `i` is the invocation's index.
pub fn parallel(global: &str, text: &str, input: &[u32], words: u64) -> Vec<u32> {
    let main = "@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32)";
    module(&format!("{HEAD} {global}\n{main} {{ {text} }}"), input, words)
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

pub fn reals(words: &[u32]) -> Vec<f32> {
    words.iter().map(|&word| f32::from_bits(word)).collect()
}

pub fn ints(values: &[i32]) -> Vec<u32> {
    values.iter().map(|value| value.cast_unsigned()).collect()
}

/// Asserts that floats agree to a relative error of `tolerance`.
#[track_caller]
pub fn close(actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (at, (a, b)) in actual.iter().zip(expected).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1e-3);
        assert!(same, "[{at}] {a} instead of {b}\n{actual:?}\n{expected:?}");
    }
}
