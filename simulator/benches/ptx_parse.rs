//! `cargo bench -p gridproof-simulator --bench ptx_parse`: how many bytes of PTX are parsed per second, on one thread.
//!
//! The module is made here, of the constructs that compilers emit, in about their proportions.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridproof_simulator::frontend::ptx::parse::parse;

/// Bytes of the module, at least.
const LENGTH: usize = 1 << 20;

/// One stretch of a body, with registers and labels that depend on its number.
fn stretch(text: &mut String, n: u32) {
    let (a, b, c) = (n % 90 + 1, (n * 7) % 90 + 1, (n * 13) % 90 + 1);
    let _ = write!(
        text,
        "\t.loc\t1 {n} 17\n\
         $L__BB0_{n}:\n\
         \tmov.u32 \t%r{a}, %ctaid.x;\n\
         \tmad.lo.s32 \t%r{b}, %r{a}, 256, %r{c};\n\
         \tsetp.ge.s32 \t%p{a}, %r{b}, 4096;\n\
         \t@%p{a} bra \t$L__BB0_{n};\n\n\
         \tmul.wide.s32 \t%rd{a}, %r{b}, 4;\n\
         \tadd.s64 \t%rd{b}, %rd{c}, %rd{a};\n\
         \tld.global.nc.f32 \t%f{a}, [%rd{b}+{offset}];\n\
         \tfma.rn.f32 \t%f{b}, %f{a}, 0f3FB8AA3B, %f{c};\n\
         \tld.shared.v4.f32 \t{{%f{a}, %f{b}, %f{c}, %f1}}, [%r{a}+-16];\n\
         \t// a comment that says where this comes from\n\
         \tshfl.sync.bfly.b32 \t%r{a}|%p{b}, %r{b}, 16, 31, -1;\n\
         \tmma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {{ %f1, %f2, %f3, %f4 }}, \
         {{ %r1, %r2, %r3, %r4 }}, {{ %r5, %r6 }}, {{ %f1, %f2, %f3, %f4 }};\n\
         \t{{ // callseq {n}, 0\n\
         \t.param .b32 param0;\n\
         \tst.param.b32 \t[param0+0], %r{a};\n\
         \tcall.uni \n\thelper, \n\t(\n\tparam0\n\t);\n\
         \t}}\n\
         \tst.global.f32 \t[%rd{a}], %f{b};\n\
         \tbar.sync \t0;\n",
        offset = n * 4
    );
}

fn module() -> String {
    let mut text = ".version 8.5\n.target sm_90a\n.address_size 64\n\n\
         .func helper(.param .b32 helper_param_0)\n;\n\
         .visible .entry k(\n\t.param .u64 .ptr .global .align 16 k_param_0,\n\t.param .u32 k_param_1\n)\n\
         .maxntid 256, 1, 1\n{\n\t.reg .pred \t%p<91>;\n\t.reg .b32 \t%r<91>;\n\t.reg .f32 \t%f<91>;\n\
         \t.reg .b64 \t%rd<91>;\n"
        .to_owned();
    let mut stretches = 0;
    while text.len() < LENGTH {
        stretch(&mut text, stretches);
        stretches += 1;
    }
    text + "\tret;\n}\n"
}

fn throughput(criterion: &mut Criterion) {
    let text = module();
    let kernels = parse(&text).expect("a valid module").functions.len();
    assert_eq!(kernels, 2, "a declaration and a kernel");
    let mut group = criterion.benchmark_group("ptx");
    group.throughput(Throughput::Bytes(u64::try_from(text.len()).expect("a length")));
    group.bench_function("parse", |bencher| bencher.iter(|| parse(black_box(&text))));
}

fn short() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3))
}

criterion_group! { name = benches; config = short(); targets = throughput }
criterion_main!(benches);
