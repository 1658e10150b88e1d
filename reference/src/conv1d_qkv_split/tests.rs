//! The arrays of channels against the model written for reading, on every bit.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

use super::{ElementType, Inputs, Oracle, Problem, Shape, Sizes, Tensor, model, plain, tolerance};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

/// Channels within one array, at its ends, and over several; a padded sequence, an empty one, one without a state, one
/// whose slot no state was given for, and segments that start at a multiple of 16.
fn problem([q, k, v]: [u32; 3], width: u32, element: ElementType, bias: bool) -> Problem {
    let sizes = Sizes { q, k, v, width, lengths: vec![2, 33, 5, 0, 16, 1], slots: 9, stride: None, element, bias };
    let shape = Shape::new(sizes).unwrap();
    let problem = Problem::from_seed(shape, &[3, 0, -1, 4, 8, 5], &[1, 1, 1, 1, 0, 1], 7).unwrap();
    changed(&problem, |inputs| drop(inputs.states.remove(&5)))
}

/// `problem` with other inputs.
fn changed(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Problem {
    let mut inputs = problem.inputs().clone();
    change(&mut inputs);
    Problem::new(problem.shape().clone(), inputs).unwrap()
}

fn check(problem: &Problem) {
    for arithmetic in PROFILES {
        let (fast, plain) = (model::run(problem, arithmetic), plain::run(problem, arithmetic));
        for tensor in Tensor::ALL {
            assert!(fast.tensor(tensor) == plain.tensor(tensor), "{tensor}, {arithmetic}, {:?}", problem.shape());
        }
        assert!(fast.states == plain.states, "{arithmetic}, {:?}", problem.shape());
        assert_eq!(fast.states.keys().copied().collect::<Vec<_>>(), [0, 3, 5, 8]);
    }
}

#[test]
fn arrays_of_channels_give_the_bits_of_single_channels() {
    for element in ElementType::ALL {
        for width in 2..=4 {
            for bias in [false, true] {
                check(&problem([3, 5, 7], width, element, bias));
                check(&problem([40, 88, 128], width, element, bias));
                check(&problem([127, 131, 1], width, element, bias));
            }
        }
    }
}

#[test]
fn they_do_so_with_denormals_infinities_and_nan_and_where_profiles_differ() {
    for element in ElementType::ALL {
        let problem = changed(&problem([40, 88, 129], 4, element, true), |inputs| {
            // Every fourth value around the smallest normal number; weights that differ in many digits.
            inputs.x.iter_mut().step_by(4).for_each(|bits| *bits &= 0x80ff);
            inputs.weight.iter_mut().step_by(3).for_each(|bits| *bits &= 0x807f);
            inputs.x.iter_mut().step_by(101).for_each(|bits| *bits = 0x7fff);
            let infinity = if element == ElementType::Bf16 { 0xff80 } else { 0xfc00 };
            inputs.x.iter_mut().skip(50).step_by(103).for_each(|bits| *bits = infinity);
        });
        check(&problem);
    }
}

/// Three elements that add up to `sum`, the smallest first.
fn parts(element: ElementType, sum: f32) -> [u16; 3] {
    let high = element.rounded(sum);
    let middle = element.rounded(sum - element.value(high));
    let low = element.rounded(sum - element.value(high) - element.value(middle));
    assert_eq!(element.value(low) + element.value(middle) + element.value(high), sum);
    [low, middle, high]
}

#[test]
fn the_data_tells_profiles_apart() {
    // Multiply-adds differ in the last digits of SiLU alone, and hardly ever so that 16 bits show it: the first argument
    // from -1 on that does, as the sum of three tokens.
    for element in [ElementType::Bf16, ElementType::F16] {
        let rounded =
            |profile, bits| element.rounded(crate::numerics::Numerics::new(profile).silu_16(f32::from_bits(bits)));
        let differs = |bits: &u32| rounded(PROFILES[0], *bits) != rounded(PROFILES[1], *bits);
        let sum = (0xbf80_0000..0xc080_0000).find(differs).expect("some argument tells them apart");
        let parts = parts(element, f32::from_bits(sum));
        let rare = changed(&problem([40, 88, 129], 3, element, false), |inputs| {
            inputs.weight.fill(element.rounded(1.0));
            inputs.x.chunks_exact_mut(257).zip(parts.into_iter().cycle()).for_each(|(row, part)| row.fill(part));
        });
        check(&rare);
        assert!(model::run(&rare, PROFILES[0]) != model::run(&rare, PROFILES[1]), "{element:?}");
        assert!(model::run(&rare, PROFILES[2]) != model::run(&rare, PROFILES[3]), "{element:?}");
    }
    // bf16 has the denormals of f32.
    let tiny = changed(&problem([40, 88, 129], 4, ElementType::Bf16, false), |inputs| {
        inputs.x.iter_mut().for_each(|bits| *bits &= 0x807f);
        // 2^8, so that what is kept is above 2^-126 once it is halved.
        inputs.weight.iter_mut().for_each(|bits| *bits = 0x4380);
    });
    assert!(model::run(&tiny, PROFILES[0]) != model::run(&tiny, PROFILES[2]));
    assert!(model::run(&tiny, PROFILES[1]) != model::run(&tiny, PROFILES[3]));
}

/// The largest share of the bound that the error of an output takes up.
fn largest_share(element: ElementType, arithmetic: Arithmetic) -> f64 {
    let problem = problem([40, 88, 129], 4, element, true);
    let (shape, oracle, outputs) = (problem.shape(), Oracle::new(&problem), model::run(&problem, arithmetic));
    let dim = shape.dim() as usize;
    let mut largest: f64 = 0.0;
    for sequence in problem.computed() {
        for token in 0..shape.length(sequence) {
            let row = (shape.rows(sequence).start + token) as usize;
            let bounds = tolerance::bounds(&problem, sequence, token);
            for (channel, bound) in (0..).zip(bounds) {
                let (tensor, column) = shape.destination(channel);
                let element = row * shape.channels(tensor).len() + column as usize;
                let bits = u16::from_le_bytes(outputs.tensor(tensor).as_chunks().0[element]);
                let actual = f64::from(shape.element().value(bits));
                largest = largest.max((actual - oracle.output[row * dim + channel as usize]).abs() / bound);
            }
        }
    }
    largest
}

#[test]
fn the_derived_bound_is_not_far_above_the_errors() {
    for element in ElementType::ALL {
        for arithmetic in PROFILES {
            let share = largest_share(element, arithmetic);
            assert!((0.9..=1.0).contains(&share), "{element:?}, {arithmetic}: {share}");
        }
    }
}
