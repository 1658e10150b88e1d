//! `--shape` texts, and the catalogue entry.

use std::collections::BTreeSet;

use gridproof_kernels::gdn_chunked::{KERNEL, MOST_ELEMENTS, MOST_SEQUENCES, Request, Variant, parse_shape};
use gridproof_reference::gdn_chunked::{Decay, Path, Problem, StateKind};

fn parsed(text: &str, variant: Variant) -> Request {
    parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_left_out_has_documented_defaults() {
    let request = parsed("", Variant::Chunked);
    let sizes = request.shape.sizes();
    assert_eq!([sizes.h, sizes.hv, sizes.k, sizes.v, sizes.d, sizes.c], [1, 2, 128, 128, 128, 32]);
    assert_eq!((&sizes.lengths[..], request.decay, request.state), (&[33][..], Decay::Normal, StateKind::Random));
    // A variant's first shape comes before those.
    assert_eq!(parsed("hv=1", Variant::NoBarrierMaterializeQ).shape.sizes().lengths, [5]);
}

#[test]
fn every_key_is_heard() {
    let text = "t=33+5,h=2,hv=6,seqs=2,c=64,d=256,decay=strong,state=zero,k=128,v=128";
    let request = parsed(text, Variant::Chunked);
    let sizes = request.shape.sizes();
    assert_eq!([sizes.h, sizes.hv, sizes.k, sizes.v, sizes.d, sizes.c], [2, 6, 128, 128, 256, 64]);
    assert_eq!((&sizes.lengths[..], request.decay, request.state), (&[33, 5][..], Decay::Strong, StateKind::Zero));
    let values: Vec<String> = request.values().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(values.join(","), text);
    assert_eq!(parsed(&values.join(","), Variant::Chunked), request);
}

#[test]
fn lengths_are_one_for_all_or_listed() {
    let lengths = |text: &str| parsed(text, Variant::Chunked).shape.sizes().lengths.clone();
    assert_eq!(lengths("t=7"), [7]);
    assert_eq!(lengths("t=7,seqs=3"), [7, 7, 7]);
    assert_eq!(lengths("t=7+1+9"), [7, 1, 9]);
    assert_eq!(lengths("t=7+1+9,seqs=3"), [7, 1, 9]);
}

#[test]
fn errors_name_the_key_the_value_and_the_limit() {
    for (text, words) in [
        ("m=3", "unknown shape key `m`, expected one of t, h, hv, seqs, c, d, decay, state, k, v"),
        ("t", "`t` is not of the form key=value"),
        ("t=1,t=2", "shape key `t` is given twice"),
        ("t=a", "shape key `t`: `a` is not a number of tokens, or a list of them with + in between"),
        ("t=4294967296", "shape key `t`: `4294967296` is not a number of tokens"),
        ("t=-1", "shape key `t`: `-1` is not a number of tokens"),
        ("t=0", "lengths[0] = 0: every sequence must have at least 1 token"),
        ("t=3+0", "lengths[1] = 0"),
        ("t=2147483648", "lengths[0..=0] add up to 2147483648 tokens, more than 2147483647"),
        ("seqs=0", "lengths is empty: at least 1 sequence is required"),
        ("t=1+2,seqs=3", "shape key `seqs`: 3, but `t` lists the tokens of 2 sequences"),
        ("seqs=65537", "shape key `seqs`: 65537 is more than the 65536 sequences whose data can be made"),
        ("seqs=4294967296", "shape key `seqs`: `4294967296` is not a whole number from 0 to 4294967295"),
        ("decay=weak", "shape key `decay`: `weak` is not normal or strong"),
        ("state=ones", "shape key `state`: `ones` is not random or zero"),
        ("h=0", "h = 0, hv = 2: at least 1 key head and 1 value head are required"),
        ("h=3", "hv = 2 is not a multiple of h = 3"),
        ("k=64", "k = 64, v = 128: only heads of k = v = 128 elements are supported"),
        ("v=256", "k = 128, v = 256: only heads"),
        ("d=64", "d = 64 is not a positive multiple of 128"),
        ("d=0", "d = 0 is not a positive multiple of 128"),
        ("c=48", "c = 48: a chunk has 16, 32 or 64 tokens"),
        (
            "t=2000000",
            "2000000 tokens of 896 elements, 1 sequences with states of 34304 and 2560 weights are more than the \
             1073741824 elements",
        ),
        ("t=1,hv=4294967295", "more than the 1073741824 elements whose data can be made"),
    ] {
        let error = parse_shape(text, Variant::Chunked).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|error| error.contains(words)), "{text}: {error:?}");
    }
    assert_eq!((MOST_SEQUENCES, MOST_ELEMENTS), (65_536, 1 << 30));
}

#[test]
fn as_much_data_as_is_stated_can_be_asked_for() {
    // 896 elements a token, 34,304 + 2,560 besides.
    let most = (MOST_ELEMENTS - 34_304 - 2_560) / 896;
    assert!(parse_shape(&format!("t={most}"), Variant::Chunked).is_ok());
    assert!(parse_shape(&format!("t={}", most + 1), Variant::Chunked).is_err());
}

#[test]
fn the_problem_is_the_reference_s() {
    let request = parsed("t=3+2,hv=3,decay=strong,state=zero", Variant::Serial);
    let wanted = Problem::from_seed(request.shape.clone(), Decay::Strong, StateKind::Zero, 5);
    assert_eq!(request.problem(5), wanted);
    assert_ne!(request.problem(6), wanted);
}

#[test]
fn the_entry_has_every_variant_and_shapes_that_can_be_made() {
    assert_eq!(KERNEL.variants.iter().map(|entry| entry.name).collect::<Vec<_>>(), Variant::ALL.map(Variant::name));
    for (entry, variant) in KERNEL.variants.iter().zip(Variant::ALL) {
        assert_eq!(variant.name().parse(), Ok(variant));
        assert_eq!(variant.path() == Path::Serial, variant == Variant::Serial);
        assert!(!entry.shapes.is_empty());
        for text in entry.shapes.iter().chain(entry.long_shapes) {
            assert!(parse_shape(text, variant).is_ok(), "{text}");
        }
    }
    let unknown = "chunky".parse::<Variant>().map_err(|error| error.to_string());
    let message = "unknown variant `chunky` of gdn_chunked: expected one of chunked, serial, no_barrier_materialize_q, \
                   no_barrier_materialize_k, no_barrier_solve_kk, no_barrier_solve_diag";
    assert_eq!(unknown, Err(message.to_owned()));
    let keys: BTreeSet<&str> = KERNEL.shape_keys.iter().map(|key| key.name).collect();
    assert_eq!(keys.len(), KERNEL.shape_keys.len());
}
