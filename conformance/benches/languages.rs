//! `cargo bench -p gridproof-conformance --bench languages`: the same kernel through WGSL and through the PTX that NVRTC
//! makes of its CUDA C++.
//!
//! Criterion prints invocation-instructions per second of one thread with all detectors, and how long each front end
//! takes. Without NVRTC the PTX half is left out, with a line that says so.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridproof_conformance::cuda;
use gridproof_kernels::resadd_norm_gemv_int4::{Options, Variant, launch};
use gridproof_launch::{Language, Launch, Source};
use gridproof_reference::resadd_norm_gemv_int4::{Problem, Shape};
use gridproof_simulator::{Config, frontend, prove};

/// The kernel's launch in each language that can be had here.
fn launches(n: u32, k: u32) -> Vec<(&'static str, Launch)> {
    let problem = Problem::from_seed(Shape::new(n, k).expect("a valid shape"), 1);
    let made =
        |language| launch(&problem, Variant::Fused, Options { language, ..Options::default() }).expect("a launch");
    let mut all = vec![("wgsl", made(Language::Wgsl))];
    match cuda::compiled(&made(Language::Cuda)) {
        Ok(launch) => all.push(("ptx", launch.into_owned())),
        Err(error) => println!("ptx left out: {error}"),
    }
    all
}

fn proofs(criterion: &mut Criterion) {
    let config = Config { threads: 1, ..Config::default() };
    let mut group = criterion.benchmark_group("prove fused n=512 k=5120");
    for (language, launch) in launches(512, 5120) {
        let instructions = prove(&launch, &config).expect("a verdict").stats.instructions;
        group.throughput(Throughput::Elements(instructions));
        group.bench_function(language, |bencher| bencher.iter(|| prove(&launch, &config)));
    }
}

fn front_ends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("front end fused n=1 k=512");
    for (language, launch) in launches(1, 512) {
        let text = launch.modules.first().map_or(0, |module| match &module.source {
            Source::Wgsl(text) | Source::Ptx(text) => text.len(),
            _ => 0,
        });
        group.throughput(Throughput::Bytes(u64::try_from(text).unwrap_or(0)));
        group.bench_function(language, |bencher| bencher.iter(|| frontend::lower(&launch, &launch.dispatches[0])));
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args()
}

criterion_group!(name = benches; config = short(); targets = proofs, front_ends);
criterion_main!(benches);
