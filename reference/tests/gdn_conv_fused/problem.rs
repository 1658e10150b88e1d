//! Every refusal in its own words, what data depends on, and what is unspecified.

use std::collections::{BTreeMap, BTreeSet};

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_conv_fused::oracle::numbers;
use gridproof_reference::gdn_conv_fused::shape::BYTES_LIMIT;
use gridproof_reference::gdn_conv_fused::{Inputs, POOL_FILL, Problem, Shape, Sizes, model};
use gridproof_reference::numerics::half::f16_to_f32;

use super::{LAYOUTS, SIZES, changed, seeded, shape};

fn check_sizes(change: impl Fn(&mut Sizes), message: &str) {
    for layout in LAYOUTS {
        let mut sizes = Sizes { layout, ..SIZES };
        change(&mut sizes);
        assert_eq!(Shape::new(sizes).map_err(|error| error.to_string()).map(|_| ()), Err(message.to_owned()));
    }
}

#[test]
fn sizes_are_checked() {
    check_sizes(|s| s.n = 0, "n = 0: at least 1 request is required");
    check_sizes(|s| s.h = 0, "h = 0, hv = 4: at least 1 key head and 1 value head are required");
    check_sizes(|s| s.hv = 0, "h = 2, hv = 0: at least 1 key head and 1 value head are required");
    check_sizes(
        |s| s.hv = 5,
        "hv = 5 is not a multiple of h = 2: every key head must serve the same number of value heads",
    );
    check_sizes(
        |s| s.hv = 1,
        "hv = 1 is not a multiple of h = 2: every key head must serve the same number of value heads",
    );
    check_sizes(
        |s| s.k = 64,
        "n = 2, h = 2, hv = 4, k = 64, v = 128: only heads of k = v = 128 elements are supported",
    );
    check_sizes(
        |s| s.v = 256,
        "n = 2, h = 2, hv = 4, k = 128, v = 256: only heads of k = v = 128 elements are supported",
    );
    check_sizes(|s| s.pool = 0, "pool = 0: at least 1 slot is required");
}

#[test]
fn no_buffer_outgrows_signed_64_bit_offsets() {
    let message = |buffer: &str, factors: [u64; 3]| {
        let [a, b, c] = factors;
        format!("buffer `{buffer}` takes {a} * {b} * {c} bytes, more than {BYTES_LIMIT}")
    };
    // 2^46 slots of 2^17 bytes are 2^63.
    let slots = 1 << 46;
    check_sizes(|s| s.pool = slots, &message("ssm_state", [slots, 65_536, 2]));
    let largest = shape(Sizes { pool: slots - 1, ..SIZES });
    assert_eq!(largest.ssm_pool_bytes(), (1 << 63) - (1 << 17));
    assert_eq!(largest.conv_pool_bytes(), (slots - 1) * 6144);
    check_sizes(|s| s.pool = u64::MAX, &message("conv_state", [u64::MAX, 3072, 2]));
    let most = u32::MAX;
    // (2 * 2^32 + 2 * 2^32) * 128 columns, about.
    let columns = u64::from(most) * 4 * 128;
    check_sizes(|s| (s.n, s.h, s.hv) = (most, most, most), &message("qkvz", [u64::from(most), columns, 2]));
    // All heads that can be asked for have slots whose size can be said.
    let widest = shape(Sizes { n: 1, h: most, hv: most, pool: 1, ..SIZES });
    assert_eq!(widest.dim(), u64::from(most) * 384);
    assert_eq!(widest.ssm_slot_bytes(), u64::from(most) * 32_768);
}

#[test]
fn a_tensor_of_the_wrong_length_is_named() {
    let good = seeded(SIZES, &[0, 3], 1);
    assert!(Problem::new(good.shape(), good.inputs().clone()).is_ok());
    let refused = |change: fn(&mut Inputs), message: &str| {
        let mut inputs = good.inputs().clone();
        change(&mut inputs);
        for pose in [Problem::new, Problem::unchecked] {
            let error = pose(good.shape(), inputs.clone()).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(error, Err(message.to_owned()));
        }
    };
    let check = |change, tensor: &str, actual: usize, expected: usize| {
        refused(
            change,
            &format!("tensor `{tensor}` has {actual} elements, but n = 2, h = 2, hv = 4 ask for {expected}"),
        );
    };
    check(|i| i.qkvz.push(0), "qkvz", 3073, 3072);
    check(|i| i.ba.clear(), "ba", 0, 16);
    check(|i| i.conv_weight.truncate(4095), "conv_weight", 4095, 4096);
    check(|i| i.conv_bias.push(0), "conv_bias", 1025, 1024);
    check(|i| i.a_log.push(0), "a_log", 5, 4);
    check(|i| i.dt_bias.truncate(3), "dt_bias", 3, 4);
    check(|i| i.state_indices.push(1), "state_indices", 3, 2);
    refused(
        |i| i.conv_states.get_mut(&3).unwrap().push(0),
        "`conv_state` of slot 3 has 6145 bytes, but a slot with h = 2, hv = 4 has 6144",
    );
    refused(
        |i| i.ssm_states.get_mut(&0).unwrap().truncate(131_071),
        "`ssm_state` of slot 0 has 131071 bytes, but a slot with h = 2, hv = 4 has 131072",
    );
    refused(
        |i| drop(i.conv_states.insert(5, vec![0; 6144])),
        "`conv_state` is given for slot 5, but the pool has 5 slots",
    );
    refused(
        |i| drop(i.ssm_states.insert(9, vec![0; 131_072])),
        "`ssm_state` is given for slot 9, but the pool has 5 slots",
    );
    for pose in [Problem::from_seed, Problem::from_seed_unchecked] {
        let error = pose(good.shape(), &[1], 1).map(|_| ()).map_err(|error| error.to_string());
        let message = "tensor `state_indices` has 1 elements, but n = 2, h = 2, hv = 4 ask for 2";
        assert_eq!(error, Err(message.to_owned()));
    }
}

fn check_indices(indices: [i32; 3], message: &str) {
    let shape = shape(Sizes { n: 3, ..SIZES });
    let refused = Problem::from_seed(shape, &indices, 1).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(refused, Err(message.to_owned()));
    let unchecked = Problem::from_seed_unchecked(shape, &indices, 1).unwrap();
    let refused = Problem::new(shape, unchecked.inputs().clone()).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(refused, Err(message.to_owned()));
}

#[test]
fn broken_indices_are_named() {
    check_indices([1, 5, 2], "state_indices[1] = 5: the pool has 5 slots");
    check_indices([1, -1, i32::MAX], "state_indices[2] = 2147483647: the pool has 5 slots");
    check_indices([3, 1, 3], "state_indices[0] and state_indices[2] are both 3: two requests would update one state");
    check_indices([-1, 0, 0], "state_indices[1] and state_indices[2] are both 0: two requests would update one state");
}

#[test]
fn negative_indices_mean_no_state_however_many_there_are() {
    let problem = seeded(Sizes { n: 4, ..SIZES }, &[-1, 0, i32::MIN, 4], 1);
    assert_eq!([0, 1, 2, 3, 4].map(|request| problem.slot(request)), [None, Some(0), None, Some(4), None]);
    assert_eq!(problem.inputs().conv_states.keys().copied().collect::<Vec<_>>(), [0, 4]);
    assert_eq!(problem.inputs().ssm_states.keys().copied().collect::<Vec<_>>(), [0, 4]);
    assert_eq!(problem.unspecified_requests(), BTreeSet::new());
    assert_eq!(problem.unspecified_slots(), BTreeSet::new());
    assert_eq!(problem.written_slots(), BTreeSet::from([0, 4]));
}

#[test]
fn what_unchecked_indices_leave_is_unspecified() {
    let check = |indices: [i32; 4], requests: &[u32], unspecified: &[u64], written: &[u64]| {
        let shape = shape(Sizes { n: 4, ..SIZES });
        let problem = Problem::from_seed_unchecked(shape, &indices, 1).unwrap();
        assert_eq!(problem.unspecified_requests(), requests.iter().copied().collect::<BTreeSet<_>>());
        assert_eq!(problem.unspecified_slots(), unspecified.iter().copied().collect::<BTreeSet<_>>());
        let outputs = model::run(&problem, Arithmetic::FUSED);
        assert_eq!(outputs.output.len(), 4 * 4 * 256);
        for states in [&outputs.conv_states, &outputs.ssm_states] {
            assert_eq!(states.keys().copied().collect::<Vec<_>>(), written);
        }
    };
    check([1, 2, 3, 4], &[], &[], &[1, 2, 3, 4]);
    check([1, 3, 1, -1], &[0, 2], &[1], &[3]);
    check([2, 2, 2, 0], &[0, 1, 2], &[2], &[0]);
    check([5, 7, 7, 0], &[0, 1, 2], &[], &[0]);
}

#[test]
fn slots_without_given_states_hold_the_fill() {
    let fill = |states: &mut BTreeMap<u64, Vec<u8>>| states.values_mut().for_each(|bytes| bytes.fill(POOL_FILL));
    let filled = changed(&seeded(SIZES, &[1, 3], 2), |inputs| {
        fill(&mut inputs.conv_states);
        fill(&mut inputs.ssm_states);
    });
    let not_given = changed(&filled, |inputs| {
        inputs.conv_states.clear();
        inputs.ssm_states.clear();
    });
    assert!(model::run(&filled, Arithmetic::FUSED) == model::run(&not_given, Arithmetic::FUSED));
    // Small, and not zero.
    assert_eq!(f16_to_f32(u16::from_le_bytes([POOL_FILL; 2])), 0.065_185_55);
}

#[test]
fn data_depends_on_the_seed_and_the_slot() {
    let problem = seeded(SIZES, &[1, 3], 7);
    assert!(problem == seeded(SIZES, &[1, 3], 7));
    let other = seeded(SIZES, &[3, 0], 7);
    assert_eq!(problem.inputs().conv_states[&3], other.inputs().conv_states[&3]);
    assert_eq!(problem.inputs().ssm_states[&3], other.inputs().ssm_states[&3]);
    assert_eq!(problem.inputs().qkvz, other.inputs().qkvz);
    let unchecked = Problem::from_seed_unchecked(problem.shape(), &[1, 3], 7).unwrap();
    assert!(problem == unchecked);
    let seed = seeded(SIZES, &[1, 3], 8);
    assert_ne!(problem.inputs().qkvz, seed.inputs().qkvz);
    assert_ne!(problem.inputs().conv_states, seed.inputs().conv_states);
    let [first, second] = [1, 3].map(|slot| &problem.inputs().conv_states[&slot]);
    assert_ne!(first, second);
    // Rows that were alike would hide a shift that is missing or made twice.
    let rows: Vec<&[u8]> = first.chunks_exact(2048).collect();
    assert!(rows[0] != rows[1] && rows[1] != rows[2] && rows[0] != rows[2]);
}

#[test]
fn data_have_the_spread_that_is_said() {
    let problem = seeded(Sizes { n: 4, h: 4, hv: 16, ..SIZES }, &[0, 1, 2, 3], 5);
    let inputs = problem.inputs();
    let bits = |tensor: &[u16]| tensor.iter().map(|&bits| f64::from(f16_to_f32(bits))).collect::<Vec<_>>();
    let states = |states: &BTreeMap<u64, Vec<u8>>| states.values().flat_map(|bytes| numbers(bytes)).collect::<Vec<_>>();
    for (tensor, numbers, expected) in [
        ("qkvz", bits(&inputs.qkvz), 1.0),
        ("ba", bits(&inputs.ba), 1.0),
        ("conv_weight", bits(&inputs.conv_weight), 0.5),
        ("conv_bias", bits(&inputs.conv_bias), 0.1),
        ("conv_state", states(&inputs.conv_states), 1.0),
        ("ssm_state", states(&inputs.ssm_states), 0.1),
    ] {
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let spread = (numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
        let slack = expected * 5.0 / count.sqrt();
        assert!(mean.abs() < slack && (spread - expected).abs() < slack, "{tensor}: {mean}, {spread}");
    }
    let a_log = bits(&inputs.a_log);
    assert!(a_log.iter().all(|x| (0.0..2.773).contains(x)) && a_log.iter().any(|&x| x > 1.0));
    assert!(bits(&inputs.dt_bias).iter().any(|x| x.abs() > 0.5));
}
