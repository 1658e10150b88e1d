//! What must hold for the model at every shape and for every pattern of indices.

use std::collections::BTreeMap;

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_conv_fused::{Inputs, Layout, Outputs, Problem, Sizes, model, tolerance};
use proptest::prelude::*;

use super::{LAYOUTS, PROFILES, changed, resized, seeded, with_own_key_heads};

/// A problem in words that read well when proptest has shrunk it.
#[derive(Clone, Debug)]
struct Case {
    sizes: Sizes,
    /// The slots of the requests, all different.
    slots: Vec<i32>,
    /// Which requests have no slot.
    padded: Vec<bool>,
    arithmetic: Arithmetic,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (1_u32..=3, 1_u32..=3, 1_u32..=3, 0_usize..2);
    let slots = Just((0..8).collect::<Vec<i32>>()).prop_shuffle();
    let rest = (prop::collection::vec(prop::bool::weighted(0.25), 3), 0_usize..4, 0_u64..1000);
    (shape, slots, rest).prop_map(|((n, h, group, layout), slots, (padded, profile, seed))| {
        let sizes = Sizes { n, h, hv: h * group, k: 128, v: 128, pool: 8, layout: LAYOUTS[layout] };
        Case { sizes, slots, padded, arithmetic: PROFILES[profile], seed }
    })
}

impl Case {
    fn indices(&self) -> Vec<i32> {
        let index = |request: usize| if self.padded[request] { -1 - self.slots[request] } else { self.slots[request] };
        (0..self.sizes.n as usize).map(index).collect()
    }

    fn problem(&self) -> Problem {
        seeded(self.sizes, &self.indices(), self.seed)
    }

    fn run(&self, problem: &Problem) -> Outputs {
        model::run(problem, self.arithmetic)
    }

    /// Bytes of the output rows of a request.
    fn rows(&self) -> usize {
        self.sizes.hv as usize * 256
    }
}

/// The states under other slots.
fn moved(states: &BTreeMap<u64, Vec<u8>>, to: impl Fn(u64) -> u64) -> BTreeMap<u64, Vec<u8>> {
    states.iter().map(|(&slot, bytes)| (to(slot), bytes.clone())).collect()
}

/// Little-endian bytes of the channels of a request, in the order of a sequential row, and of its z.
fn projections(problem: &Problem, request: usize) -> (Vec<u8>, Vec<u8>) {
    let (shape, columns) = (problem.shape(), problem.shape().qkvz_columns() as usize);
    let row = &problem.inputs().qkvz[request * columns..][..columns];
    let (h, r) = (shape.h() as usize, shape.group() as usize);
    let bytes = |first: usize, heads: usize| -> Vec<u8> {
        row[first * 128..(first + heads) * 128].iter().flat_map(|bits| bits.to_le_bytes()).collect()
    };
    match shape.layout() {
        Layout::Sequential => (bytes(0, 2 * h + h * r), bytes(2 * h + h * r, h * r)),
        Layout::Interleaved => {
            let part = |first: usize, heads: usize| (0..h).flat_map(move |key| bytes(key * (2 + 2 * r) + first, heads));
            let channels = part(0, 1).chain(part(1, 1)).chain(part(2, r)).collect();
            (channels, part(2 + r, r).collect())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn outputs_are_within_the_derived_bound(case in cases()) {
        let problem = case.problem();
        prop_assert_eq!(tolerance::check(&problem, &case.run(&problem)), Ok(()));
    }

    #[test]
    fn the_layout_changes_no_bit(case in cases()) {
        let [sequential, interleaved] = LAYOUTS.map(|layout| {
            let problem = seeded(Sizes { layout, ..case.sizes }, &case.indices(), case.seed);
            case.run(&problem)
        });
        prop_assert!(sequential == interleaved);
    }

    #[test]
    fn permuting_the_batch_permutes_the_outputs(case in cases(), turn in 1_usize..3) {
        let problem = case.problem();
        let n = case.sizes.n as usize;
        let turned = changed(&problem, |inputs| {
            for tensor in [&mut inputs.qkvz, &mut inputs.ba] {
                let request = tensor.len() / n;
                tensor.rotate_left(turn % n * request);
            }
            inputs.state_indices.rotate_left(turn % n);
        });
        let mut straight = case.run(&problem);
        straight.output.rotate_left(turn % n * case.rows());
        straight.z_out.rotate_left(turn % n * case.rows());
        prop_assert!(straight == case.run(&turned));
    }

    #[test]
    fn a_request_does_not_see_the_others(case in cases()) {
        let problem = case.problem();
        let all = case.run(&problem);
        for request in 0..case.sizes.n as usize {
            let part = |tensor: &mut Vec<u16>| {
                let columns = tensor.len() / case.sizes.n as usize;
                *tensor = tensor[request * columns..][..columns].to_vec();
            };
            let alone = resized(&problem, |sizes| sizes.n = 1, |inputs| {
                part(&mut inputs.qkvz);
                part(&mut inputs.ba);
                inputs.state_indices = vec![inputs.state_indices[request]];
            });
            let alone = case.run(&alone);
            prop_assert!(alone.output == all.output[request * case.rows()..][..case.rows()]);
            prop_assert!(alone.z_out == all.z_out[request * case.rows()..][..case.rows()]);
            prop_assert!(alone.conv_states.iter().all(|(slot, bytes)| all.conv_states.get(slot) == Some(bytes)));
            prop_assert!(alone.ssm_states.iter().all(|(slot, bytes)| all.ssm_states.get(slot) == Some(bytes)));
            prop_assert_eq!(alone.conv_states.len(), usize::from(!case.padded[request]));
        }
    }

    #[test]
    fn only_the_slots_of_requests_are_written(case in cases()) {
        let problem = case.problem();
        let outputs = case.run(&problem);
        let requests = 0..case.sizes.n as usize;
        let mut slots: Vec<u64> =
            requests.filter(|&request| !case.padded[request]).map(|request| case.slots[request] as u64).collect();
        slots.sort_unstable();
        for states in [&outputs.conv_states, &outputs.ssm_states] {
            prop_assert_eq!(states.keys().copied().collect::<Vec<_>>(), slots.clone());
        }
        prop_assert!(outputs.conv_states.values().all(|bytes| bytes.len() as u64 == problem.shape().conv_slot_bytes()));
        prop_assert!(outputs.ssm_states.values().all(|bytes| bytes.len() as u64 == problem.shape().ssm_slot_bytes()));
        // What other slots hold is not even read.
        let crowded = changed(&problem, |inputs| {
            for slot in (0..8).filter(|slot| !slots.contains(slot)) {
                inputs.conv_states.insert(slot, vec![0x7e; problem.shape().conv_slot_bytes() as usize]);
                inputs.ssm_states.insert(slot, vec![0x7e; problem.shape().ssm_slot_bytes() as usize]);
            }
        });
        prop_assert!(outputs == case.run(&crowded));
    }

    #[test]
    fn it_does_not_matter_in_which_slots_the_states_lie(case in cases(), turn in 1_u64..8) {
        let problem = case.problem();
        let to = |slot: u64| (slot + turn) % 8;
        let elsewhere = changed(&problem, |inputs| {
            for index in inputs.state_indices.iter_mut().filter(|index| **index >= 0) {
                *index = to(*index as u64) as i32;
            }
            inputs.conv_states = moved(&inputs.conv_states, to);
            inputs.ssm_states = moved(&inputs.ssm_states, to);
        });
        let here = case.run(&problem);
        let (conv_states, ssm_states) = (moved(&here.conv_states, to), moved(&here.ssm_states, to));
        let expected = Outputs { conv_states, ssm_states, ..here };
        prop_assert!(expected == case.run(&elsewhere));
    }

    #[test]
    fn a_negative_index_leaves_zeros_and_copies_z(case in cases()) {
        let problem = case.problem();
        let outputs = case.run(&problem);
        let rows = outputs.output.chunks_exact(case.rows()).zip(outputs.z_out.chunks_exact(case.rows()));
        prop_assert_eq!(rows.len(), case.sizes.n as usize);
        for (request, (output, z_out)) in rows.enumerate() {
            prop_assert_eq!(output.iter().all(|&byte| byte == 0), case.padded[request]);
            prop_assert!(z_out == projections(&problem, request).1);
        }
    }

    #[test]
    fn the_rows_of_the_convolution_move_up_by_one(case in cases()) {
        let problem = case.problem();
        let outputs = case.run(&problem);
        let row = problem.shape().dim() as usize * 2;
        for request in 0..case.sizes.n {
            let Some(slot) = problem.slot(request) else { continue };
            let (before, after) = (&problem.inputs().conv_states[&slot], &outputs.conv_states[&slot]);
            prop_assert!(after[..2 * row] == before[row..]);
            prop_assert!(after[2 * row..] == projections(&problem, request as usize).0);
        }
    }

    #[test]
    fn a_fourth_call_does_not_see_the_first_rows(case in cases()) {
        let (first, other) = (case.problem(), seeded(case.sizes, &case.indices(), case.seed + 1));
        // The same three calls over different rows: the fourth finds the same ones.
        let after = |rows: &Problem| {
            let mut states = rows.inputs().conv_states.clone();
            for call in 0..3 {
                let token = seeded(case.sizes, &case.indices(), case.seed + 10 + call);
                states = case.run(&changed(&token, |inputs| inputs.conv_states = states)).conv_states;
            }
            case.run(&changed(&first, |inputs| inputs.conv_states = states))
        };
        prop_assert!(after(&first) == after(&other));
        let computed = !first.inputs().conv_states.is_empty();
        let rows = |inputs: &mut Inputs| inputs.conv_states = other.inputs().conv_states.clone();
        prop_assert_eq!(case.run(&first) != case.run(&changed(&first, rows)), computed);
    }

    #[test]
    fn neighbouring_value_heads_share_a_key_head(case in cases()) {
        let case = Case { sizes: Sizes { layout: Layout::Sequential, ..case.sizes }, ..case };
        let problem = case.problem();
        let group = (case.sizes.hv / case.sizes.h) as usize;
        let right = case.run(&problem);
        let same = case.run(&with_own_key_heads(&problem, |hv| hv / group));
        prop_assert!((&right.output, &right.z_out) == (&same.output, &same.z_out));
        prop_assert!(right.ssm_states == same.ssm_states);
        let wrong = case.run(&with_own_key_heads(&problem, |hv| hv % case.sizes.h as usize));
        let computed = !right.ssm_states.is_empty();
        prop_assert_eq!(right.output != wrong.output, computed && case.sizes.h > 1 && group > 1);
    }
}
