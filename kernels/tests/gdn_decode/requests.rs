//! `--shape` texts, and the catalogue.

use std::collections::BTreeSet;

use gridproof_kernels::gdn_decode::{Gates, KERNEL, Request, Variant, parse_shape};
use gridproof_reference::gdn_decode::StateType;

fn parsed(text: &str, variant: Variant) -> Request {
    parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_left_out_has_documented_defaults() {
    let request = parsed("", Variant::WideVec);
    let sizes = request.shape.sizes();
    assert_eq!([sizes.b, sizes.t, sizes.h, sizes.hv, sizes.k, sizes.v], [2, 1, 2, 4, 128, 128]);
    assert_eq!((sizes.pool, sizes.stride, sizes.steps), (8, None, None));
    assert_eq!((sizes.state, sizes.update, sizes.cache_intermediate), (StateType::Bf16, true, false));
    assert_eq!((&request.read[..], &request.write[..]), (&[1, 2][..], &[1, 2][..]));
    assert_eq!((request.tile_v, request.check, request.gates), (None, true, Gates::Normal));
    for variant in Variant::ALL {
        let sizes = parsed("t=2", variant).shape.sizes();
        assert_eq!(sizes.state == StateType::F32, variant == Variant::Pretranspose);
        let cached = matches!(variant, Variant::IntermediateBySlot | Variant::IntermediateOffset32);
        assert_eq!(sizes.cache_intermediate, cached);
        assert_eq!([sizes.b, sizes.t, sizes.h, sizes.hv], [2, 2, 2, 4]);
    }
}

#[test]
fn every_key_is_heard() {
    let text = "b=3,t=2,h=1,hv=3,pool=99,slot=5+9+-1,write=7,stride=50000,steps=4,state=f32,update=0,cache=1,tile=16,\
                check=0,gates=extreme,k=128,v=128";
    let request = parsed(text, Variant::Auto);
    let sizes = request.shape.sizes();
    assert_eq!([sizes.b, sizes.t, sizes.h, sizes.hv], [3, 2, 1, 3]);
    assert_eq!((sizes.pool, sizes.stride, sizes.steps), (99, Some(50_000), Some(4)));
    assert_eq!((sizes.state, sizes.update, sizes.cache_intermediate), (StateType::F32, false, true));
    assert_eq!((&request.read[..], &request.write[..]), (&[5, 9, -1][..], &[7, 8, 9][..]));
    assert_eq!((request.tile_v, request.check, request.gates), (Some(16), false, Gates::Extreme));
    let values: Vec<String> = request.values().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(values.join(","), text);
    assert_eq!(parsed(&values.join(","), Variant::Auto), request);
}

#[test]
fn indices_follow_the_first_or_are_listed() {
    let read = |text: &str| parsed(text, Variant::WideVec).read;
    assert_eq!(read("b=3,slot=4"), [4, 5, 6]);
    assert_eq!(read("b=3,slot=-1"), [-1, -1, -1]);
    assert_eq!(read("b=3,slot=6+-5+2"), [6, -5, 2]);
    assert_eq!(read("b=1,slot=2147483647"), [i32::MAX]);
    assert_eq!(parsed("b=2,slot=3,write=same", Variant::WideVec).write, [3, 4]);
    assert_eq!(parsed("b=2,slot=3,write=-1", Variant::WideVec).write, [-1, -1]);
}

#[test]
fn errors_name_the_key_the_value_and_the_limit() {
    for (text, words) in [
        ("m=3", "unknown shape key `m`, expected one of b, t, h, hv, pool, slot, write, stride, steps, state, update"),
        ("b=-3", "shape key `b`: `-3` is not a whole number from 0 to 4294967295"),
        ("pool=-3", "shape key `pool`: `-3` is not a whole number from 0 to 18446744073709551615"),
        ("stride=wide", "shape key `stride`: `wide` is not a whole number"),
        ("steps=many", "shape key `steps`: `many` is not a whole number"),
        ("tile=large", "shape key `tile`: `large` is not a whole number"),
        ("state=f16", "shape key `state`: `f16` is not bf16 or f32"),
        ("update=yes", "shape key `update`: `yes` is not 0 or 1"),
        ("cache=2", "shape key `cache`: `2` is not 0 or 1"),
        ("check=", "`check=` is not of the form key=value"),
        ("gates=wild", "shape key `gates`: `wild` is not normal or extreme"),
        ("slot=a", "shape key `slot`: `a` is not a slot number, or a list of them with + in between"),
        ("slot=2147483648", "shape key `slot`: `2147483648` is not a slot number"),
        ("b=3,slot=1+2", "shape key `slot`: 2 indices for b = 3 requests"),
        ("write=1+2+3", "shape key `write`: 3 indices for b = 2 requests"),
        ("slot=2147483647", "shape key `slot`: 2147483647 and the b = 2 - 1 indices behind it go beyond 2147483647"),
        ("b=0", "b = 0: at least 1 request is required"),
        ("t=9", "t = 9: a call takes 1 to 8 tokens"),
        ("h=3", "hv = 4 is not a multiple of h = 3"),
        ("k=64", "k = 64, v = 128: only heads of k = v = 128 elements"),
        ("t=3,steps=2", "steps = 2 is less than t = 3"),
        ("stride=8", "stride = 8 elements is less than the 65536 of one slot"),
        ("pool=18446744073709551615", "more than 9223372036854775807"),
        ("b=65537", "shape key `b`: 65537 is more than the 65536 requests whose data can be made"),
    ] {
        let error = parse_shape(text, Variant::Auto).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|error| error.contains(words)), "{text}: {error:?}");
    }
}

#[test]
fn indices_are_checked_when_the_problem_is_made() {
    let problem = |text: &str| parsed(text, Variant::Auto).problem(1).map(drop).map_err(|error| error.to_string());
    assert_eq!(problem("slot=7"), Err("read_indices[1] = 8: the pool has 8 slots".to_owned()));
    assert!(problem("slot=0").is_err_and(|error| error.contains("slot 0 of a bf16 pool is the reserved null slot")));
    assert!(problem("slot=3+3").is_err_and(|error| error.contains("two requests would write one slot")));
    for text in ["slot=7,check=0", "slot=0,check=0", "slot=3+3,check=0", "slot=0,state=f32", "slot=3+3,update=0"] {
        assert_eq!(problem(text), Ok(()), "{text}");
    }
}

#[test]
fn extreme_gates_meet_every_sum_of_the_test_vectors() {
    let problem = parsed("t=2,gates=extreme", Variant::Auto).problem(1).expect("valid");
    let (inputs, hv) = (problem.inputs(), 4);
    let sum = |(gate, a): (usize, &u16)| f32::from_bits(u32::from(*a) << 16) + inputs.dt_bias[gate % hv];
    let sums: Vec<f32> = inputs.a.iter().enumerate().map(sum).collect();
    for wanted in [-100.0, 19.99, 20.0, 20.01, 88.0, 89.0, 100.0] {
        assert!(sums.iter().any(|sum| (sum - wanted).abs() < 1e-6), "{wanted} in {sums:?}");
    }
    assert!(sums.contains(&20.0), "the edge itself");
    // Everything else is as the seed has it.
    let normal = parsed("t=2", Variant::Auto).problem(1).expect("valid");
    assert_eq!(
        (&inputs.q, &inputs.b, &inputs.states),
        (&normal.inputs().q, &normal.inputs().b, &normal.inputs().states)
    );
}

#[test]
fn the_catalogue_names_every_variant_and_all_its_shapes_are_valid() {
    assert_eq!(KERNEL.variants.iter().map(|entry| entry.name).collect::<Vec<_>>(), Variant::ALL.map(Variant::name));
    for (entry, variant) in KERNEL.variants.iter().zip(Variant::ALL) {
        assert_eq!(variant.name().parse(), Ok(variant));
        assert!(!entry.shapes.is_empty());
        for text in entry.shapes.iter().chain(entry.long_shapes) {
            assert!(parsed(text, variant).problem(1).is_ok(), "{text}");
        }
    }
    let unknown = "wide".parse::<Variant>().map_err(|error| error.to_string());
    assert!(
        unknown.is_err_and(|error| error.starts_with("unknown variant `wide` of gdn_decode: expected one of auto,"))
    );
    let keys: BTreeSet<&str> = KERNEL.shape_keys.iter().map(|key| key.name).collect();
    assert_eq!(keys.len(), KERNEL.shape_keys.len());
}
