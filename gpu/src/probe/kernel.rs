//! The probe's own kernels, and what runs them.

use gridproof_launch::{Argument, Buffer, DType, Dispatch, Launch, LaunchError, Module, Source, Tensor};

use crate::limits::count_u64;
use crate::{Device, Exactness, RunError, RunOptions};

/// A number generator (SplitMix64): the same inputs on every machine.
pub(super) struct Generator(pub(super) u64);

impl Generator {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Random mantissa and sign; an exponent from `least` to `most`, unbiased.
    pub(super) fn float(&mut self, least: i32, most: i32) -> f32 {
        let bits = self.next();
        let span = u64::from(least.abs_diff(most)) + 1;
        let exponent = i64::from(least) + i64::try_from((bits >> 40) % span).unwrap_or(0);
        let biased = u32::try_from(exponent + 127).unwrap_or(0);
        let low = u32::try_from(bits & 0xFFFF_FFFF).unwrap_or(0);
        f32::from_bits((low & 0x807F_FFFF) | (biased << 23))
    }
}

pub(crate) fn buffer(name: &str, dtype: DType, words: &[u32]) -> Result<Buffer, LaunchError> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Ok(Buffer::from_tensor(Tensor::dense(name, dtype, [count_u64(words.len())], bytes)?))
}

/// Adds a buffer and the argument that binds it to the variable of its name.
pub(crate) fn bind(launch: &mut Launch, dispatch: &mut Dispatch, buffer: Buffer) {
    let name = buffer.name.clone();
    let id = launch.add_buffer(buffer);
    dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
}

pub(crate) fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// One input of an arithmetic kernel: the values of `a`, `b` and `c`.
pub(crate) type Input = [f32; 3];

/// What evaluates the float expressions that `arithmetic.wgsl` and `arithmetic.cu` name alike.
pub(crate) trait Evaluate {
    /// The result of the expression called `entry` for every input.
    fn evaluate(&self, entry: &str, inputs: &[Input]) -> Result<Vec<f32>, RunError>;
}

/// A wgpu device in one of its modes.
pub(super) struct OnWgpu<'a> {
    pub(super) device: &'a Device,
    pub(super) exactness: Exactness,
}

impl Evaluate for OnWgpu<'_> {
    fn evaluate(&self, entry: &str, inputs: &[Input]) -> Result<Vec<f32>, RunError> {
        let text = include_str!("../../wgsl/arithmetic.wgsl");
        let launch = arithmetic_launch(Module::new("arithmetic.wgsl", Source::Wgsl(text.into())), entry, inputs)?;
        let options = RunOptions { exactness: self.exactness, ..RunOptions::default() };
        let outputs = self.device.run(&launch, &options)?;
        let bytes = outputs.buffers.into_iter().flatten().next().unwrap_or_default();
        Ok(floats(&bytes, inputs.len()))
    }
}

/// Invocations of a workgroup.
pub(crate) const WORKGROUP: u32 = 64;

/// A launch of one of the module's expressions: the columns `a`, `b` and `c`, and `result`.
pub(crate) fn arithmetic_launch(module: Module, entry: &str, inputs: &[Input]) -> Result<Launch, RunError> {
    let groups = u32::try_from(inputs.len()).unwrap_or(u32::MAX).div_ceil(WORKGROUP);
    let length = usize::try_from(u64::from(groups) * u64::from(WORKGROUP)).unwrap_or(0);
    let mut launch = Launch::default();
    let module = launch.add_module(module);
    let mut dispatch = Dispatch::new(module, entry, [groups, 1, 1]);
    for (position, name) in ["a", "b", "c"].into_iter().enumerate() {
        let mut column: Vec<u32> = inputs.iter().map(|input| input[position].to_bits()).collect();
        column.resize(length, 1.0_f32.to_bits());
        bind(&mut launch, &mut dispatch, buffer(name, DType::F32, &column)?);
    }
    bind(&mut launch, &mut dispatch, buffer("result", DType::F32, &vec![0; length])?.as_output());
    launch.dispatches.push(dispatch);
    Ok(launch)
}

/// The first `count` numbers of a column.
pub(crate) fn floats(bytes: &[u8], count: usize) -> Vec<f32> {
    let mut results: Vec<f32> = words(bytes).into_iter().map(f32::from_bits).collect();
    results.truncate(count);
    results
}
