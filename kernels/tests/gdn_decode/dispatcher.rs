//! The rules of the dispatcher, at every edge.

use gridproof_kernels::gdn_decode::dispatcher::{automatic, ilp4_tile, wide_tile};
use gridproof_kernels::gdn_decode::{Choice, Options, Refusal, Variant, choose};
use gridproof_reference::gdn_decode::{Path, Shape, Sizes, StateType};

use super::check;

fn shape(b: u32, hv: u32, t: u32, state: StateType) -> Shape {
    let sizes = Sizes {
        b,
        t,
        h: 1,
        hv,
        k: 128,
        v: 128,
        pool: 4096,
        stride: None,
        steps: None,
        state,
        update: true,
        cache_intermediate: false,
    };
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_table_of_wide_vec() {
    let edges = [1, 127, 128, 511, 512, 1023, 1024, u64::MAX];
    let tiles = [None, None, Some(32), Some(32), Some(64), Some(64), Some(128), Some(128)];
    assert_eq!(edges.map(wide_tile), tiles);
}

#[test]
fn the_rule_of_ilp4() {
    // work, multiprocessors, tile: 4 * 132 = 528 workgroups are wanted.
    for (work, multiprocessors, tile_v) in [
        (1, 132, 16),
        (128, 132, 16),
        (128, 1, 16),
        (129, 132, 32),
        (131, 132, 32),
        (132, 132, 32),
        (263, 132, 32),
        (264, 132, 64),
        (527, 132, 64),
        (528, 132, 128),
        (1024, 132, 128),
        // 640 are wanted.
        (160, 160, 32),
        (319, 160, 32),
        (320, 160, 64),
        (639, 160, 64),
        (640, 160, 128),
        // 80 are wanted, fewer than there always are.
        (128, 20, 16),
        (129, 20, 128),
        (u64::MAX, u32::MAX, 128),
        // Never enough.
        (129, 10_000, 32),
    ] {
        assert_eq!(ilp4_tile(work, multiprocessors), tile_v, "work {work} on {multiprocessors}");
    }
}

#[test]
fn one_token_takes_wide_vec_only_with_large_tiles() {
    let wide = |tile_v| Choice { path: Path::WideVec, tile_v };
    let ilp4 = |tile_v| Choice { path: Path::Ilp4, tile_v };
    for (work, one, two) in [
        (127, ilp4(16), ilp4(16)),
        (128, ilp4(16), wide(32)),
        (129, ilp4(32), wide(32)),
        (511, ilp4(64), wide(32)),
        (512, wide(64), wide(64)),
        (1023, wide(64), wide(64)),
        (1024, wide(128), wide(128)),
    ] {
        assert_eq!(automatic(StateType::Bf16, work, 1, 132), one, "work {work}, 1 token");
        for tokens in 2..=8 {
            assert_eq!(automatic(StateType::Bf16, work, tokens, 132), two, "work {work}, {tokens} tokens");
            let pretranspose = Choice { path: Path::Pretranspose, tile_v: 16 };
            assert_eq!(automatic(StateType::F32, work, tokens, 132), pretranspose);
        }
    }
}

#[test]
fn a_variant_runs_on_the_kernel_of_its_states() {
    let options = Options::default();
    let choose = |variant, shape| choose(shape, variant, options).map(|choice| (choice.path, choice.tile_v));
    let small = shape(1, 2, 1, StateType::Bf16);
    assert_eq!(choose(Variant::Auto, small), Ok((Path::Ilp4, 16)));
    assert_eq!(choose(Variant::Ilp4, small), Ok((Path::Ilp4, 16)));
    assert_eq!(choose(Variant::WideVec, small), Ok((Path::WideVec, 32)));
    assert_eq!(choose(Variant::WideVec, shape(512, 2, 1, StateType::Bf16)), Ok((Path::WideVec, 128)));
    assert_eq!(choose(Variant::Ilp4, shape(512, 2, 1, StateType::Bf16)), Ok((Path::Ilp4, 128)));
    for variant in Variant::ALL.into_iter().filter(|variant| variant.switch().is_some()) {
        assert_eq!(choose(variant, small), Ok((Path::WideVec, 32)));
    }
    let f32 = shape(1, 2, 1, StateType::F32);
    for variant in Variant::ALL {
        let bf16_only = matches!(variant, Variant::WideVec | Variant::Ilp4 | Variant::WideVecNoPassBarrier);
        let refused = Err(Refusal::StateType { variant: variant.name(), state: StateType::F32 });
        assert_eq!(choose(variant, f32), if bf16_only { refused } else { Ok((Path::Pretranspose, 16)) });
    }
    let message = choose(Variant::Pretranspose, small).map_err(|error| error.to_string());
    assert_eq!(message, Err("variant `pretranspose` has no kernel for bf16 states".to_owned()));
}

#[test]
fn a_tile_can_be_asked_for_where_the_kernel_has_it() {
    let with = |variant, tile_v, state| {
        let options = Options { tile_v: Some(tile_v), ..Options::default() };
        choose(shape(1, 2, 1, state), variant, options).map(|choice| choice.tile_v)
    };
    for tile_v in [0, 1, 8, 16, 32, 48, 64, 128, 256, u32::MAX] {
        for (variant, path) in [(Variant::WideVec, Path::WideVec), (Variant::Ilp4, Path::Ilp4)] {
            let expected =
                if path.tiles().contains(&tile_v) { Ok(tile_v) } else { Err(Refusal::Tile { tile_v, path }) };
            assert_eq!(with(variant, tile_v, StateType::Bf16), expected);
        }
        assert_eq!(with(Variant::Pretranspose, tile_v, StateType::F32).is_ok(), tile_v == 16);
    }
    let message = with(Variant::WideVec, 16, StateType::Bf16).map_err(|error| error.to_string());
    assert_eq!(message, Err("tile = 16: `wide_vec` has tiles of 32, 64, 128 rows".to_owned()));
}

/// On either side of an edge another kernel runs, and has the bits of its own model.
#[test]
fn both_sides_of_an_edge_have_the_bits_of_their_model() {
    for (text, path) in [("b=127,h=1,hv=1,t=2", Path::Ilp4), ("b=128,h=1,hv=1,t=2", Path::WideVec)] {
        let case = super::Case::new(Variant::Auto, &format!("{text},pool=130"), Options::default(), 32);
        assert_eq!(case.expect("there is a launch").choice.path, path);
        check(Variant::Auto, &format!("{text},pool=130"), Options::default(), 32);
    }
}
