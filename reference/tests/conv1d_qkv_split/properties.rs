//! What must hold for the model at every shape and for every pattern of indices.

use gridproof_launch::Arithmetic;
use gridproof_reference::conv1d_qkv_split::{
    ElementType, Inputs, Outputs, PADDING, Problem, STATE_FILL, Sizes, Tensor, model, tolerance,
};
use proptest::prelude::*;

use super::{PROFILES, changed, resized, seeded};

/// A problem in words that read well when proptest has shrunk it.
#[derive(Clone, Debug)]
struct Case {
    sizes: Sizes,
    /// The slots of the sequences, all different.
    slots: Vec<i32>,
    /// Which sequences have no slot.
    padded: Vec<bool>,
    initial: Vec<bool>,
    arithmetic: Arithmetic,
    seed: u64,
}

/// Most sequences.
const SEQUENCES: usize = 4;

fn cases() -> impl Strategy<Value = Case> {
    let channels = prop_oneof![3 => 1_u32..12, 1 => 120_u32..140];
    let channels = [channels.clone(), channels.clone(), channels];
    let length = prop_oneof![3 => 0_u32..5, 2 => 5_u32..40];
    let lengths = prop::collection::vec(length, 1..=SEQUENCES);
    let shape = (channels, 2_u32..=4, lengths, 0_u64..4, any::<bool>(), any::<bool>());
    let slots = Just((0..7).collect::<Vec<i32>>()).prop_shuffle();
    let flags = prop::collection::vec((prop::bool::weighted(0.25), any::<bool>()), SEQUENCES);
    (shape, slots, flags, 0_usize..4, 0_u64..1000).prop_map(|(shape, mut slots, flags, profile, seed)| {
        let ([q, k, v], width, lengths, padding, half, bias) = shape;
        let dim = u64::from(q + k + v);
        let padding = if dim.is_multiple_of(2) { padding / 2 * 2 } else { padding };
        let element = if half { ElementType::F16 } else { ElementType::Bf16 };
        slots.truncate(lengths.len());
        let (padded, initial) = flags.into_iter().take(lengths.len()).unzip();
        let sizes = Sizes { q, k, v, width, lengths, slots: 7, stride: Some(dim + padding), element, bias };
        Case { sizes, slots, padded, initial, arithmetic: PROFILES[profile], seed }
    })
}

impl Case {
    fn sequences(&self) -> usize {
        self.sizes.lengths.len()
    }

    fn indices(&self) -> Vec<i32> {
        self.slots.iter().zip(&self.padded).map(|(&slot, &padded)| if padded { -1 } else { slot }).collect()
    }

    fn initial(&self) -> Vec<i32> {
        self.initial.iter().map(|&initial| i32::from(initial)).collect()
    }

    fn problem(&self) -> Problem {
        seeded(self.sizes.clone(), &self.indices(), &self.initial(), self.seed)
    }

    fn run(&self, problem: &Problem) -> Outputs {
        model::run(problem, self.arithmetic)
    }
}

/// The bytes of the tokens of a sequence.
fn rows<'a>(problem: &Problem, outputs: &'a Outputs, tensor: Tensor, sequence: usize) -> &'a [u8] {
    let (rows, bytes) = (problem.shape().rows(sequence as u32), 2 * problem.shape().channels(tensor).len());
    &outputs.tensor(tensor)[rows.start as usize * bytes..rows.end as usize * bytes]
}

/// `problem` with the tokens of each sequence that `part` picks.
fn part(problem: &Problem, part: impl Fn(usize) -> std::ops::Range<u32>, change: impl FnOnce(&mut Inputs)) -> Problem {
    let stride = problem.shape().stride() as usize;
    let sequences = problem.shape().sequences() as usize;
    let lengths: Vec<u32> = (0..sequences).map(|sequence| part(sequence).len() as u32).collect();
    let mut starts = vec![0];
    lengths.iter().for_each(|&length| starts.push(starts[starts.len() - 1] + length as i32));
    let tokens = |sequence: usize| {
        let (first, range) = (problem.shape().rows(sequence as u32).start, part(sequence));
        (first + range.start) as usize * stride..(first + range.end) as usize * stride
    };
    let x = (0..sequences).flat_map(|sequence| problem.inputs().x[tokens(sequence)].to_vec()).collect();
    resized(
        problem,
        |sizes| sizes.lengths = lengths,
        |inputs| {
            (inputs.x, inputs.query_start_loc) = (x, starts);
            change(inputs);
        },
    )
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 128, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn outputs_are_within_the_derived_bound(case in cases()) {
        let problem = case.problem();
        prop_assert_eq!(tolerance::check(&problem, &case.run(&problem)), Ok(()));
    }

    /// A call leaves in `conv_state` what the next one needs. Sequences are cut anywhere, each elsewhere.
    #[test]
    fn two_calls_through_conv_state_are_one(case in cases(), cuts in prop::collection::vec(0_u32..1000, SEQUENCES)) {
        let problem = case.problem();
        let lengths = &case.sizes.lengths;
        // Every second cut within the reach of the filter, at either end.
        let cut = |sequence: usize| {
            let (length, cut) = (lengths[sequence], cuts[sequence]);
            let near = cut / 4 % 4;
            match cut % 4 {
                0 => near.min(length),
                1 => length - near.min(length),
                _ => cut % (length + 1),
            }
        };
        let whole = case.run(&problem);
        let first = part(&problem, |sequence| 0..cut(sequence), |_| {});
        let before = case.run(&first);
        let second = part(&problem, |sequence| cut(sequence)..lengths[sequence], |inputs| {
            inputs.states.extend(before.states.clone());
            for (sequence, flag) in inputs.has_initial_state.iter_mut().enumerate() {
                // Without a first token the state is as it was.
                *flag = if cut(sequence) > 0 { 1 } else { *flag };
            }
        });
        let after = case.run(&second);
        for sequence in 0..case.sequences() {
            for tensor in Tensor::ALL {
                let (start, end) = (rows(&first, &before, tensor, sequence), rows(&second, &after, tensor, sequence));
                prop_assert!(rows(&problem, &whole, tensor, sequence) == [start, end].concat(), "{}, {}", tensor, sequence);
            }
        }
        let mut states = before.states;
        states.extend(after.states);
        prop_assert!(whole.states == states);
    }

    #[test]
    fn permuting_sequences_permutes_the_outputs(case in cases(), turn in 0..SEQUENCES) {
        let problem = case.problem();
        let (sequences, stride) = (case.sequences(), problem.shape().stride() as usize);
        let old = |sequence: usize| (sequence + turn) % sequences;
        let order: Vec<usize> = (0..sequences).map(old).collect();
        let lengths: Vec<u32> = order.iter().map(|&old| case.sizes.lengths[old]).collect();
        let sizes = Sizes { lengths, ..case.sizes.clone() };
        let turned = resized(&problem, |all| *all = sizes.clone(), |inputs| {
            inputs.query_start_loc = super::shape(sizes.clone()).query_start_loc();
            inputs.cache_indices.rotate_left(turn % sequences);
            inputs.has_initial_state.rotate_left(turn % sequences);
            inputs.x = order.iter().flat_map(|&old| {
                let rows = problem.shape().rows(old as u32);
                problem.inputs().x[rows.start as usize * stride..rows.end as usize * stride].to_vec()
            }).collect();
        });
        let (straight, moved) = (case.run(&problem), case.run(&turned));
        for (sequence, &old) in order.iter().enumerate() {
            for tensor in Tensor::ALL {
                prop_assert!(rows(&turned, &moved, tensor, sequence) == rows(&problem, &straight, tensor, old));
            }
        }
        prop_assert!(straight.states == moved.states);
    }

    #[test]
    fn nothing_is_written_but_the_rows_and_slots_asked_for(case in cases()) {
        let problem = case.problem();
        let mut outputs = Outputs::default();
        for tensor in Tensor::ALL {
            *outputs.tensor_mut(tensor) = vec![0xa5; 2 * problem.shape().output_elements(tensor)];
        }
        // A slot that is not written must not be listed, one that is must not keep this.
        outputs.states = (0..7).map(|slot| (slot, vec![0xa5; problem.shape().state_bytes() as usize])).collect();
        model::run_into(&problem, case.arithmetic, &mut outputs);
        let zeroed = case.run(&problem);
        for sequence in 0..case.sequences() {
            for tensor in Tensor::ALL {
                let (kept, zeroed) = (rows(&problem, &outputs, tensor, sequence), rows(&problem, &zeroed, tensor, sequence));
                if case.padded[sequence] {
                    prop_assert!(kept.iter().all(|&byte| byte == 0xa5) && zeroed.iter().all(|&byte| byte == 0));
                } else {
                    prop_assert!(kept == zeroed);
                }
            }
        }
        let written = |sequence: &usize| !case.padded[*sequence] && case.sizes.lengths[*sequence] > 0;
        let mut slots: Vec<u64> = (0..case.sequences()).filter(written).map(|s| case.slots[s] as u64).collect();
        slots.sort_unstable();
        prop_assert_eq!(outputs.states.keys().copied().collect::<Vec<_>>(), slots);
        prop_assert!(outputs.states == zeroed.states);
        let length = problem.shape().state_bytes();
        prop_assert!(outputs.states.values().all(|bytes| bytes.len() as u64 == length));
    }

    #[test]
    fn columns_behind_the_channels_do_not_matter(case in cases(), wider in 0_u64..6) {
        let problem = case.problem();
        let (dim, stride) = (u64::from(problem.shape().dim()), problem.shape().stride());
        let wider = dim + if dim.is_multiple_of(2) { wider / 2 * 2 } else { wider };
        let other = resized(&problem, |sizes| sizes.stride = Some(wider), |inputs| {
            let rows = inputs.x.chunks_exact(stride as usize);
            inputs.x = rows.flat_map(|row| {
                let mut row = row[..dim as usize].to_vec();
                row.resize(wider as usize, 0x3c00);
                row
            }).collect();
        });
        let padding = problem.inputs().x.chunks_exact(stride as usize).flat_map(|row| &row[dim as usize..]);
        prop_assert!(padding.copied().all(|bits| bits == PADDING));
        prop_assert!(case.run(&problem) == case.run(&other));
    }

    #[test]
    fn a_state_without_its_flag_does_not_matter(case in cases()) {
        let problem = case.problem();
        let other = changed(&problem, |inputs| {
            for (sequence, &slot) in case.slots.iter().enumerate() {
                if let (false, Some(state)) = (case.initial[sequence], inputs.states.get_mut(&(slot as u64))) {
                    state.fill(0x7f);
                }
            }
        });
        prop_assert!(case.run(&problem) == case.run(&other));
    }

    #[test]
    fn a_sequence_without_an_initial_state_follows_zeros(case in cases()) {
        let problem = case.problem();
        let zeros = changed(&problem, |inputs| {
            for (sequence, &slot) in case.slots.iter().enumerate() {
                if let (false, Some(state)) = (case.initial[sequence], inputs.states.get_mut(&(slot as u64))) {
                    state.fill(0);
                }
            }
            inputs.has_initial_state.fill(1);
        });
        prop_assert!(case.run(&problem) == case.run(&zeros));
    }

    #[test]
    fn a_slot_that_no_state_is_given_for_has_the_fill(case in cases()) {
        let problem = case.problem();
        let absent = changed(&problem, |inputs| inputs.states.clear());
        let filled = changed(&problem, |inputs| inputs.states.values_mut().for_each(|bytes| bytes.fill(STATE_FILL)));
        prop_assert!(case.run(&absent) == case.run(&filled));
    }

    #[test]
    fn a_sequence_is_on_its_own(case in cases(), chosen in 0..SEQUENCES) {
        let problem = case.problem();
        let chosen = chosen % case.sequences();
        let alone = part(&problem, |s| if s == chosen { 0..case.sizes.lengths[s] } else { 0..0 }, |_| {});
        let (all, one) = (case.run(&problem), case.run(&alone));
        for tensor in Tensor::ALL {
            prop_assert!(rows(&problem, &all, tensor, chosen) == rows(&alone, &one, tensor, chosen));
        }
        prop_assert!(one.states.iter().all(|(slot, bytes)| all.states.get(slot) == Some(bytes)));
        prop_assert!(one.states.len() <= 1);
    }

    #[test]
    fn broken_indices_do_not_break_the_model(case in cases(), indices in prop::collection::vec(-3_i32..10, SEQUENCES)) {
        let indices = &indices[..case.sequences()];
        let shape = super::shape(case.sizes.clone());
        let problem = Problem::from_seed_unchecked(shape, indices, &case.initial(), case.seed).expect("lengths fit");
        let outputs = case.run(&problem);
        prop_assert!(outputs.states.keys().eq(problem.writers().keys()));
        prop_assert_eq!(tolerance::check(&problem, &outputs), Ok(()));
    }
}
