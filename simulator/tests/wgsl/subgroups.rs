//! Operations across a subgroup.

use crate::{Run, words};

fn run(text: &str, size: u32, count: u64) -> Vec<u32> {
    let text = format!(
        "@group(0) @binding(1) var<storage, read_write> output: array<u32>;
         @compute @workgroup_size(32) fn main(
            @builtin(local_invocation_index) i: u32, @builtin(subgroup_invocation_id) lane: u32,
            @builtin(subgroup_size) size: u32, @builtin(subgroup_id) id: u32, @builtin(num_subgroups) groups: u32
         ) {{ {text} }}"
    );
    let mut run = Run::wgsl(&text, &[], count);
    run.subgroup_size = size;
    let outcome = run.outcome();
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    words(&outcome)
}

#[test]
fn builtins() {
    let expected: Vec<u32> = (0..32).map(|i| i % 8 + 8 * 100 + i / 8 * 10_000 + 4 * 1_000_000).collect();
    assert_eq!(run("output[i] = lane + size * 100u + id * 10000u + groups * 1000000u;", 8, 32), expected);
}

#[test]
fn reductions_and_scans() {
    let text = "
        let o = i * 8u;
        output[o] = subgroupAdd(i); output[o + 1u] = subgroupMax(i ^ 5u); output[o + 2u] = subgroupInclusiveAdd(i);
        output[o + 3u] = subgroupExclusiveAdd(i); output[o + 4u] = subgroupOr(1u << lane); output[o + 5u] = subgroupMin(i);
        output[o + 6u] = u32(subgroupAll(i < 8u)) + 2u * u32(subgroupAny(i == 9u)); output[o + 7u] = subgroupXor(i) + subgroupAnd(i) * 100u;";
    let actual = run(text, 8, 256);
    for i in 0..32_u32 {
        let first = i / 8 * 8;
        let group = || first..first + 8;
        let expected = [
            group().sum(),
            group().map(|k| k ^ 5).max().unwrap(),
            (first..=i).sum(),
            (first..i).sum(),
            0xFF,
            first,
            u32::from(first == 0) + 2 * u32::from(first == 8),
            group().fold(0, |a, b| a ^ b) + group().fold(u32::MAX, |a, b| a & b) * 100,
        ];
        let at = usize::try_from(i * 8).unwrap();
        assert_eq!(actual[at..at + 8], expected, "invocation {i}");
    }
}

#[test]
fn moves_between_invocations() {
    let text = "
        let o = i * 8u; let x = i * 10u;
        output[o] = subgroupBroadcast(x, 3u); output[o + 1u] = subgroupBroadcastFirst(x); output[o + 2u] = subgroupShuffle(x, 7u - lane);
        output[o + 3u] = subgroupShuffleXor(x, 2u); output[o + 4u] = quadBroadcast(x, 2u); output[o + 5u] = quadSwapX(x) + quadSwapY(x) + quadSwapDiagonal(x);
        let v = subgroupShuffleXor(vec2(x, i), 1u); output[o + 6u] = v.x + v.y;
        let b = subgroupBallot(i % 3u == 0u); output[o + 7u] = b.x + b.y;";
    let actual = run(text, 8, 256);
    for i in 0..32_u32 {
        let first = i / 8 * 8;
        let ballot: u32 = (0..8).filter(|k| (first + k) % 3 == 0).map(|k| 1 << k).sum();
        let expected = [
            (first + 3) * 10,
            first * 10,
            (first + 7 - i % 8) * 10,
            (i ^ 2) * 10,
            (i / 4 * 4 + 2) * 10,
            ((i ^ 1) + (i ^ 2) + (i ^ 3)) * 10,
            (i ^ 1) * 11,
            ballot,
        ];
        let at = usize::try_from(i * 8).unwrap();
        assert_eq!(actual[at..at + 8], expected, "invocation {i}");
    }
}

#[test]
fn shuffles_up_and_down() {
    let text = "let up = subgroupShuffleUp(i, 1u); let down = subgroupShuffleDown(i, 1u);
        output[i] = select(0u, up, lane > 0u) + select(0u, down, lane < 7u) * 100u;";
    let expected: Vec<u32> =
        (0..32).map(|i| if i % 8 > 0 { i - 1 } else { 0 } + if i % 8 < 7 { (i + 1) * 100 } else { 0 }).collect();
    assert_eq!(run(text, 8, 32), expected);
}

#[test]
fn subgroup_barriers_wait() {
    assert_eq!(run("output[i] = i; subgroupBarrier(); output[i] += 1u;", 8, 32), (1..33).collect::<Vec<_>>());
}
