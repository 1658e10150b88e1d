//! The fingerprint of a CUDA device: the measures of [`crate::Fingerprint`], with kernels in CUDA C++.
//!
//! *Exact* are intrinsics that round to nearest, of which the kernels of the catalogue are made; *ordinary* are plain
//! expressions as the compiler's usual options translate them (`a * b + c` is contracted to `fma` then, in the PTX
//! already).

use std::collections::BTreeSet;

use gridproof_launch::{Argument, Arithmetic, DType, Dispatch, Launch, Module, Source, Target};

use super::device::bytes;
use super::{CudaDevice, CudaSummary, CudaUnavailable, CudaVersion};
use crate::nvrtc::{Cubin, Nvrtc, Program};
use crate::probe::{
    Evaluate, Input, WORKGROUP, arithmetic_launch, bind, buffer, floats, loop_counts, loops_launch, profiles, words,
};
use crate::{Exact, Folding, LoopCount, MultiplyAddCount, RunError, RunOptions};

/// Invocations that are asked for their warp.
const ASKED: u32 = 128;

/// What a CUDA device does, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct CudaFingerprint {
    /// Which device.
    pub device: CudaSummary,
    /// Which compiler made the kernels.
    pub compiler: CudaVersion,
    /// How often loops of 70,000 iterations ran.
    pub loops: Vec<LoopCount>,
    /// A plain `a * b + c`, with the compiler's usual options.
    pub multiply_add: MultiplyAddCount,
    /// A plain `(a + b) - a` and `a * b + a * c`.
    pub folding: Folding,
    /// The same and more, in intrinsics that round to nearest.
    pub exact: Exact,
    /// Sizes of a warp that a workgroup of 128 was told, and how many invocations answered together.
    pub warps: (BTreeSet<u32>, BTreeSet<u32>),
    /// Free and total bytes of device memory.
    pub memory: (u64, u64),
}

impl CudaFingerprint {
    /// The profiles in which the device may be compared bit for bit; empty where it counts loops wrong.
    pub fn profiles(&self) -> Vec<Arithmetic> {
        if self.loops.iter().all(LoopCount::is_right) { profiles(&self.exact) } else { Vec::new() }
    }
}

pub(super) fn fingerprint(device: &CudaDevice, compiler: &Nvrtc) -> Result<CudaFingerprint, CudaUnavailable> {
    device.summary().check_compiler(compiler.version())?;
    measure(device, compiler)
        .map_err(|reason| CudaUnavailable::ProbeFailed { device: device.summary().to_string(), reason })
}

fn measure(device: &CudaDevice, compiler: &Nvrtc) -> Result<CudaFingerprint, String> {
    let words = |error: RunError| error.to_string();
    let expressions =
        |exact| Kernels::new(device, compiler, "arithmetic.cu", include_str!("../../cuda/arithmetic.cu"), exact);
    let (exact, ordinary) = (expressions(true)?, expressions(false)?);
    let others = Kernels::new(device, compiler, "loops.cu", include_str!("../../cuda/loops.cu"), true)?;
    let (major, minor) = compiler.version();
    Ok(CudaFingerprint {
        device: device.summary().clone(),
        compiler: CudaVersion { major, minor },
        loops: others.loops().map_err(words)?,
        multiply_add: MultiplyAddCount::of_expression(&ordinary).map_err(words)?,
        folding: Folding::measure(&ordinary).map_err(words)?,
        exact: Exact::measure(&exact).map_err(words)?,
        warps: others.warps().map_err(words)?,
        memory: device.memory().map_err(words)?,
    })
}

/// A compiled module of the probe.
struct Kernels<'a> {
    device: &'a CudaDevice,
    module: Module,
    cubin: Option<Cubin>,
}

impl<'a> Kernels<'a> {
    fn new(device: &'a CudaDevice, compiler: &Nvrtc, name: &str, text: &str, exact: bool) -> Result<Self, String> {
        let program = Program {
            architecture: device.summary().architecture(),
            macros: vec![("EXACT".to_owned(), u8::from(exact).to_string())],
            ..Program::new(name, text)
        };
        let compiled = compiler.compile(&program).map_err(|error| error.to_string())?;
        let module = Module::new(name, Source::Ptx(compiled.text.into()));
        Ok(Self { device, module, cubin: compiled.cubin })
    }

    /// Runs a launch of the module; its outputs' bytes, in order.
    fn run(&self, mut launch: Launch, invocations: u32) -> Result<Vec<Vec<u8>>, RunError> {
        for dispatch in &mut launch.dispatches {
            dispatch.workgroup = Some([invocations, 1, 1]);
            let arguments = dispatch.arguments.drain(..).zip(0..);
            dispatch.arguments =
                arguments.map(|(argument, at)| Argument { target: Target::Parameter(at), ..argument }).collect();
        }
        let outputs = self.device.run(&launch, std::slice::from_ref(&self.cubin), &RunOptions::default())?;
        Ok(outputs.buffers.iter().flatten().filter_map(bytes).map(<[u8]>::to_vec).collect())
    }

    fn loops(&self) -> Result<Vec<LoopCount>, RunError> {
        let outputs = self.run(loops_launch(self.module.clone())?, 1)?;
        Ok(loop_counts(outputs.first().map_or(&[], Vec::as_slice)))
    }

    fn warps(&self) -> Result<(BTreeSet<u32>, BTreeSet<u32>), RunError> {
        let mut launch = Launch::default();
        let module = launch.add_module(self.module.clone());
        let mut dispatch = Dispatch::new(module, "observe", [1, 1, 1]);
        let nothing = vec![0; usize::try_from(ASKED).unwrap_or(0)];
        bind(&mut launch, &mut dispatch, buffer("told", DType::U32, &nothing)?.as_output());
        bind(&mut launch, &mut dispatch, buffer("answered", DType::U32, &nothing)?.as_output());
        launch.dispatches.push(dispatch);
        let mut seen = self.run(launch, ASKED)?.into_iter().map(|bytes| words(&bytes).into_iter().collect());
        Ok((seen.next().unwrap_or_default(), seen.next().unwrap_or_default()))
    }
}

impl Evaluate for Kernels<'_> {
    fn evaluate(&self, entry: &str, inputs: &[Input]) -> Result<Vec<f32>, RunError> {
        let outputs = self.run(arithmetic_launch(self.module.clone(), entry, inputs)?, WORKGROUP)?;
        Ok(floats(outputs.first().map_or(&[], Vec::as_slice), inputs.len()))
    }
}
