//! What must hold for the model at every shape, in every profile, on both paths.

use std::ops::Range;

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_chunked::{
    Bound, Bounds, Inputs, L2Norm, Oracle, Outputs, Path, Problem, Sizes, StateKind, model, tolerance,
};
use proptest::prelude::*;

use super::{DECAYS, PROFILES, STATES, changed, part, resized, seeded, with_own_key_heads};

/// A problem in words that read well when proptest has shrunk it.
#[derive(Clone, Debug)]
struct Case {
    sizes: Sizes,
    decay: usize,
    states: StateKind,
    path: Path,
    arithmetic: Arithmetic,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (prop::collection::vec(1_u32..=40, 1..=3), 1_u32..=2, 1_u32..=2, 0_usize..3, 1_u32..=2);
    let rest = (0_usize..2, 0_usize..2, 0_usize..2, 0_usize..4, 0_u64..1000);
    (shape, rest).prop_map(|((lengths, h, group, c, d), (decay, states, path, profile, seed))| {
        let sizes = Sizes { lengths, h, hv: h * group, k: 128, v: 128, d: d * 128, c: [16, 32, 64][c] };
        Case { sizes, decay, states: STATES[states], path: Path::ALL[path], arithmetic: PROFILES[profile], seed }
    })
}

impl Case {
    fn problem(&self) -> Problem {
        seeded(self.sizes.clone(), DECAYS[self.decay], self.states, self.seed)
    }

    fn run(&self, problem: &Problem) -> Outputs {
        model::run(problem, self.path, self.arithmetic)
    }

    /// The tokens of all sequences.
    fn tokens(&self) -> Vec<Range<u32>> {
        let problem = self.problem();
        (0..problem.shape().sequences()).map(|sequence| problem.shape().rows(sequence)).collect()
    }

    /// Elements of a token's output.
    fn output_row(&self) -> usize {
        self.sizes.hv as usize * 128
    }
}

/// Element `sequence` of a tensor with so many sequences.
fn of_sequence<T>(tensor: &[T], sequence: usize, sequences: usize) -> &[T] {
    let length = tensor.len() / sequences;
    &tensor[sequence * length..(sequence + 1) * length]
}

/// The outputs of `tokens`.
fn rows_of<'a, T>(output: &'a [T], tokens: &Range<u32>, row: usize) -> &'a [T] {
    &output[tokens.start as usize * row..tokens.end as usize * row]
}

/// The two calls over the tokens before and from `cuts[sequence]` on, the second of which starts from what the first left.
fn in_two_calls(case: &Case, problem: &Problem, cuts: &[u32]) -> [(Problem, Outputs); 2] {
    let tokens = case.tokens();
    let first: Vec<Range<u32>> =
        tokens.iter().zip(cuts).map(|(tokens, &cut)| tokens.start..tokens.start + cut).collect();
    let second: Vec<Range<u32>> =
        tokens.iter().zip(cuts).map(|(tokens, &cut)| tokens.start + cut..tokens.end).collect();
    let before = part(problem, &first, problem.inputs().conv_state.clone(), problem.inputs().state.clone());
    let left = case.run(&before);
    let after = part(problem, &second, left.conv_state.clone(), left.state.clone());
    let last = case.run(&after);
    [(before, left), (after, last)]
}

/// What both calls leave, in the order of one call.
fn joined(case: &Case, [(before, left), (after, last)]: &[(Problem, Outputs); 2]) -> Outputs {
    let mut output = vec![];
    for sequence in 0..before.shape().sequences() {
        for (part, outputs) in [(before, left), (after, last)] {
            output.extend_from_slice(rows_of(&outputs.output, &part.shape().rows(sequence), case.output_row()));
        }
    }
    Outputs { output, conv_state: last.conv_state.clone(), state: last.state.clone() }
}

/// Whether two numbers that belong to bounds around the same truth can both be right.
fn agree(a: &[f32], b: &[f32], bounds: impl Iterator<Item = (Bound, Bound)>) -> bool {
    assert_eq!(a.len(), b.len());
    let distances = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs());
    distances.zip(bounds).all(|(distance, (of_a, of_b))| distance <= of_a.error + of_b.error)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn outputs_are_within_the_derived_bound(case in cases()) {
        let problem = case.problem();
        prop_assert_eq!(tolerance::check(&problem, case.path, &case.run(&problem)), Ok(()));
    }

    #[test]
    fn permuting_the_sequences_permutes_the_outputs(case in cases(), turn in 0_usize..3) {
        let (problem, mut tokens) = (case.problem(), case.tokens());
        let turn = turn % tokens.len();
        let straight = case.run(&problem);
        tokens.rotate_left(turn);
        let rotated = |tensor: &[f32]| {
            let mut tensor = tensor.to_vec();
            let length = tensor.len() / tokens.len();
            tensor.rotate_left(turn * length);
            tensor
        };
        let inputs = problem.inputs();
        let turned = part(&problem, &tokens, rotated(&inputs.conv_state), rotated(&inputs.state));
        let rows = tokens.iter().flat_map(|tokens| rows_of(&straight.output, tokens, case.output_row()));
        let expected = Outputs {
            output: rows.copied().collect(),
            conv_state: rotated(&straight.conv_state),
            state: rotated(&straight.state),
        };
        prop_assert!(expected == case.run(&turned));
    }

    #[test]
    fn a_sequence_does_not_see_the_others(case in cases()) {
        let (problem, tokens) = (case.problem(), case.tokens());
        let (all, inputs, count) = (case.run(&problem), problem.inputs(), tokens.len());
        for (sequence, rows) in tokens.iter().enumerate() {
            let of = |tensor: &[f32]| of_sequence(tensor, sequence, count).to_vec();
            let alone = part(&problem, std::slice::from_ref(rows), of(&inputs.conv_state), of(&inputs.state));
            let output = rows_of(&all.output, rows, case.output_row()).to_vec();
            let expected = Outputs { output, conv_state: of(&all.conv_state), state: of(&all.state) };
            prop_assert!(expected == case.run(&alone));
        }
    }

    #[test]
    fn one_token_after_the_other_two_calls_equal_one(case in cases(), at in 0.0..1.0_f64) {
        let lengths = case.sizes.lengths.iter().map(|&length| length + 1).collect();
        let case = Case { path: Path::Serial, sizes: Sizes { lengths, ..case.sizes.clone() }, ..case };
        let cut = |length: &u32| 1 + (at * f64::from(length - 1)) as u32;
        let cuts: Vec<u32> = case.sizes.lengths.iter().map(cut).collect();
        let problem = case.problem();
        prop_assert!(joined(&case, &in_two_calls(&case, &problem, &cuts)) == case.run(&problem));
    }

    #[test]
    fn at_the_edge_of_a_chunk_two_calls_equal_one(case in cases()) {
        // Every sequence gets a whole chunk in front of what it has.
        let lengths = case.sizes.lengths.iter().map(|&length| length + case.sizes.c).collect();
        let case = Case { path: Path::Chunked, sizes: Sizes { lengths, ..case.sizes.clone() }, ..case };
        let cuts = vec![case.sizes.c; case.sizes.lengths.len()];
        let problem = case.problem();
        prop_assert!(joined(&case, &in_two_calls(&case, &problem, &cuts)) == case.run(&problem));
    }

    #[test]
    fn elsewhere_two_calls_equal_one_within_the_derived_bound(case in cases(), at in 0.0..1.0_f64) {
        let lengths = case.sizes.lengths.iter().map(|&length| length + 1).collect();
        let case = Case { path: Path::Chunked, sizes: Sizes { lengths, ..case.sizes.clone() }, ..case };
        let cut = |length: &u32| 1 + (at * f64::from(length - 1)) as u32;
        let cuts: Vec<u32> = case.sizes.lengths.iter().map(cut).collect();
        let problem = case.problem();
        let (whole, bounds) = (case.run(&problem), Bounds::new(&problem, case.path));
        let calls = in_two_calls(&case, &problem, &cuts);
        prop_assert!(joined(&case, &calls).conv_state == whole.conv_state);
        let [(before, left), (after, last)] = &calls;
        let first = Bounds::new(before, case.path);
        // The truth and the second call are both within these of what the second call should be.
        let second = Bounds::continued(after, case.path, &first.rows);
        let twice = |bound: &Bound| Bound { error: 2.0 * bound.error, ..*bound };
        for (sequence, tokens) in (0..).zip(case.tokens()) {
            let row = case.output_row();
            let rows = rows_of(&whole.output, &tokens, row);
            let of_whole = rows_of(&bounds.output, &tokens, row).iter().copied();
            let (early, late) = (before.shape().rows(sequence), after.shape().rows(sequence));
            let parts = [rows_of(&left.output, &early, row), rows_of(&last.output, &late, row)].concat();
            let of_parts = rows_of(&first.output, &early, row).iter().copied();
            let of_parts = of_parts.chain(rows_of(&second.output, &late, row).iter().map(twice));
            prop_assert!(agree(rows, &parts, of_whole.zip(of_parts)));
        }
        let of_states = bounds.state.iter().copied().zip(second.state.iter().map(twice));
        prop_assert!(agree(&whole.state, &last.state, of_states));
    }

    #[test]
    fn a_wrong_state_spreads_no_further_than_the_derived_bound(case in cases(), turn in 1_usize..128) {
        let (problem, length) = (case.problem(), 0.25);
        // Every row is off by a vector of this length: that of another row, or a unit vector.
        let wrong = changed(&problem, |inputs| {
            let others = inputs.state.clone();
            for (row, state) in inputs.state.as_chunks_mut::<128>().0.iter_mut().enumerate() {
                let other = &others.as_chunks::<128>().0[(row + turn) % (others.len() / 128)];
                let size = other.iter().map(|s| s * s).sum::<f32>().sqrt();
                match size > 0.0 {
                    true => state.iter_mut().zip(other).for_each(|(s, other)| *s += length * other / size),
                    false => state[(row + turn) % 128] += length,
                }
            }
        });
        // A little longer, for the roundings above.
        let rows = vec![1.0001 * f64::from(length); problem.inputs().state.len() / 128];
        let bounds = Bounds::continued(&wrong, case.path, &rows);
        let truth = Oracle::new(&problem, L2Norm::RsqrtOfSumPlusEps);
        let holds = |bounds: &[Bound], truth: &[f64]| {
            bounds.iter().zip(truth).all(|(bound, truth)| (truth - bound.value).abs() <= bound.error)
        };
        prop_assert!(holds(&bounds.core, &truth.core) && holds(&bounds.state, &truth.state));
        prop_assert!(holds(&bounds.output, &truth.output));
        prop_assert!(bounds.core.iter().chain(&bounds.state).all(|bound| bound.error < 1.0));
    }

    #[test]
    fn the_chunk_size_changes_results_within_the_derived_bound(case in cases()) {
        let sized = |c| {
            let problem = resized(&case.problem(), |sizes| sizes.c = c, |_| {});
            let outputs = model::run(&problem, Path::Chunked, case.arithmetic);
            (outputs, Bounds::new(&problem, Path::Chunked))
        };
        let [(first, bounds), others @ ..] = [16, 32, 64].map(sized);
        for (other, other_bounds) in others {
            let pairs = |ours: &[Bound], theirs: &[Bound]| -> Vec<(Bound, Bound)> {
                ours.iter().copied().zip(theirs.iter().copied()).collect()
            };
            let of_output = pairs(&bounds.output, &other_bounds.output);
            prop_assert!(agree(&first.output, &other.output, of_output.into_iter()));
            prop_assert!(agree(&first.state, &other.state, pairs(&bounds.state, &other_bounds.state).into_iter()));
            prop_assert!(first.conv_state == other.conv_state);
        }
        // Where there are no chunks, their size does not matter.
        let [first, others @ ..] = [16, 32, 64].map(|c| {
            model::run(&resized(&case.problem(), |sizes| sizes.c = c, |_| {}), Path::Serial, case.arithmetic)
        });
        prop_assert!(others.iter().all(|other| *other == first));
    }

    #[test]
    fn the_last_three_rows_become_the_convolutions_state(case in cases()) {
        let problem = case.problem();
        let outputs = case.run(&problem);
        let (dim, sequences) = (problem.shape().dim() as usize, case.sizes.lengths.len());
        for (sequence, tokens) in case.tokens().iter().enumerate() {
            let before = of_sequence(&problem.inputs().conv_state, sequence, sequences);
            let all = [before, rows_of(&problem.inputs().qkv, tokens, dim)].concat();
            prop_assert!(of_sequence(&outputs.conv_state, sequence, sequences) == &all[all.len() - 3 * dim..]);
        }
    }

    #[test]
    fn a_token_does_not_see_the_ones_after_it(case in cases(), at in 0.0..1.0_f64) {
        let problem = case.problem();
        let token = (at * f64::from(problem.shape().tokens())) as usize;
        let later = changed(&problem, |inputs| {
            let row = inputs.qkv.len() / problem.shape().tokens() as usize;
            inputs.qkv[token * row..].iter_mut().for_each(|x| *x = 1.0 - *x);
        });
        let (first, other) = (case.run(&problem), case.run(&later));
        let unseen = token * case.output_row();
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        prop_assert!(bits(&first.output[..unseen]) == bits(&other.output[..unseen]));
        prop_assert!(first.output[unseen..] != other.output[unseen..]);
    }

    #[test]
    fn neighbouring_value_heads_share_a_key_head(case in cases()) {
        let problem = case.problem();
        let group = (case.sizes.hv / case.sizes.h) as usize;
        let right = case.run(&problem);
        let same = case.run(&with_own_key_heads(&problem, |hv| hv / group));
        prop_assert!(right.output == same.output && right.state == same.state);
        let wrong = case.run(&with_own_key_heads(&problem, |hv| hv % case.sizes.h as usize));
        prop_assert_eq!(right.state != wrong.state, case.sizes.h > 1 && group > 1);
    }

    #[test]
    fn nothing_is_nan_however_strong_the_decay(case in cases(), bias in -100.0..1000.0_f32) {
        let problem = changed(&case.problem(), |inputs: &mut Inputs| inputs.dt_bias.fill(bias));
        let outputs = case.run(&problem);
        prop_assert!(outputs.output.iter().chain(&outputs.state).all(|x| x.is_finite()));
        prop_assert_eq!(tolerance::check(&problem, case.path, &outputs), Ok(()));
    }
}
