//! Launches of the catalogue: kernel, variant, shape, indices, language, subgroup size, arithmetic and a schedule.
//!
//! Sizes are small enough for hundreds of executions a second, and around the values at which the dispatchers and the known
//! defects change. Some shapes are wrong on purpose: to be refused, with an error, is a right answer, and counted.

use std::fmt::Write;

use gridproof_kernels::catalogue::catalogue;
use gridproof_launch::{Arithmetic, Language};
use gridproof_simulator::Policy;

use super::{Scope, indices};
use crate::draw::Draw;

/// One launch of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogueLaunch {
    /// The kernel.
    pub kernel: &'static str,
    /// The variant that runs.
    pub variant: String,
    /// The variant that the oracle takes it to be.
    pub believed: String,
    /// The shape, as `--shape` takes it.
    pub shape: String,
    /// Seed of the data.
    pub data_seed: u64,
    /// How a multiply-add rounds.
    pub arithmetic: Arithmetic,
    /// Invocations of a subgroup.
    pub subgroup_size: u32,
    /// Which source runs.
    pub language: Language,
    /// A schedule under which a race-free launch must give the same.
    pub policy: Policy,
    /// Worker threads of a second proof, which must say the same as the first.
    pub threads: usize,
}

/// Every wrong variant with its kernel.
pub fn wrong_variants() -> Vec<(&'static str, &'static str)> {
    let all = catalogue().iter().flat_map(|kernel| kernel.variants.iter().map(|entry| (kernel.name, entry.name)));
    all.filter(|variant| !SOUND.contains(variant)).collect()
}

/// Variants without a defect of their own.
const SOUND: [(&str, &str); 11] = [
    ("resadd_norm_gemv_int4", "split"),
    ("gdn_conv_fused", "split"),
    ("gdn_decode", "auto"),
    ("gdn_decode", "wide_vec"),
    ("gdn_decode", "ilp4"),
    ("gdn_decode", "pretranspose"),
    ("conv1d_qkv_split", "auto"),
    ("conv1d_qkv_split", "sequential"),
    ("conv1d_qkv_split", "fused"),
    ("gdn_chunked", "chunked"),
    ("gdn_chunked", "serial"),
];

/// What the dispatcher of a kernel runs where nobody asks for a variant.
fn sound(kernel: &str) -> &'static str {
    match kernel {
        "resadd_norm_gemv_int4" | "gdn_conv_fused" => "split",
        "gdn_chunked" => "chunked",
        _ => "auto",
    }
}

/// Draws a launch of `kernel`.
pub fn draw(draw: &mut Draw<'_, '_>, kernel: &str, scope: &Scope) -> CatalogueLaunch {
    let entry = catalogue().iter().find(|entry| entry.name == kernel).unwrap_or(&catalogue()[0]);
    let names: Vec<&str> = entry.variants.iter().map(|variant| variant.name).collect();
    let drawn = draw.pick(&names);
    let (variant, believed) = match &scope.switched_on {
        Some(switched_on) => (switched_on.variant.as_str(), sound(entry.name)),
        None => (drawn, drawn),
    };
    // A compilation takes as long as many launches, and every shape is one of its own.
    let cuda = draw.one_in(if scope.switched_on.is_some() { 4 } else { 24 }) && scope.cuda;
    let subgroup_size = draw.pick(&[32, 32, 32, 32, 32, 64, 128, 16, 8, 4]);
    let separate = draw.one_in(4);
    let data_seed = u64::from(draw.below(1 << 16));
    let slots = draw.pick(&[1, 2, 3, 4, 8, 32, 512]);
    let seed = u64::from(draw.word());
    let policy = match draw.below(4) {
        0 => Policy::Serial,
        1 => Policy::Waves { slots },
        _ => Policy::Bounded { slots, seed },
    };
    let threads = if draw.one_in(8) { 2 } else { 1 };
    let shape = match entry.name {
        "resadd_norm_gemv_int4" => resadd(draw),
        "gdn_conv_fused" => conv_fused(draw),
        "gdn_decode" => decode(draw, cuda, variant),
        "conv1d_qkv_split" => conv1d(draw, cuda),
        _ => chunked(draw),
    };
    CatalogueLaunch {
        kernel: entry.name,
        variant: variant.to_owned(),
        believed: believed.to_owned(),
        shape,
        data_seed,
        arithmetic: if separate && !cuda { Arithmetic::SEPARATE } else { Arithmetic::FUSED },
        subgroup_size: if cuda { 32 } else { subgroup_size },
        language: if cuda { Language::Cuda } else { Language::Wgsl },
        policy,
        threads,
    }
}

/// `key=value` pairs with commas.
#[derive(Default)]
struct Shape(String);

impl Shape {
    fn with(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        let written = write!(self.0, "{comma}{key}={value}");
        debug_assert!(written.is_ok(), "writing to a string succeeds");
        self
    }
}

/// Most products of one launch, and of one in eight.
const RESADD_WORK: [u32; 2] = [1 << 14, 1 << 19];

fn resadd(draw: &mut Draw<'_, '_>) -> String {
    let k = 512 * draw.pick(&[1, 2, 3, 4, 5, 6, 8, 9, 16]);
    let n = draw.pick(&[1, 2, 3, 4, 7, 16, 31, 32, 33, 64, 127, 128, 129, 255, 256, 511, 512, 513, 514, 1000]);
    let most = RESADD_WORK[usize::from(draw.one_in(16))];
    let n = n.min((most / k).max(1));
    // Once in a while a size that must be refused.
    let (n, k) = match draw.below(32) {
        30 => (n, k + draw.pick(&[1, 64, 128, 256])),
        31 => (draw.pick(&[0, 65_536, 4_000_000_000]), k),
        _ => (n, k),
    };
    Shape::default().with("n", n).with("k", k).0
}

fn conv_fused(draw: &mut Draw<'_, '_>) -> String {
    let small = [(1, 1), (1, 2), (2, 2), (2, 4), (1, 3), (1, 1), (2, 3)];
    let large = [(4, 8), (2, 12), (8, 8), (8, 16), (1, 3)];
    let (h, hv): (u32, u32) = if draw.one_in(16) { draw.pick(&large) } else { draw.pick(&small) };
    // Few workgroups, and once in a while around 32.
    let few = draw.pick(&[1, 2, 3]).min(4 / hv).max(1);
    let edge = draw.pick(&[32 / hv, 32 / hv + 1, 33 / hv]).max(1);
    let n: u32 = if draw.one_in(16) { edge } else { few };
    let pool = u64::from(n) + draw.pick(&[0, 1, 2, 5, 60, 1000]);
    let slot = indices::slots(draw, n, pool);
    let pool = if draw.one_in(4) { "auto".to_owned() } else { pool.to_string() };
    Shape::default()
        .with("n", n)
        .with("h", h)
        .with("hv", hv)
        .with("layout", draw.pick(&["sequential", "interleaved"]))
        .with("pool", pool)
        .with("slot", slot)
        .with("check", u32::from(draw.one_in(4)))
        .with("gates", draw.pick(&["normal", "extreme"]))
        .0
}

/// A dense state of one value head, in elements.
const STATE: u64 = 128 * 128;

fn decode(draw: &mut Draw<'_, '_>, cuda: bool, variant: &str) -> String {
    let (h, hv): (u32, u32) = draw.pick(&[(1, 1), (1, 2), (1, 1), (2, 2), (1, 3), (2, 4), (2, 3)]);
    let t = draw.pick(&[1, 1, 2, 1, 2, 3, 5]);
    let most = if t > 2 || hv > 2 { 1 } else { 2 };
    // Rows of intermediate states around 2^31 elements, which only CUDA C++ reaches.
    let far = draw.one_in(4) && cuda;
    let b = if far { 2 } else { draw.between(1, most) };
    let dense = u64::from(hv) * STATE;
    let strides = [dense, dense, dense + 8, 2 * dense, 1 << 20, 1 << 24, 1 << 27, dense + 64];
    let stride = if draw.one_in(32) { dense - 8 } else { draw.pick(&strides) };
    let mut pool = u64::from(b) + draw.pick(&[0, 1, 4, 61, 1000]);
    let mut slot = indices::slots(draw, b, pool);
    // Offsets around 2^31 and 2^32 elements, or as far as WGSL goes. Buffers are virtual: only what is touched counts.
    if draw.one_in(3) {
        let edge = 1_u64 << if cuda { draw.pick(&[31, 32]) } else { draw.pick(&[29, 30]) };
        let first = (edge / stride + u64::from(draw.below(3))).saturating_sub(1);
        pool = first + u64::from(b) + u64::from(draw.below(3));
        let listed: Vec<String> = (0..u64::from(b)).map(|other| (first + other).to_string()).collect();
        slot = listed.join("+");
    }
    // Most kernels have one type of state; the other is refused.
    let usual = if variant == "pretranspose" { "f32" } else { "bf16" };
    let either = !matches!(variant, "pretranspose" | "wide_vec" | "ilp4" | "wide_vec_no_pass_barrier");
    let state = if either || draw.one_in(16) { draw.pick(&["bf16", "f32"]) } else { usual };
    let tile = if draw.one_in(4) { draw.pick(&["32", "16", "64", "128"]) } else { "auto" };
    let write = if draw.one_in(3) { indices::slots(draw, b, pool) } else { "same".to_owned() };
    let row = (1 << 31) / (dense * u64::from(b - 1).max(1));
    let steps = match (far, draw.one_in(4)) {
        (true, _) => (row + u64::from(draw.below(3)) - 1).to_string(),
        (_, true) => (t + draw.below(3)).to_string(),
        _ => "same".to_owned(),
    };
    let cache = if far { 1 } else { draw.below(2) };
    Shape::default()
        .with("b", b)
        .with("t", t)
        .with("h", h)
        .with("hv", hv)
        .with("pool", pool)
        .with("slot", slot)
        .with("write", write)
        .with("stride", if stride == dense { "dense".to_owned() } else { stride.to_string() })
        .with("steps", steps)
        .with("state", state)
        .with("update", u32::from(!draw.one_in(4)))
        .with("cache", cache)
        .with("tile", tile)
        .with("check", u32::from(draw.one_in(4)))
        .with("gates", draw.pick(&["normal", "extreme"]))
        .0
}

fn conv1d(draw: &mut Draw<'_, '_>, cuda: bool) -> String {
    let channels = [128, 2, 64, 126, 130, 254, 256, 258, 512];
    let [q, k, v] = [(); 3].map(|()| draw.pick(&channels) + u32::from(draw.one_in(32)));
    let sequences = draw.between(1, 4);
    let lengths: Vec<String> =
        (0..sequences).map(|_| draw.pick(&[1, 0, 2, 3, 4, 7, 8, 9, 12, 17]).to_string()).collect();
    let slots = u64::from(sequences) + draw.pick(&[0, 1, 4, 100, 1000]);
    let mut slot = indices::slots(draw, sequences, slots);
    let mut slots = slots;
    if draw.one_in(4) {
        // The state of a slot around 2^31 bytes or elements from the start.
        let state = u64::from(q + k + v) * 3;
        let edge = (1_u64 << draw.pick(if cuda { &[31, 32][..] } else { &[29, 30][..] })) / state;
        slots = edge + u64::from(sequences) + 1;
        slot = (0..u64::from(sequences)).map(|other| (edge + other).to_string()).collect::<Vec<_>>().join("+");
    }
    let init: Vec<String> = (0..sequences).map(|_| draw.below(2).to_string()).collect();
    let stride = draw.pick(&[0, 0, 0, 2, 64, 1]);
    let stride = if stride == 0 { "dense".to_owned() } else { (q + k + v + stride).to_string() };
    Shape::default()
        .with("q", q)
        .with("k", k)
        .with("v", v)
        .with("lens", lengths.join("+"))
        .with("width", draw.pick(&[4, 2, 3]))
        .with("dtype", draw.pick(&["bf16", "f16"]))
        .with("bias", draw.below(2))
        .with("slots", slots)
        .with("slot", slot)
        .with("init", init.join("+"))
        .with("stride", stride)
        .with("check", u32::from(draw.one_in(4)))
        .0
}

fn chunked(draw: &mut Draw<'_, '_>) -> String {
    let long = draw.one_in(16);
    let (h, hv) = if long { (1, 1) } else { draw.pick(&[(1, 1), (1, 1), (1, 2), (2, 2), (2, 3)]) };
    let sequences = if long { 1 } else { draw.pick(&[1, 1, 1, 2]) };
    let tokens = if long { [17, 16, 15, 31, 32, 33] } else { [1, 2, 3, 1, 2, 4] };
    let lengths: Vec<String> = (0..sequences).map(|_| draw.pick(&tokens).to_string()).collect();
    Shape::default()
        .with("t", lengths.join("+"))
        .with("h", h)
        .with("hv", hv)
        .with("c", if draw.one_in(32) { 8 } else { draw.pick(&[16, 32, 64]) })
        .with("d", if draw.one_in(32) { 100 } else { draw.pick(&[128, 128, 256]) })
        .with("decay", draw.pick(&["normal", "strong"]))
        .with("state", draw.pick(&["random", "zero"]))
        .0
}
