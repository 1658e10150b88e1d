//! Every refusal in its own words, where tokens and channels lie, and what seeded data depends on.

use gridproof_reference::gdn_chunked::shape::BYTES_LIMIT;
use gridproof_reference::gdn_chunked::{Decay, Inputs, Problem, Shape, Sizes, StateKind};

use super::{DECAYS, STATES, seeded, shape, sizes};

fn check_sizes(change: impl Fn(&mut Sizes), message: &str) {
    let mut sizes = sizes(&[33, 5]);
    change(&mut sizes);
    assert_eq!(Shape::new(sizes).map_err(|error| error.to_string()).map(|_| ()), Err(message.to_owned()));
}

#[test]
fn sizes_are_checked() {
    check_sizes(|s| s.lengths.clear(), "lengths is empty: at least 1 sequence is required");
    check_sizes(|s| s.lengths.push(0), "lengths[2] = 0: every sequence must have at least 1 token");
    check_sizes(|s| s.lengths[1] = 2_147_483_615, "lengths[0..=1] add up to 2147483648 tokens, more than 2147483647");
    check_sizes(|s| s.lengths = vec![u32::MAX; 3], "lengths[0..=0] add up to 4294967295 tokens, more than 2147483647");
    check_sizes(|s| s.h = 0, "h = 0, hv = 4: at least 1 key head and 1 value head are required");
    check_sizes(|s| s.hv = 0, "h = 2, hv = 0: at least 1 key head and 1 value head are required");
    for hv in [1, 5] {
        let message = "is not a multiple of h = 2: every key head must serve the same number of value heads";
        check_sizes(|s| s.hv = hv, &format!("hv = {hv} {message}"));
    }
    check_sizes(|s| s.k = 64, "h = 2, hv = 4, k = 64, v = 128: only heads of k = v = 128 elements are supported");
    check_sizes(|s| s.v = 256, "h = 2, hv = 4, k = 128, v = 256: only heads of k = v = 128 elements are supported");
    for d in [0, 64, 129, u32::MAX] {
        let message = "is not a positive multiple of 128, the invocations that share a hidden vector";
        check_sizes(|s| s.d = d, &format!("d = {d} {message}"));
    }
    for c in [0, 1, 8, 33, 128] {
        check_sizes(|s| s.c = c, &format!("c = {c}: a chunk has 16, 32 or 64 tokens"));
    }
}

#[test]
fn no_buffer_outgrows_signed_64_bit_offsets() {
    let message = |buffer: &str, factors: [u64; 3]| {
        let [a, b, c] = factors;
        format!("buffer `{buffer}` takes {a} * {b} * {c} bytes, more than {BYTES_LIMIT}")
    };
    let (most, tokens) = (u32::MAX, i32::MAX as u32);
    // d is at most 2^32 - 128.
    let d = most - 127;
    check_sizes(|s| (s.lengths, s.d) = (vec![tokens], d), &message("hidden", [tokens.into(), d.into(), 4]));
    let dim = u64::from(most) * 384;
    check_sizes(|s| (s.lengths, s.h, s.hv) = (vec![tokens], most, most), &message("qkv", [tokens.into(), dim, 4]));
    check_sizes(
        |s| (s.lengths, s.h, s.hv, s.d) = (vec![1], 1, most, d),
        &message("w_beta", [most.into(), d.into(), 4]),
    );
    // 2^16 sequences with nearly 2^46 elements each; their convolution's states still fit.
    check_sizes(
        |s| (s.lengths, s.h, s.hv) = (vec![1; 1 << 16], 1, most),
        &message("state", [1 << 16, u64::from(most) * 16_384, 4]),
    );
    check_sizes(
        |s| (s.lengths, s.h, s.hv) = (vec![1; 1 << 20], most, most),
        &message("conv_state", [1 << 20, 3 * dim, 4]),
    );
    let largest = shape(Sizes { lengths: vec![tokens], h: 1, hv: 1, ..sizes(&[1]) });
    assert_eq!([largest.tokens(), largest.total_chunks(), largest.most_chunks()], [tokens, 1 << 27, 1 << 27]);
    assert_eq!(largest.attention_elements(), tokens as usize * 16);
}

#[test]
fn a_tensor_of_the_wrong_length_is_named() {
    let good = seeded(sizes(&[3, 2]), Decay::Normal, StateKind::Random, 1);
    assert!(Problem::new(good.shape().clone(), good.inputs().clone()).is_ok());
    let refused = |change: fn(&mut Inputs), tensor: &str, actual: usize, expected: usize| {
        let mut inputs = good.inputs().clone();
        change(&mut inputs);
        let error = Problem::new(good.shape().clone(), inputs).map(|_| ()).map_err(|error| error.to_string());
        let asked = "but 2 sequences of 5 tokens in all, h = 2, hv = 4, d = 128 ask for";
        assert_eq!(error, Err(format!("tensor `{tensor}` has {actual} elements, {asked} {expected}")));
    };
    refused(|inputs| inputs.hidden.push(0.0), "hidden", 641, 640);
    refused(|inputs| inputs.qkv.clear(), "qkv", 0, 5120);
    refused(|inputs| inputs.z.truncate(1), "z", 1, 2560);
    refused(|inputs| inputs.conv_weight.push(0.0), "conv_weight", 4097, 4096);
    refused(|inputs| inputs.w_beta.push(0.0), "w_beta", 513, 512);
    refused(|inputs| inputs.w_alpha.truncate(511), "w_alpha", 511, 512);
    refused(|inputs| inputs.a_log.push(0.0), "a_log", 5, 4);
    refused(|inputs| inputs.dt_bias.clear(), "dt_bias", 0, 4);
    refused(|inputs| inputs.norm_weight.push(0.0), "norm_weight", 129, 128);
    refused(|inputs| inputs.conv_state.truncate(3072), "conv_state", 3072, 6144);
    refused(|inputs| inputs.state.push(0.0), "state", 131_073, 131_072);
}

#[test]
fn chunks_are_where_the_lengths_say() {
    let shape = shape(Sizes { c: 32, ..sizes(&[33, 5, 64, 1]) });
    assert_eq!(shape.sequence_start(), [0, 33, 38, 102, 103]);
    assert_eq!(shape.chunk_sequence(), [0, 0, 1, 2, 2, 3]);
    assert_eq!(shape.chunk_index(), [0, 1, 0, 0, 1, 0]);
    assert_eq!([shape.total_chunks(), shape.most_chunks(), shape.sequences(), shape.tokens()], [6, 2, 4, 103]);
    let tokens: Vec<_> = shape.chunks().map(|chunk| chunk.tokens).collect();
    assert_eq!(tokens, [0..32, 32..33, 33..38, 38..70, 70..102, 102..103]);
    assert_eq!([0, 1, 2, 3, 4].map(|sequence| shape.chunks_of(sequence)), [2, 1, 2, 1, 0]);
    assert_eq!([shape.rows(2), shape.rows(4)], [38..102, 103..103]);
}

#[test]
fn heads_are_where_the_channels_say() {
    let shape = shape(Sizes { h: 2, hv: 6, d: 384, ..sizes(&[3]) });
    assert_eq!(shape.dim(), 1280);
    assert_eq!([0, 2, 3, 5].map(|hv| shape.key_head(hv)), [0, 0, 1, 1]);
    assert_eq!(shape.first_channels(0), [0, 256, 512]);
    assert_eq!(shape.first_channels(5), [128, 384, 1152]);
    assert_eq!([shape.hidden_elements(), shape.qkv_elements(), shape.head_elements()], [1152, 3840, 2304]);
    assert_eq!([shape.gate_elements(), shape.attention_elements(), shape.gate_weight_elements()], [18, 288, 2304]);
    assert_eq!([shape.conv_state_elements(), shape.state_elements()], [3840, 98_304]);
}

#[test]
fn seeded_data_depends_on_the_seed_and_not_on_the_chunks() {
    let problem = |c, seed| seeded(Sizes { c, ..sizes(&[20, 3]) }, Decay::Normal, StateKind::Random, seed);
    let (first, other) = (problem(16, 1), problem(16, 2));
    assert!(first.inputs() == problem(64, 1).inputs());
    let tensors = |problem: &Problem| {
        let inputs = problem.inputs().clone();
        let Inputs { hidden, qkv, z, conv_weight, w_beta, w_alpha, a_log, dt_bias, norm_weight, conv_state, state } =
            inputs;
        [hidden, qkv, z, conv_weight, w_beta, w_alpha, a_log, dt_bias, norm_weight, conv_state, state]
    };
    assert!(tensors(&first).iter().zip(&tensors(&other)).all(|(first, other)| first != other));
    // No two tensors start alike.
    let firsts: std::collections::BTreeSet<u32> = tensors(&first).iter().map(|tensor| tensor[0].to_bits()).collect();
    assert_eq!(firsts.len(), 11);
}

fn check_moments(name: &str, tensor: &[f32], mean: f64, deviation: f64) {
    let count = tensor.len() as f64;
    let actual = tensor.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let square = tensor.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    // Four standard errors.
    let (of_mean, of_square) = (4.0 * deviation / count.sqrt(), 4.0 * (2.0 / count).sqrt());
    assert!((actual - mean).abs() < of_mean && (square / deviation.powi(2) - 1.0).abs() < of_square, "{name}");
}

#[test]
fn seeded_data_is_distributed_as_documented() {
    let problem = seeded(Sizes { d: 512, h: 32, hv: 64, ..sizes(&[40]) }, Decay::Normal, StateKind::Random, 3);
    let inputs = problem.inputs();
    let gate = 1.0 / 512_f64.sqrt();
    for (name, tensor, mean, deviation) in [
        ("hidden", &inputs.hidden, 0.0, 1.0),
        ("qkv", &inputs.qkv, 0.0, 1.0),
        ("z", &inputs.z, 0.0, 1.0),
        ("conv_weight", &inputs.conv_weight, 0.0, 0.5),
        ("w_beta", &inputs.w_beta, 0.0, gate),
        ("w_alpha", &inputs.w_alpha, 0.0, gate),
        ("dt_bias", &inputs.dt_bias, 0.0, 1.0),
        ("norm_weight", &inputs.norm_weight, 1.0, 0.1),
        ("conv_state", &inputs.conv_state, 0.0, 1.0),
        ("state", &inputs.state, 0.0, 0.1),
    ] {
        check_moments(name, tensor, mean, deviation);
    }
    // Uniform between 1 and 16.
    let factors: Vec<f32> = inputs.a_log.iter().map(|&x| x.exp()).collect();
    assert!(factors.iter().all(|&factor| (1.0..16.001).contains(&factor)));
    assert!(factors.iter().any(|&factor| factor < 4.0) && factors.iter().any(|&factor| factor > 13.0));
}

#[test]
fn zero_states_are_zeros_and_change_nothing_else() {
    let [random, zero] = STATES.map(|states| seeded(sizes(&[5]), Decay::Normal, states, 4));
    assert!(zero.inputs().state.iter().chain(&zero.inputs().conv_state).all(|x| x.to_bits() == 0));
    let expected = super::changed(&random, |inputs| {
        inputs.state.fill(0.0);
        inputs.conv_state.fill(0.0);
    });
    assert!(zero == expected);
}

#[test]
fn a_strong_decay_changes_the_bias_alone() {
    let [normal, strong] = DECAYS.map(|decay| seeded(sizes(&[5]), decay, StateKind::Random, 5));
    let means = [8.0, -12.0, 30.0, 8.0];
    let moved = |(hv, x): (usize, &f32)| (f64::from(*x) + means[hv]) as f32;
    let expected: Vec<f32> = normal.inputs().dt_bias.iter().enumerate().map(moved).collect();
    let distance = expected.iter().zip(&strong.inputs().dt_bias).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(distance < 1e-5, "{distance}");
    assert!(super::changed(&strong, |inputs| inputs.dt_bias = normal.inputs().dt_bias.clone()) == normal);
}
