//! Every refusal in its own words, what data depends on, and what belongs to whom.

use gridproof_reference::conv1d_qkv_split::shape::BYTES_LIMIT;
use gridproof_reference::conv1d_qkv_split::{ElementType, Inputs, PADDING, Problem, Shape, Sizes, Tensor};

use super::{changed, seeded, shape, sizes};

fn check_sizes(change: impl FnOnce(&mut Sizes), message: &str) {
    let mut sizes = sizes();
    change(&mut sizes);
    assert_eq!(Shape::new(sizes).map_err(|error| error.to_string()).map(|_| ()), Err(message.to_owned()));
}

#[test]
fn sizes_are_checked() {
    check_sizes(|s| s.q = 0, "q = 0, k = 4, v = 10: every tensor needs at least 1 channel");
    check_sizes(|s| s.k = 0, "q = 6, k = 0, v = 10: every tensor needs at least 1 channel");
    check_sizes(|s| s.v = 0, "q = 6, k = 4, v = 0: every tensor needs at least 1 channel");
    check_sizes(
        |s| s.v = 2_147_483_638,
        "q = 6, k = 4, v = 2147483638: 2147483648 channels together, more than 2147483647",
    );
    check_sizes(
        |s| (s.q, s.k, s.v) = (u32::MAX, u32::MAX, u32::MAX),
        "q = 4294967295, k = 4294967295, v = 4294967295: 12884901885 channels together, more than 2147483647",
    );
    check_sizes(|s| s.width = 1, "width = 1: a filter has 2 to 4 taps");
    check_sizes(|s| s.width = 5, "width = 5: a filter has 2 to 4 taps");
    check_sizes(|s| s.lengths.clear(), "lengths is empty: at least 1 sequence is required");
    check_sizes(
        |s| s.lengths = vec![7, 0, i32::MAX as u32 - 6, 1],
        "lengths add up to 2147483648 tokens at lengths[2], more than 2147483647",
    );
    check_sizes(
        |s| s.lengths = vec![u32::MAX; 3],
        "lengths add up to 4294967295 tokens at lengths[0], more than 2147483647",
    );
    check_sizes(|s| s.slots = 0, "slots = 0: at least 1 slot is required");
    check_sizes(
        |s| s.stride = Some(18),
        "stride = 18 elements is less than the 20 channels of one token: tokens would overlap",
    );
    check_sizes(
        |s| s.stride = Some(21),
        "stride = 21 elements is odd, but dim = 20 is even: tokens would not start at whole 32-bit words",
    );
}

#[test]
fn sizes_at_their_limits_are_allowed() {
    let smallest = Sizes { q: 1, k: 1, v: 1, width: 2, lengths: vec![0], slots: 1, ..sizes() };
    let small = shape(smallest.clone());
    assert_eq!((small.dim(), small.tokens(), small.sequences(), small.state_bytes()), (3, 0, 1, 6));
    assert!(small.is_dense());
    // An odd number of channels has a word that belongs to two tokens in any case.
    assert_eq!(shape(Sizes { stride: Some(4), ..smallest.clone() }).stride(), 4);
    assert_eq!(shape(Sizes { stride: Some(5), ..smallest.clone() }).stride(), 5);
    assert_eq!(shape(Sizes { lengths: vec![0, i32::MAX as u32, 0], ..smallest.clone() }).tokens(), 2_147_483_647);
    let wide = shape(Sizes { v: 2_147_483_645, ..smallest });
    assert_eq!((wide.dim(), wide.weight_elements()), (2_147_483_647, 4_294_967_294));
}

#[test]
fn no_buffer_outgrows_signed_64_bit_offsets() {
    let message =
        |buffer: &str, a: u64, b: u64| format!("buffer `{buffer}` takes {a} * {b} * 2 bytes, more than {BYTES_LIMIT}");
    check_sizes(|s| s.stride = Some(1 << 62), &message("x", 28, 1 << 62));
    check_sizes(|s| s.stride = Some(u64::MAX - 1), &message("x", 28, u64::MAX - 1));
    // 2^57 slots of 3 * 20 elements are less than 2^63, 2^58 are more.
    assert_eq!(shape(Sizes { slots: 1 << 56, ..sizes() }).conv_state_bytes(), 120 << 56);
    check_sizes(|s| s.slots = 1 << 57, &message("conv_state", 1 << 57, 60));
    check_sizes(|s| s.slots = u64::MAX, &message("conv_state", u64::MAX, 60));
}

#[test]
fn channels_rows_and_elements_belong_together() {
    let shape = shape(Sizes { lengths: vec![3, 0, 17], stride: Some(24), ..sizes() });
    assert_eq!((shape.dim(), shape.tokens(), shape.sequences(), shape.history()), (20, 20, 3, 3));
    assert_eq!(Tensor::ALL.map(|tensor| shape.channels(tensor)), [0..6, 6..10, 10..20]);
    assert_eq!(Tensor::ALL.map(|tensor| shape.output_elements(tensor)), [120, 80, 200]);
    assert_eq!(Tensor::ALL.map(|tensor| tensor.to_string()), ["q", "k", "v"]);
    for tensor in Tensor::ALL {
        for channel in shape.channels(tensor) {
            assert_eq!(shape.destination(channel), (tensor, channel - shape.channels(tensor).start));
        }
    }
    assert_eq!([0, 1, 2, 3].map(|sequence| shape.rows(sequence)), [0..3, 3..3, 3..20, 20..20]);
    assert_eq!(shape.query_start_loc(), [0, 3, 3, 20]);
    assert_eq!((shape.x_elements(), shape.weight_elements()), (480, 80));
    assert_eq!((shape.state_elements(), shape.state_bytes(), shape.conv_state_bytes()), (60, 120, 960));
    assert!(!shape.is_dense());
}

fn refused(good: &Problem, change: impl Fn(&mut Inputs), message: &str) {
    let mut inputs = good.inputs().clone();
    change(&mut inputs);
    for pose in [Problem::new, Problem::unchecked] {
        let error = pose(good.shape().clone(), inputs.clone()).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(error, Err(message.to_owned()));
    }
}

#[test]
fn a_tensor_of_the_wrong_length_is_named() {
    let good = seeded(Sizes { stride: Some(24), ..sizes() }, &[1, 5, -1], &[1, 0, 1], 1);
    assert!(Problem::new(good.shape().clone(), good.inputs().clone()).is_ok());
    let check = |change: fn(&mut Inputs), tensor: &str, actual: usize, expected: usize| {
        let sizes = "3 sequences, 28 tokens, dim = 20, stride = 24, width = 4, bias = true";
        refused(&good, change, &format!("tensor `{tensor}` has {actual} elements, but {sizes} ask for {expected}"));
    };
    check(|i| i.x.push(0), "x", 673, 672);
    check(|i| i.weight.truncate(79), "weight", 79, 80);
    check(|i| i.bias.clear(), "bias", 0, 20);
    check(|i| i.query_start_loc.push(28), "query_start_loc", 5, 4);
    check(|i| i.cache_indices.truncate(2), "cache_indices", 2, 3);
    check(|i| i.has_initial_state.push(0), "has_initial_state", 4, 3);
    refused(
        &good,
        |i| i.states.get_mut(&5).unwrap().truncate(119),
        "the state of slot 5 has 119 bytes, but a slot with width = 4, dim = 20 has 120",
    );
    refused(
        &good,
        |i| drop(i.states.insert(8, vec![0; 120])),
        "a state is given for slot 8, but conv_state has 8 slots",
    );
    refused(
        &seeded(Sizes { bias: false, ..sizes() }, &[1, 5, -1], &[1, 0, 1], 1),
        |i| i.bias = vec![0; 20],
        "tensor `bias` has 20 elements, but 3 sequences, 28 tokens, dim = 20, stride = 20, width = 4, bias = false ask for 0",
    );
}

#[test]
fn broken_starts_are_named() {
    let good = seeded(sizes(), &[1, 5, -1], &[1, 0, 1], 1);
    let check = |starts: [i32; 4], message: &str| refused(&good, |i| i.query_start_loc = starts.to_vec(), message);
    check([1, 3, 11, 28], "query_start_loc[0] = 1: the first sequence must start at token 0");
    check([-1, 3, 11, 28], "query_start_loc[0] = -1: the first sequence must start at token 0");
    let fewer = "a sequence would have fewer than 0 tokens";
    check([0, 11, 3, 28], &format!("query_start_loc[2] = 3 is less than query_start_loc[1] = 11: {fewer}"));
    check([0, -3, 11, 28], &format!("query_start_loc[1] = -3 is less than query_start_loc[0] = 0: {fewer}"));
    check(
        [0, 3, 11, i32::MIN],
        &format!("query_start_loc[3] = -2147483648 is less than query_start_loc[2] = 11: {fewer}"),
    );
    check([0, 3, 11, 27], "query_start_loc[3] = 27, but lengths add up to 28 tokens");
    check([0, 3, 11, 29], "query_start_loc[3] = 29, but lengths add up to 28 tokens");
    check([0, 3, 12, 28], "query_start_loc[1] = 3 and query_start_loc[2] = 12, but lengths[1] = 8");
}

#[test]
fn a_flag_is_0_or_1() {
    let good = seeded(sizes(), &[1, 5, -1], &[1, 0, 1], 1);
    for value in [2, -1, i32::MIN] {
        let message = format!("has_initial_state[1] = {value}: 0 or 1 is required");
        refused(&good, |i| i.has_initial_state[1] = value, &message);
        for pose in [Problem::from_seed, Problem::from_seed_unchecked] {
            let error = pose(shape(sizes()), &[1, 5, -1], &[1, value, 1], 1).map_err(|error| error.to_string());
            assert_eq!(error.map(|_| ()), Err(message.clone()));
        }
    }
}

#[test]
fn seeded_problems_need_an_index_and_a_flag_for_every_sequence() {
    let sizes_said = "3 sequences, 28 tokens, dim = 20, stride = 20, width = 4, bias = true ask for 3";
    for pose in [Problem::from_seed, Problem::from_seed_unchecked] {
        let error = pose(shape(sizes()), &[1, 5], &[1, 0, 1], 1).map_err(|error| error.to_string());
        assert_eq!(error.map(|_| ()), Err(format!("tensor `cache_indices` has 2 elements, but {sizes_said}")));
        let error = pose(shape(sizes()), &[1, 5, 2], &[1, 0, 1, 1], 1).map_err(|error| error.to_string());
        assert_eq!(error.map(|_| ()), Err(format!("tensor `has_initial_state` has 4 elements, but {sizes_said}")));
    }
}

fn check_indices(indices: [i32; 3], message: &str) {
    let refused = Problem::from_seed(shape(sizes()), &indices, &[1; 3], 1).map_err(|error| error.to_string());
    assert_eq!(refused.map(|_| ()), Err(message.to_owned()));
    let unchecked = Problem::from_seed_unchecked(shape(sizes()), &indices, &[1; 3], 1).unwrap();
    let refused = Problem::new(shape(sizes()), unchecked.inputs().clone()).map_err(|error| error.to_string());
    assert_eq!(refused.map(|_| ()), Err(message.to_owned()));
}

#[test]
fn broken_indices_are_named() {
    check_indices([1, 8, 2], "cache_indices[1] = 8: conv_state has 8 slots");
    check_indices([1, 2, i32::MAX], "cache_indices[2] = 2147483647: conv_state has 8 slots");
    let negative = "the only negative index is -1, of a padded sequence";
    check_indices([-2, 1, 2], &format!("cache_indices[0] = -2: {negative}"));
    check_indices([1, i32::MIN, 2], &format!("cache_indices[1] = -2147483648: {negative}"));
    check_indices([3, 1, 3], "cache_indices[0] and cache_indices[2] are both 3: two sequences would write one slot");
    check_indices([0, 0, 1], "cache_indices[0] and cache_indices[1] are both 0: two sequences would write one slot");
    assert!(Problem::from_seed(shape(sizes()), &[7, 0, 1], &[1; 3], 1).is_ok());
    assert!(Problem::from_seed(shape(sizes()), &[-1, -1, -1], &[1; 3], 1).is_ok());
}

#[test]
fn padded_sequences_have_no_slot_and_empty_ones_write_none() {
    let sizes = Sizes { lengths: vec![2, 0, 5, 1], ..sizes() };
    let problem = seeded(sizes.clone(), &[4, 6, -1, 0], &[1, 0, 1, 0], 1);
    assert_eq!([0, 1, 2, 3, 4].map(|sequence| problem.slot(sequence)), [Some(4), Some(6), None, Some(0), None]);
    assert_eq!([0, 1, 2, 3, 4].map(|sequence| problem.has_initial_state(sequence)), [true, false, true, false, false]);
    assert_eq!(problem.computed().collect::<Vec<_>>(), [0, 1, 3]);
    assert_eq!(problem.writers().into_iter().collect::<Vec<_>>(), [(0, 3), (4, 0)]);
    // Nobody checked: of two writers and of a slot that does not exist nothing is said; one that is empty does not count.
    let broken = |indices| Problem::from_seed_unchecked(shape(sizes.clone()), indices, &[1; 4], 1).unwrap();
    assert_eq!(broken(&[4, 4, 4, 5]).writers().into_iter().collect::<Vec<_>>(), [(5, 3)]);
    assert_eq!(broken(&[4, 4, 8, -7]).writers().into_iter().collect::<Vec<_>>(), [(4, 0)]);
}

#[test]
fn data_depends_on_the_seed_and_the_place_alone() {
    let dense = seeded(sizes(), &[1, 5, -1], &[1, 0, 1], 1);
    assert_eq!(dense, seeded(sizes(), &[1, 5, -1], &[1, 0, 1], 1));
    let other = seeded(sizes(), &[1, 5, -1], &[1, 0, 1], 2);
    assert_ne!(dense.inputs().x, other.inputs().x);
    assert_ne!(dense.inputs().weight, other.inputs().weight);
    assert_ne!(dense.inputs().bias, other.inputs().bias);
    assert_ne!(dense.inputs().states[&1], other.inputs().states[&1]);
    assert_ne!(dense.inputs().states[&1], dense.inputs().states[&5]);
    assert_eq!(dense.inputs().states.keys().copied().collect::<Vec<_>>(), [1, 5]);
    assert_eq!(dense.inputs().query_start_loc, [0, 3, 11, 28]);

    let others = seeded(Sizes { stride: Some(26), bias: false, slots: 6, ..sizes() }, &[5, -1, 2], &[0; 3], 1);
    assert_eq!(others.inputs().states[&5], dense.inputs().states[&5]);
    assert!(others.inputs().bias.is_empty());
    for (strided, row) in others.inputs().x.chunks_exact(26).zip(dense.inputs().x.chunks_exact(20)) {
        assert_eq!(strided[..20], *row);
        assert_eq!(strided[20..], [PADDING; 6]);
    }
}

#[test]
fn data_has_the_deviations_that_it_is_said_to_have() {
    for element in ElementType::ALL {
        let sizes = Sizes { q: 2000, k: 2000, v: 2000, lengths: vec![4], element, ..sizes() };
        let problem = seeded(sizes, &[1], &[1], 3);
        let check = |bits: &[u16], expected: f64| {
            let squares: f64 = bits.iter().map(|&bits| f64::from(element.value(bits)).powi(2)).sum();
            let deviation = (squares / bits.len() as f64).sqrt();
            assert!((deviation / expected - 1.0).abs() < 0.05, "{deviation}, not {expected}");
        };
        let inputs = problem.inputs();
        let state: Vec<u16> = inputs.states[&1].as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect();
        check(&inputs.x, 1.0);
        check(&state, 1.0);
        check(&inputs.weight, 0.5);
        check(&inputs.bias, 0.1);
        assert!(element.value(PADDING).is_nan());
    }
}

#[test]
fn changed_inputs_are_checked_again() {
    let problem = changed(&seeded(sizes(), &[1, 5, -1], &[1, 0, 1], 1), |inputs| inputs.cache_indices[2] = 3);
    assert_eq!(problem.slot(2), Some(3));
}
