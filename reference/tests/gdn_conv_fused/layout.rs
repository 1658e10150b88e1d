//! Both layouts, written out by hand: where things lie, and that it does not change a bit of the outputs.

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_conv_fused::{Inputs, Layout, Problem, Sizes, model};

use super::{SIZES, resized, seeded, shape};

/// Columns of the interleaved layout: `(first, count)` pieces of a sequential row in their order, in units of one head
/// for `qkvz` and of one gate for `ba`.
fn interleaved(row: &[u16], unit: usize, pieces: &[(usize, usize)]) -> Vec<u16> {
    let pieces = pieces.iter().flat_map(|&(first, count)| &row[first * unit..(first + count) * unit]);
    pieces.copied().collect()
}

/// The problem of 2 key heads and 4 value heads in the interleaved layout.
fn by_hand(problem: &Problem) -> Problem {
    // q0 q1 k0 k1 v0 v1 v2 v3 z0 z1 z2 z3 -> q0 k0 v0 v1 z0 z1 q1 k1 v2 v3 z2 z3
    let qkvz = [(0, 1), (2, 1), (4, 2), (8, 2), (1, 1), (3, 1), (6, 2), (10, 2)];
    // b0 b1 b2 b3 a0 a1 a2 a3 -> b0 b1 a0 a1 b2 b3 a2 a3
    let ba = [(0, 2), (4, 2), (2, 2), (6, 2)];
    let change = |inputs: &mut Inputs| {
        inputs.qkvz = inputs.qkvz.chunks_exact(1536).flat_map(|row| interleaved(row, 128, &qkvz)).collect();
        inputs.ba = inputs.ba.chunks_exact(8).flat_map(|row| interleaved(row, 1, &ba)).collect();
    };
    resized(problem, |sizes| sizes.layout = Layout::Interleaved, change)
}

#[test]
fn both_layouts_of_the_same_data_give_the_same_bits() {
    for seed in 0..3 {
        let sequential = seeded(SIZES, &[4, 0], seed);
        let interleaved = by_hand(&sequential);
        let outputs = model::run(&sequential, Arithmetic::FUSED);
        assert!(outputs == model::run(&interleaved, Arithmetic::FUSED));
        // Read in the wrong layout, the data give something else.
        let misread = resized(&sequential, |sizes| sizes.layout = Layout::Interleaved, |_| {});
        let wrong = model::run(&misread, Arithmetic::FUSED);
        assert!(outputs.output != wrong.output && outputs.z_out != wrong.z_out);
        assert!(outputs.conv_states != wrong.conv_states);
    }
}

#[test]
fn seeded_problems_of_both_layouts_hold_the_same_data() {
    let interleaved = seeded(Sizes { layout: Layout::Interleaved, ..SIZES }, &[4, 0], 3);
    assert!(by_hand(&seeded(SIZES, &[4, 0], 3)) == interleaved);
}

#[test]
fn columns_are_where_the_layouts_say() {
    let sequential = shape(Sizes { h: 2, hv: 6, ..SIZES });
    assert_eq!([sequential.dim(), sequential.qkvz_columns(), sequential.ba_columns()], [1280, 2048, 12]);
    assert_eq!([sequential.q_channel(1), sequential.k_channel(1), sequential.v_channel(5)], [128, 384, 1152]);
    assert!((0..1280).all(|channel| sequential.channel_column(channel) == channel));
    assert_eq!([sequential.z_column(0), sequential.z_column(5)], [1280, 1920]);
    assert_eq!([sequential.b_column(5), sequential.a_column(0), sequential.a_column(5)], [5, 6, 11]);

    // Every key head: q, k, 3 v, 3 z, which are 1024 columns; 3 b, 3 a.
    let interleaved = shape(Sizes { h: 2, hv: 6, layout: Layout::Interleaved, ..SIZES });
    let column = |channel| interleaved.channel_column(channel);
    assert_eq!([column(0), column(127), column(128), column(255)], [0, 127, 1024, 1151]);
    assert_eq!([column(256), column(384), column(511)], [128, 1152, 1279]);
    assert_eq!([column(512), column(896), column(1279)], [256, 1280, 1663]);
    assert_eq!([0, 2, 3, 5].map(|hv| interleaved.z_column(hv)), [640, 896, 1664, 1920]);
    assert_eq!([0, 2, 3, 5].map(|hv| interleaved.b_column(hv)), [0, 2, 6, 8]);
    assert_eq!([0, 2, 3, 5].map(|hv| interleaved.a_column(hv)), [3, 5, 9, 11]);
    assert_eq!([0, 2, 3, 5].map(|hv| interleaved.key_head(hv)), [0, 0, 1, 1]);
}
