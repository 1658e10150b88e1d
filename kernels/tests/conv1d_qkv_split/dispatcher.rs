//! The rules of the dispatcher, at every edge.

use gridproof_kernels::conv1d_qkv_split::dispatcher::{blocks, chunk_count};
use gridproof_kernels::conv1d_qkv_split::{Chunks, Path, Variant, block_routable, choose};
use gridproof_reference::conv1d_qkv_split::{ElementType, Shape, Sizes};

fn shape(q: u32, k: u32, v: u32, lengths: &[u32]) -> Shape {
    let lengths = lengths.to_vec();
    let sizes = Sizes { q, k, v, width: 4, lengths, slots: 8, stride: None, element: ElementType::Bf16, bias: true };
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn blocks_are_routable_where_q_and_k_are_multiples_of_256() {
    let edges = [1, 2, 128, 255, 256, 257, 510, 511, 512, 513, 768, 2048];
    let sizes = edges.map(|q| edges.map(|k| edges.map(|v| (q, k, v))));
    for &(q, k, v) in sizes.iter().flatten().flatten() {
        // The same from the channels: every block has the tensor of its first channel.
        let shape = shape(q, k, v, &[1]);
        let tensor = |channel: u32| shape.destination(channel).0;
        let split = (0..shape.dim()).any(|channel| tensor(channel) != tensor(channel / 256 * 256));
        assert_eq!(block_routable(q, k, v), !split, "q = {q}, k = {k}, v = {v}");
    }
    // 16 key heads at TP 16.
    assert!(!block_routable(128, 128, 256));
    assert!(block_routable(256, 256, 1));
}

#[test]
fn auto_falls_back_and_never_refuses() {
    for (q, k, v, path) in [
        (256, 256, 256, Path::BlockRouted),
        (512, 256, 2, Path::BlockRouted),
        (256, 256, 255, Path::BlockRouted),
        (254, 256, 256, Path::Fused),
        (256, 258, 256, Path::Fused),
        (128, 128, 256, Path::Fused),
        (1, 1, 1, Path::Fused),
    ] {
        let shape = shape(q, k, v, &[3]);
        assert_eq!(choose(&shape, Variant::Auto), path, "q = {q}, k = {k}, v = {v}");
        assert_eq!(choose(&shape, Variant::Sequential), Path::Sequential);
        assert_eq!(choose(&shape, Variant::Fused), Path::Fused);
        assert_eq!(choose(&shape, Variant::NoStateBarrier), Path::Fused);
        assert_eq!(choose(&shape, Variant::FusedBlockRouted), Path::BlockRouted);
    }
}

#[test]
fn chunks_are_eight_tokens_of_one_sequence() {
    let chunks = Chunks::new(&shape(2, 2, 2, &[0, 1, 8, 0, 9, 17, 0]));
    assert_eq!(chunks.sequence, [1, 2, 4, 4, 5, 5, 5]);
    assert_eq!(chunks.token, [0, 0, 0, 8, 0, 8, 16]);
    assert_eq!(Chunks::new(&shape(2, 2, 2, &[0, 0])), Chunks::default());
    for lengths in [&[0][..], &[7], &[8, 8], &[256, 1, 0, 15]] {
        let shape = shape(2, 2, 2, lengths);
        assert_eq!(chunk_count(&shape), Chunks::new(&shape).token.len() as u64);
    }
}

#[test]
fn blocks_cover_all_channels() {
    for (v, count) in [(1, 1), (252, 1), (253, 2), (508, 2), (509, 3)] {
        let shape = shape(2, 2, v, &[1]);
        assert_eq!(blocks(&shape), count, "{} channels", shape.dim());
    }
}
