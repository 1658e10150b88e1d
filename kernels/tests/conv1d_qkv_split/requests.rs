//! `--shape` texts, and the catalogue.

use std::collections::BTreeSet;

use gridproof_kernels::conv1d_qkv_split::{KERNEL, Request, Variant, parse_shape};
use gridproof_reference::conv1d_qkv_split::ElementType;

fn parsed(text: &str, variant: Variant) -> Request {
    parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_left_out_has_documented_defaults() {
    for variant in Variant::ALL {
        let request = parsed("", variant);
        let sizes = request.shape.sizes();
        assert_eq!([sizes.q, sizes.k, sizes.v, sizes.width], [128, 128, 256, 4]);
        assert_eq!((&sizes.lengths[..], sizes.slots, sizes.stride), (&[3, 8, 17][..], 8, None));
        assert_eq!((sizes.element, sizes.bias), (ElementType::Bf16, true));
        assert_eq!((&request.cache_indices[..], &request.has_initial_state[..]), (&[1, 2, 3][..], &[1, 1, 1][..]));
        assert!(request.check);
    }
}

#[test]
fn every_key_is_heard() {
    let text = "q=6,k=3,v=4,lens=5+0+2,width=3,dtype=f16,bias=0,slots=99,slot=5+-1+9,init=1+0+1,stride=17,check=0";
    let request = parsed(text, Variant::Auto);
    let sizes = request.shape.sizes();
    assert_eq!([sizes.q, sizes.k, sizes.v, sizes.width], [6, 3, 4, 3]);
    assert_eq!((&sizes.lengths[..], sizes.slots, sizes.stride), (&[5, 0, 2][..], 99, Some(17)));
    assert_eq!((sizes.element, sizes.bias, request.check), (ElementType::F16, false, false));
    assert_eq!((&request.cache_indices[..], &request.has_initial_state[..]), (&[5, -1, 9][..], &[1, 0, 1][..]));
    let values: Vec<String> = request.values().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(values.join(","), text);
    assert_eq!(parsed(&values.join(","), Variant::Auto), request);
}

#[test]
fn indices_and_flags_follow_the_first_or_are_listed() {
    let slots = |text: &str| parsed(text, Variant::Fused).cache_indices;
    assert_eq!(slots("slot=4"), [4, 5, 6]);
    assert_eq!(slots("slot=-1"), [-1, -1, -1]);
    assert_eq!(slots("slot=6+-1+2"), [6, -1, 2]);
    assert_eq!(slots("lens=7,slot=2147483647"), [i32::MAX]);
    let flags = |text: &str| parsed(text, Variant::Fused).has_initial_state;
    assert_eq!(flags("init=0"), [0, 0, 0]);
    assert_eq!(flags("init=0+1+0"), [0, 1, 0]);
    assert_eq!(flags("lens=1,init=1"), [1]);
}

#[test]
fn errors_name_the_key_the_value_and_the_limit() {
    for (text, words) in [
        ("m=3", "unknown shape key `m`, expected one of q, k, v, lens, width, dtype, bias, slots, slot, init, stride"),
        ("q=-3", "shape key `q`: `-3` is not a whole number from 0 to 4294967295"),
        ("k=a", "shape key `k`: `a` is not a whole number"),
        ("v=4294967296", "shape key `v`: `4294967296` is not a whole number"),
        ("width=wide", "shape key `width`: `wide` is not a whole number"),
        ("lens=3+-1", "shape key `lens`: `3+-1` is not a number of tokens, or a list of them with + in between"),
        ("lens=3++1", "shape key `lens`: `3++1` is not a number of tokens"),
        ("dtype=f32", "shape key `dtype`: `f32` is not bf16 or f16"),
        ("bias=yes", "shape key `bias`: `yes` is not 0 or 1"),
        ("check=2", "shape key `check`: `2` is not 0 or 1"),
        ("slots=-1", "shape key `slots`: `-1` is not a whole number from 0 to 18446744073709551615"),
        ("stride=far", "shape key `stride`: `far` is not a whole number"),
        ("slot=a", "shape key `slot`: `a` is not a slot number, or a list of them with + in between"),
        ("slot=2147483648", "shape key `slot`: `2147483648` is not a slot number"),
        ("slot=1+2", "shape key `slot`: 2 indices for lens = 3 sequences"),
        ("slot=2147483646", "shape key `slot`: 2147483646 and the lens = 3 - 1 indices behind it go beyond 2147483647"),
        ("init=2", "shape key `init`: `2` is not 0 or 1, or a list of them with + in between"),
        ("init=1+x+0", "shape key `init`: `1+x+0` is not 0 or 1"),
        ("init=1+0", "shape key `init`: 2 indices for lens = 3 sequences"),
        ("init=", "`init=` is not of the form key=value"),
        ("q=0", "q = 0, k = 128, v = 256: every tensor needs at least 1 channel"),
        ("width=5", "width = 5: a filter has 2 to 4 taps"),
        ("slots=0", "slots = 0: at least 1 slot is required"),
        ("stride=510", "stride = 510 elements is less than the 512 channels of one token"),
        ("stride=513", "stride = 513 elements is odd, but dim = 512 is even"),
        ("lens=2147483647+1", "lengths add up to 2147483648 tokens at lengths[1], more than 2147483647"),
        ("slots=18446744073709551615", "buffer `conv_state` takes 18446744073709551615 * 1536 * 2 bytes"),
        (
            "lens=4194304",
            "4194304 tokens of 512 elements, 1 sequences with states of 1536 and 2048 weights are more than the \
             2147483648 elements whose data can be made",
        ),
    ] {
        let error = parse_shape(text, Variant::Auto).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|error| error.contains(words)), "{text}: {error:?}");
    }
    // One token less than too many, but for the weight and the state.
    assert!(parse_shape("lens=4194296", Variant::Auto).is_ok());
}

#[test]
fn indices_are_checked_when_the_problem_is_made() {
    let problem = |text: &str| parsed(text, Variant::Auto).problem(1).map(drop).map_err(|error| error.to_string());
    assert_eq!(problem("slot=6"), Err("cache_indices[2] = 8: conv_state has 8 slots".to_owned()));
    assert!(problem("slot=3+4+3").is_err_and(|error| error.contains("two sequences would write one slot")));
    assert!(
        problem("slot=3+-2+4").is_err_and(|error| error.contains("cache_indices[1] = -2: the only negative index"))
    );
    for text in ["slot=6,check=0", "slot=3+4+3,check=0", "slot=-2,check=0", "slot=-1", "slot=7+-1+-1"] {
        assert_eq!(problem(text), Ok(()), "{text}");
    }
}

#[test]
fn the_catalogue_names_every_variant_and_all_its_shapes_are_valid() {
    assert_eq!(KERNEL.variants.iter().map(|entry| entry.name).collect::<Vec<_>>(), Variant::ALL.map(Variant::name));
    for (entry, variant) in KERNEL.variants.iter().zip(Variant::ALL) {
        assert_eq!(variant.name().parse(), Ok(variant));
        for text in entry.shapes.iter().chain(entry.long_shapes) {
            assert!(parsed(text, variant).problem(1).is_ok(), "{text}");
        }
    }
    let unknown = "split".parse::<Variant>().map_err(|error| error.to_string());
    let message = "unknown variant `split` of conv1d_qkv_split: expected one of auto, sequential, fused, \
                   fused_block_routed, no_state_barrier";
    assert_eq!(unknown, Err(message.to_owned()));
    let keys: BTreeSet<&str> = KERNEL.shape_keys.iter().map(|key| key.name).collect();
    assert_eq!(keys.len(), KERNEL.shape_keys.len());
}
