//! Every refusal in its own words, what data depends on, and what is unspecified.

use std::collections::BTreeSet;

use gridproof_reference::gdn_decode::shape::BYTES_LIMIT;
use gridproof_reference::gdn_decode::{Inputs, Problem, Shape, Sizes, StateType};

use super::{seeded, shape, sizes};

const BOTH: [StateType; 2] = [StateType::Bf16, StateType::F32];

fn check_sizes(change: impl FnOnce(&mut Sizes), message: &str) {
    let mut sizes = sizes(StateType::Bf16);
    change(&mut sizes);
    assert_eq!(Shape::new(sizes).map_err(|error| error.to_string()).map(|_| ()), Err(message.to_owned()));
}

#[test]
fn sizes_are_checked() {
    check_sizes(|s| s.b = 0, "b = 0: at least 1 request is required");
    check_sizes(|s| s.t = 0, "t = 0: a call takes 1 to 8 tokens");
    check_sizes(|s| s.t = 9, "t = 9: a call takes 1 to 8 tokens");
    check_sizes(|s| s.h = 0, "h = 0, hv = 4: at least 1 key head and 1 value head are required");
    check_sizes(|s| s.hv = 0, "h = 2, hv = 0: at least 1 key head and 1 value head are required");
    check_sizes(
        |s| s.hv = 5,
        "hv = 5 is not a multiple of h = 2: every key head must serve the same number of value heads",
    );
    check_sizes(
        |s| s.k = 64,
        "b = 2, t = 3, h = 2, hv = 4, k = 64, v = 128: only heads of k = v = 128 elements are supported",
    );
    check_sizes(
        |s| s.v = 256,
        "b = 2, t = 3, h = 2, hv = 4, k = 128, v = 256: only heads of k = v = 128 elements are supported",
    );
    check_sizes(|s| s.pool = 0, "pool = 0: at least 1 slot is required");
    check_sizes(
        |s| s.stride = Some(65_528),
        "stride = 65528 elements is less than the 65536 of one slot with hv = 4: slots would overlap",
    );
    check_sizes(
        |s| s.stride = Some(65_540),
        "stride = 65540 elements is not a multiple of 8: slots would not start at whole 16-byte loads",
    );
    check_sizes(|s| s.steps = Some(2), "steps = 2 is less than t = 3: intermediate states need a row for every token");
}

#[test]
fn sizes_at_their_limits_are_allowed() {
    for state in BOTH {
        for t in [1, 8] {
            let sizes = Sizes { b: 1, t, h: 1, hv: 1, pool: 1, stride: Some(16_384), steps: Some(8), ..sizes(state) };
            let shape = shape(sizes);
            assert!(shape.is_dense());
            assert_eq!(shape.pool_bytes(), 16_384 * u64::from(state.bytes()));
        }
    }
    let padded = shape(Sizes { hv: 32, pool: 8192, stride: Some(540_672), ..sizes(StateType::F32) });
    assert_eq!(padded.pool_bytes(), 17_716_740_096);
    assert_eq!(padded.slot_bytes(), 2_097_152);
    assert!(!padded.is_dense());
}

#[test]
fn no_buffer_outgrows_signed_64_bit_offsets() {
    let limit = BYTES_LIMIT;
    let message = |buffer: &str, a: u64, b: u64, c: u64| {
        format!("buffer `{buffer}` takes {a} * {b} * {c} bytes, more than {limit}")
    };
    // 2^46 slots of 2^17 bytes are 2^63.
    let slots = 1 << 46;
    check_sizes(|s| s.pool = slots, &message("state_pool", slots, 65_536, 2));
    assert!(Shape::new(Sizes { pool: slots - 1, ..sizes(StateType::Bf16) }).is_ok());
    check_sizes(|s| s.stride = Some(1 << 62), &message("state_pool", 6, 1 << 62, 2));
    check_sizes(|s| s.stride = Some(u64::MAX - 7), &message("state_pool", 6, u64::MAX - 7, 2));
    let most = u32::MAX;
    check_sizes(
        |s| (s.b, s.t, s.h, s.hv) = (most, 8, most, most),
        &message("q", u64::from(most) * 8, u64::from(most), 256),
    );
    check_sizes(|s| (s.b, s.hv) = (1 << 28, 1 << 26), &message("v", 3 << 28, 1 << 26, 256));
    check_sizes(
        |s| (s.b, s.t, s.hv, s.steps) = (1 << 21, 1, 1 << 10, Some(1 << 18)),
        &message("intermediate_states", 1 << 39, 1 << 24, 2),
    );
}

#[test]
fn a_tensor_of_the_wrong_length_is_named() {
    let good = seeded(sizes(StateType::F32), &[0, 5], &[0, 5], 1);
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
        let sizes = "b = 2, t = 3, h = 2, hv = 4";
        refused(change, &format!("tensor `{tensor}` has {actual} elements, but {sizes} ask for {expected}"));
    };
    check(|i| i.q.push(0), "q", 1537, 1536);
    check(|i| i.k.clear(), "k", 0, 1536);
    check(|i| i.v.truncate(3071), "v", 3071, 3072);
    check(|i| i.a.push(0), "a", 25, 24);
    check(|i| i.b.truncate(23), "b", 23, 24);
    check(|i| i.a_log.push(0.0), "a_log", 5, 4);
    check(|i| i.dt_bias.clear(), "dt_bias", 0, 4);
    check(|i| i.read_indices.truncate(1), "read_indices", 1, 2);
    check(|i| i.write_indices.push(1), "write_indices", 3, 2);
    refused(
        |i| i.states.get_mut(&5).unwrap().truncate(262_143),
        "the state of slot 5 has 262143 bytes, but a slot with hv = 4 has 262144",
    );
    refused(|i| drop(i.states.insert(6, vec![0; 262_144])), "a state is given for slot 6, but the pool has 6 slots");
}

fn check_indices(state: StateType, read: [i32; 2], write: [i32; 2], message: &str) {
    let shape = shape(sizes(state));
    let refused = Problem::from_seed(shape, &read, &write, 1).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(refused, Err(message.to_owned()));
    let unchecked = Problem::from_seed_unchecked(shape, &read, &write, 1).unwrap();
    let refused = Problem::new(shape, unchecked.inputs().clone()).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(refused, Err(message.to_owned()));
}

#[test]
fn broken_indices_are_named() {
    for state in BOTH {
        check_indices(state, [1, 6], [1, 2], "read_indices[1] = 6: the pool has 6 slots");
        check_indices(state, [1, 2], [i32::MAX, 2], "write_indices[0] = 2147483647: the pool has 6 slots");
        check_indices(
            state,
            [1, 2],
            [3, 3],
            "write_indices[0] and write_indices[1] are both 3: two requests would write one slot",
        );
        check_indices(
            state,
            [1, 2],
            [2, 3],
            "read_indices[1] and write_indices[0] are both 2: a request would read a slot while another writes it",
        );
        assert!(Problem::from_seed(shape(sizes(state)), &[5, 1], &[5, 2], 1).is_ok());
    }
    let null = "slot 0 of a bf16 pool is the reserved null slot; a request without a slot has a negative index";
    check_indices(StateType::Bf16, [1, 0], [1, 2], &format!("read_indices[1] = 0: {null}"));
    check_indices(StateType::Bf16, [1, 2], [0, 2], &format!("write_indices[0] = 0: {null}"));
    assert!(Problem::from_seed(shape(sizes(StateType::F32)), &[0, 1], &[0, 1], 1).is_ok());
}

#[test]
fn two_requests_may_read_one_slot_and_without_an_update_nobody_writes() {
    for state in BOTH {
        assert!(Problem::from_seed(shape(sizes(state)), &[1, 1], &[2, 3], 1).is_ok());
        let frozen = shape(Sizes { update: false, ..sizes(state) });
        for write in [[2, 2], [1, 3], [-1, 1]] {
            let problem = Problem::from_seed(frozen, &[1, 1], &write, 1).unwrap();
            assert_eq!(problem.write_slot(0), None);
        }
        let refused = Problem::from_seed(frozen, &[1, 1], &[2, 9], 1).map_err(|error| error.to_string());
        assert_eq!(refused.map(|_| ()), Err("write_indices[1] = 9: the pool has 6 slots".to_owned()));
    }
}

#[test]
fn negative_indices_mean_the_null_slot_or_nothing() {
    let bf16 = seeded(sizes(StateType::Bf16), &[-1, 3], &[2, i32::MIN], 1);
    assert_eq!([bf16.read_slot(0), bf16.write_slot(0)], [Some(0), Some(2)]);
    assert_eq!([bf16.read_slot(1), bf16.write_slot(1)], [Some(3), Some(0)]);
    assert_eq!([bf16.read_slot(2), bf16.write_slot(2)], [None, None]);
    // A skipped request does not claim its slot.
    let f32 = seeded(sizes(StateType::F32), &[-1, 3], &[3, -1], 1);
    assert_eq!([f32.read_slot(0), f32.write_slot(0)], [None, None]);
    assert_eq!([f32.read_slot(1), f32.write_slot(1)], [Some(3), None]);
}

#[test]
fn what_races_on_the_null_slot_is_unspecified() {
    let check = |read: [i32; 3], write: [i32; 3], update: bool, requests: &[u32], slots: &[u64]| {
        let sizes = Sizes { b: 3, update, ..sizes(StateType::Bf16) };
        let problem = seeded(sizes, &read, &write, 1);
        assert_eq!(problem.unspecified_requests(), requests.iter().copied().collect::<BTreeSet<_>>());
        assert_eq!(problem.unspecified_slots(), slots.iter().copied().collect::<BTreeSet<_>>());
        assert_eq!(problem.null_slot_is_unspecified(), slots.contains(&0));
    };
    check([1, 2, 3], [1, 2, 3], true, &[], &[]);
    // One padded request is on its own.
    check([1, -1, 3], [1, -1, 3], true, &[], &[]);
    check([-1, -1, 3], [-1, -1, 3], true, &[0, 1], &[0]);
    check([-1, -1, 3], [-1, -1, 3], false, &[], &[]);
    // Two write it, one of which reads elsewhere.
    check([1, -1, 3], [-1, -1, 3], true, &[1], &[0]);
    // One reads what another writes, and stores the result.
    check([1, -1, 3], [-1, 2, 3], true, &[1], &[2]);
    // All read it, nobody writes it.
    check([-1, -1, -1], [1, 2, 3], true, &[], &[]);
    let f32 = seeded(Sizes { b: 3, ..sizes(StateType::F32) }, &[-1, -1, 0], &[-1, -1, 0], 1);
    assert!(f32.unspecified_requests().is_empty() && f32.unspecified_slots().is_empty());
}

#[test]
fn data_depends_on_the_seed_alone_and_a_state_on_its_slot() {
    for state in BOTH {
        let problem = seeded(sizes(state), &[4, 2], &[4, 2], 9);
        assert!(problem == seeded(sizes(state), &[4, 2], &[4, 2], 9));
        let other = seeded(sizes(state), &[4, 2], &[4, 2], 10);
        assert!(problem.inputs().q != other.inputs().q && problem.inputs().states != other.inputs().states);
        let moved = seeded(Sizes { stride: Some(65_544), ..sizes(state) }, &[3, 4], &[3, 1], 9);
        assert!(problem.inputs().v == moved.inputs().v);
        assert!(problem.inputs().states[&4] == moved.inputs().states[&4]);
        assert_eq!(moved.inputs().states.keys().copied().collect::<Vec<_>>(), [3, 4]);
    }
    // Broken indices have no state where there is no slot.
    let broken = Problem::from_seed_unchecked(shape(sizes(StateType::F32)), &[7, 2], &[0, 0], 1).unwrap();
    assert_eq!(broken.inputs().states.keys().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(broken.read_slot(0), Some(7));
}
