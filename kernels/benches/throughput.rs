//! `cargo bench -p gridproof-kernels --bench throughput`: how fast the simulator and the models are.
//!
//! `prove` counts invocation-instructions and `model` products (rows times elements); criterion prints both per
//! second. The models run on all cores, everything else on one thread.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridproof_kernels::resadd_norm_gemv_int4::{Options, Variant, launch};
use gridproof_launch::{Arithmetic, Launch};
use gridproof_reference::resadd_norm_gemv_int4::{Path, Problem, Shape, model};
use gridproof_simulator::{Config, Detectors, frontend, ladder, prove};

fn problem(n: u32, k: u32) -> Problem {
    Problem::from_seed(Shape::new(n, k).expect("a valid shape"), 1)
}

fn fused(n: u32, k: u32) -> Launch {
    launch(&problem(n, k), Variant::Fused, Options::default()).expect("a launch")
}

fn single() -> Config {
    Config { threads: 1, ..Config::default() }
}

fn detectors(criterion: &mut Criterion) {
    let launch = fused(512, 5120);
    let all = Detectors::ALL;
    let sets = [
        ("all", all),
        ("without race", Detectors { race: false, ..all }),
        ("without barrier", Detectors { barrier: false, ..all }),
        ("without bounds", Detectors { bounds: false, ..all }),
        ("without offset", Detectors { offset: false, ..all }),
        ("without uninitialised", Detectors { uninitialised: false, ..all }),
        ("without alignment", Detectors { alignment: false, ..all }),
        ("none", Detectors::NONE),
    ];
    let mut group = criterion.benchmark_group("prove fused n=512 k=5120");
    for (name, detectors) in sets {
        let config = Config { detectors, ..single() };
        let instructions = prove(&launch, &config).expect("a verdict").stats.instructions;
        group.throughput(Throughput::Elements(instructions));
        group.bench_function(name, |bencher| bencher.iter(|| prove(&launch, &config)));
    }
}

fn front_end(criterion: &mut Criterion) {
    let launch = fused(1, 512);
    criterion.bench_function("front end fused", |bencher| {
        bencher.iter(|| frontend::lower(&launch, &launch.dispatches[0]));
    });
}

fn assumptions(criterion: &mut Criterion) {
    let launch = fused(256, 2048);
    let config = single();
    let proof = prove(&launch, &config).expect("a verdict");
    let mut group = criterion.benchmark_group("ladder fused n=256 k=2048");
    for slots in [32, 256] {
        group.bench_function(format!("slots={slots}"), |bencher| {
            bencher.iter(|| ladder::climb(&launch, &config, &proof, slots, 4));
        });
    }
}

fn models(criterion: &mut Criterion) {
    let (n, k) = (1024, 5120);
    let problem = problem(n, k);
    let mut group = criterion.benchmark_group(format!("model n={n} k={k}"));
    group.throughput(Throughput::Elements(u64::from(n) * u64::from(k)));
    for (name, path) in [("fused", Path::Fused), ("split", Path::Split)] {
        group.bench_function(name, |bencher| bencher.iter(|| model::run(&problem, path, Arithmetic::FUSED)));
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! { name = throughput; config = short(); targets = detectors, front_end, assumptions, models }
criterion_main!(throughput);
