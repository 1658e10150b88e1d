//! Exact mode against Rust's own f32 arithmetic, on every bit of 65,536 normal inputs.

use gridproof_gpu::{Device, Exactness};
use libtest_mimic::Failed;

use crate::kernel::{Kernel, same};
use crate::{Needs, Test};

pub const TESTS: &[Test] = &[
    ("exact::a_difference_of_a_sum", Needs::Exact, |device| check(device, &DIFFERENCE)),
    ("exact::a_sum_of_products", Needs::Exact, |device| check(device, &PRODUCTS)),
    ("exact::horner", Needs::Exact, |device| check(device, &HORNER)),
    ("exact::a_multiply_then_add", Needs::Exact, |device| check(device, &MULTIPLY_ADD)),
    ("exact::a_negated_multiply_then_subtract", Needs::Exact, |device| check(device, &NEGATED)),
    ("exact::a_long_sum_in_a_loop", Needs::Exact, |device| check(device, &LOOP)),
    ("exact::vectors_and_scalars", Needs::Exact, |device| check(device, &VECTOR)),
    ("exact::without_it_lavapipe_gives_other_bits", Needs::Lavapipe, ordinary_differs),
];

const COUNT: u32 = 65_536;

/// A WGSL expression of `a`, `b`, `c`, and the same in Rust.
struct Expression {
    wgsl: &'static str,
    rust: fn(f32, f32, f32) -> f32,
}

const DIFFERENCE: Expression = Expression { wgsl: "(a + b) - a", rust: |a, b, _| (a + b) - a };
const PRODUCTS: Expression = Expression { wgsl: "a * b + a * c", rust: |a, b, c| a * b + a * c };
const MULTIPLY_ADD: Expression = Expression { wgsl: "a * b + c", rust: |a, b, c| a * b + c };
const NEGATED: Expression = Expression { wgsl: "-(a * b) - c", rust: |a, b, c| -(a * b) - c };
const HORNER: Expression = Expression {
    wgsl: "((((a * 0.7f + b) * a + 1.3f) * a + c) * a - 0.4f) * a + 1.0f",
    rust: |a, b, c| ((((a * 0.7 + b) * a + 1.3) * a + c) * a - 0.4) * a + 1.0,
};
const LOOP: Expression = Expression { wgsl: "sum(a, b, c)", rust: sum };
const VECTOR: Expression = Expression {
    wgsl: "((vec3<f32>(a, b, c) * b + vec3<f32>(c, a, b)) - vec3<f32>(a, b, c) * b).y",
    rust: |a, b, _| (b * b + a) - b * b,
};

fn sum(a: f32, b: f32, c: f32) -> f32 {
    let mut total = a;
    for _ in 0..16 {
        total = total + b * c - a;
    }
    total
}

fn kernel(expression: &str) -> Kernel {
    let mut kernel = Kernel::new(&format!(
        "@group(0) @binding(0) var<storage, read> inputs: array<array<f32, 3>>;
        @group(0) @binding(1) var<storage, read_write> results: array<f32>;
        fn sum(a: f32, b: f32, c: f32) -> f32 {{
            var total = a;
            for (var i = 0; i < 16; i++) {{ total = total + b * c - a; }}
            return total;
        }}
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) at: vec3<u32>) {{
            let a = inputs[at.x][0];
            let b = inputs[at.x][1];
            let c = inputs[at.x][2];
            results[at.x] = {expression};
        }}"
    ));
    let inputs: Vec<u32> = inputs().into_iter().flatten().map(f32::to_bits).collect();
    kernel.words("inputs", &inputs);
    kernel.output("results", &vec![0; usize::try_from(COUNT).unwrap_or(0)]);
    kernel.dispatch("main", COUNT / 64);
    kernel
}

/// Numbers of magnitude 1/16 to 16, every mantissa bit and the sign random (xorshift).
fn inputs() -> Vec<[f32; 3]> {
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let mut number = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [low, high] = [state & 0xFFFF_FFFF, state >> 32].map(|half| u32::try_from(half).unwrap_or(0));
        f32::from_bits((low & 0x807F_FFFF) | ((123 + high % 8) << 23))
    };
    (0..COUNT).map(|_| [number(), number(), number()]).collect()
}

/// How many results differ from Rust's in some bit.
fn wrong(device: &Device, expression: &Expression, exactness: Exactness) -> Result<usize, Failed> {
    let outputs = kernel(expression.wgsl).run(device, exactness)?;
    let expected = inputs().into_iter().map(|[a, b, c]| (expression.rust)(a, b, c).to_bits());
    Ok(outputs[0].iter().zip(expected).filter(|(found, expected)| *found != expected).count())
}

fn check(device: &Device, expression: &Expression) -> Result<(), Failed> {
    same(expression.wgsl, wrong(device, expression, Exactness::Exact)?, 0)
}

/// That the decoration does it, and nothing else: the same driver without it. Other drivers may be exact
/// by themselves, so only lavapipe is held to this.
fn ordinary_differs(device: &Device) -> Result<(), Failed> {
    for expression in [&DIFFERENCE, &PRODUCTS] {
        let ordinary = wrong(device, expression, Exactness::Ordinary)?;
        same(expression.wgsl, ordinary > 1000, true)?;
    }
    Ok(())
}
