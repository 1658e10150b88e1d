//! `cargo bench -p gridproof-reference --bench conv1d_qkv_split`: the model's throughput beside that of a copy.
//!
//! 4096 tokens of 6144 channels: 50 MB are read and 50 MB are written. The copy moves the same bytes with the same
//! threads. Criterion prints both; before that, a line per case has the ratio of their median times when they take
//! turns, so that a busy machine is busy for both.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridproof_launch::Arithmetic;
use gridproof_reference::conv1d_qkv_split::model::run_into;
use gridproof_reference::conv1d_qkv_split::{ElementType, Outputs, Problem, Shape, Sizes};
use rayon::prelude::*;

const ROUNDS: usize = 21;

fn problem(element: ElementType, width: u32, lengths: Vec<u32>) -> Problem {
    let sizes = Sizes { q: 1024, k: 1024, v: 4096, width, lengths, slots: 64, stride: None, element, bias: true };
    let shape = Shape::new(sizes).expect("valid sizes");
    let indices: Vec<i32> = (0..).take(shape.sequences() as usize).collect();
    let initial = vec![1; indices.len()];
    Problem::from_seed(shape, &indices, &initial, 1).expect("valid indices")
}

/// As many bytes of x to the outputs.
fn copy(problem: &Problem, outputs: &mut Outputs) {
    let mut from = problem.inputs().x.as_slice();
    for to in [&mut outputs.q, &mut outputs.k, &mut outputs.v] {
        let (taken, left) = from.split_at(to.len() / 2);
        let pairs = taken.par_chunks(16_384).zip(to.par_chunks_mut(32_768));
        pairs.for_each(|(from, to)| to.copy_from_slice(bytemuck::cast_slice(from)));
        from = left;
    }
}

/// The median times of the model and of the copy, taking turns.
fn medians(problem: &Problem, outputs: &mut Outputs) -> (Duration, Duration) {
    let (mut model, mut copied) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        run_into(problem, Arithmetic::FUSED, outputs);
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
    for (element, width, sequences) in
        [(ElementType::Bf16, 4, 1), (ElementType::Bf16, 2, 1), (ElementType::F16, 4, 1), (ElementType::Bf16, 4, 64)]
    {
        let problem = problem(element, width, vec![4096 / sequences; sequences as usize]);
        let bytes = 4 * problem.shape().x_elements() as u64;
        let mut outputs = Outputs::default();
        run_into(&problem, Arithmetic::FUSED, &mut outputs);
        let name = format!("{element:?} width={width} sequences={sequences}");
        let (model, copied) = medians(&problem, &mut outputs);
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
            bencher.iter(|| run_into(&problem, Arithmetic::FUSED, &mut outputs));
        });
        group.bench_function("copy", |bencher| bencher.iter(|| copy(&problem, &mut outputs)));
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}

criterion_group!(name = benches; config = short(); targets = compare);
criterion_main!(benches);
