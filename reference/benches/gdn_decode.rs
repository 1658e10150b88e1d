//! `cargo bench -p gridproof-reference --bench gdn_decode`: the model's throughput beside that of a copy.
//!
//! 32 requests with 64 value heads, updated: with bf16 states 67 MB are read and 67 MB are written. The copy moves the
//! same bytes with the same threads. Criterion prints both; before that, a line per case has the ratio of their median
//! times when they take turns, so that a busy machine is busy for both.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_decode::model::{Outputs, run_into};
use gridproof_reference::gdn_decode::{Path, Problem, Shape, Sizes, StateType};
use rayon::prelude::*;

const ROUNDS: usize = 51;

fn problem(state: StateType, t: u32) -> Problem {
    let sizes = Sizes {
        b: 32,
        t,
        h: 16,
        hv: 64,
        k: 128,
        v: 128,
        pool: 65,
        stride: None,
        steps: None,
        state,
        update: true,
        cache_intermediate: false,
    };
    let read: Vec<i32> = (1..33).collect();
    let write: Vec<i32> = (33..65).collect();
    Problem::from_seed(Shape::new(sizes).expect("valid sizes"), &read, &write, 1).expect("valid indices")
}

fn copy(problem: &Problem, outputs: &mut Outputs) {
    let pairs: Vec<_> = problem.inputs().states.values().zip(outputs.states.values_mut()).collect();
    pairs.into_par_iter().for_each(|(from, to)| {
        from.par_chunks(32_768).zip(to.par_chunks_mut(32_768)).for_each(|(from, to)| to.copy_from_slice(from));
    });
}

/// The median times of the model and of the copy, taking turns.
fn medians(problem: &Problem, path: Path, outputs: &mut Outputs) -> (Duration, Duration) {
    let (mut model, mut copied) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        run_into(problem, path, Arithmetic::FUSED, outputs);
        model.push(start.elapsed());
        let start = Instant::now();
        copy(problem, outputs);
        copied.push(start.elapsed());
    }
    model.sort_unstable();
    copied.sort_unstable();
    (model[ROUNDS / 2], copied[ROUNDS / 2])
}

fn compare(criterion: &mut Criterion) {
    for (path, state, t) in [
        (Path::WideVec, StateType::Bf16, 1),
        (Path::Ilp4, StateType::Bf16, 1),
        (Path::Pretranspose, StateType::F32, 1),
        (Path::WideVec, StateType::Bf16, 4),
    ] {
        let problem = problem(state, t);
        let bytes = 2 * 32 * problem.shape().slot_bytes();
        let mut outputs = Outputs::default();
        run_into(&problem, path, Arithmetic::FUSED, &mut outputs);
        let name = format!("{path:?} {state:?} b=32 hv=64 t={t}");
        let (model, copied) = medians(&problem, path, &mut outputs);
        let rate = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e9;
        println!(
            "{name}: model {:.2} GB/s ({model:.1?}), copy {:.2} GB/s ({copied:.1?}), ratio {:.2}",
            rate(model),
            rate(copied),
            copied.as_secs_f64() / model.as_secs_f64()
        );
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function("model", |bencher| {
            bencher.iter(|| run_into(&problem, path, Arithmetic::FUSED, &mut outputs));
        });
        group.bench_function("copy", |bencher| bencher.iter(|| copy(&problem, &mut outputs)));
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

criterion_group!(name = benches; config = short(); targets = compare);
criterion_main!(benches);
