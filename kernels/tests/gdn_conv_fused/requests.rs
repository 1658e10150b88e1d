//! `--shape` texts, and the catalogue.

use std::collections::BTreeSet;

use gridproof_kernels::gdn_conv_fused::{Gates, KERNEL, Request, Variant, parse_shape};
use gridproof_reference::gdn_conv_fused::Layout;
use gridproof_reference::numerics::half::f16_to_f32;

fn parsed(text: &str, variant: Variant) -> Request {
    parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_left_out_has_documented_defaults() {
    let request = parsed("", Variant::Split);
    let sizes = request.shape.sizes();
    assert_eq!([sizes.n, sizes.h, sizes.hv, sizes.k, sizes.v], [2, 2, 4, 128, 128]);
    assert_eq!((sizes.pool, sizes.layout), (3, Layout::Sequential));
    assert_eq!((&request.slots[..], request.check, request.gates), (&[1, 2][..], true, Gates::Normal));
    // A variant's first shape comes before those.
    assert_eq!(parsed("hv=12", Variant::InlineAll).shape.sizes().h, 4);
    assert_eq!(parsed("", Variant::SurplusThreads).slots, [3]);
}

#[test]
fn a_pool_reaches_to_the_last_slot_that_is_used() {
    let pool = |text: &str| parsed(text, Variant::Split).shape.pool();
    assert_eq!([pool("n=3,slot=4"), pool("n=3,slot=9+-1+2"), pool("n=2,slot=-3")], [7, 10, 1]);
    assert_eq!([pool("n=1,slot=0"), pool("n=1,slot=2147483647,pool=auto")], [1, 1 << 31]);
    assert_eq!([pool("n=3,slot=4,pool=9"), pool("n=3,slot=4,pool=2,check=0")], [9, 2]);
    let error = parse_shape("n=1,h=16,hv=64,slot=2147483647", Variant::Split).map(|request| request.shape.pool());
    assert_eq!(error, Ok(1 << 31), "2^52 bytes");
}

#[test]
fn every_key_is_heard() {
    let text = "n=3,h=1,hv=3,layout=interleaved,pool=99,slot=5+9+-1,check=0,gates=extreme,k=128,v=128";
    let request = parsed(text, Variant::Split);
    let sizes = request.shape.sizes();
    assert_eq!([sizes.n, sizes.h, sizes.hv], [3, 1, 3]);
    assert_eq!((sizes.pool, sizes.layout), (99, Layout::Interleaved));
    assert_eq!((&request.slots[..], request.check, request.gates), (&[5, 9, -1][..], false, Gates::Extreme));
    let values: Vec<String> = request.values().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(values.join(","), text);
    assert_eq!(parsed(&values.join(","), Variant::Split), request);
}

#[test]
fn slots_follow_the_first_or_are_listed() {
    let slots = |text: &str| parsed(text, Variant::Split).slots;
    assert_eq!(slots("n=3,slot=4"), [4, 5, 6]);
    assert_eq!(slots("n=3,slot=-1"), [-1, -1, -1]);
    assert_eq!(slots("n=3,slot=6+-5+2"), [6, -5, 2]);
    assert_eq!(slots("n=1,slot=2147483647"), [i32::MAX]);
}

#[test]
fn errors_name_the_key_the_value_and_the_limit() {
    for (text, words) in [
        ("m=3", "unknown shape key `m`, expected one of n, h, hv, layout, pool, slot, check, gates, k, v"),
        ("n=-3", "shape key `n`: `-3` is not a whole number from 0 to 4294967295"),
        ("h=x", "shape key `h`: `x` is not a whole number"),
        ("hv=4294967296", "shape key `hv`: `4294967296` is not a whole number"),
        ("pool=-3", "shape key `pool`: `-3` is not a whole number from 0 to 18446744073709551615"),
        ("pool=car", "shape key `pool`: `car` is not a whole number"),
        ("layout=packed", "shape key `layout`: `packed` is not sequential or interleaved"),
        ("check=2", "shape key `check`: `2` is not 0 or 1"),
        ("check=", "`check=` is not of the form key=value"),
        ("gates=wild", "shape key `gates`: `wild` is not normal or extreme"),
        ("slot=a", "shape key `slot`: `a` is not a slot number, or a list of them with + in between"),
        ("slot=2147483648", "shape key `slot`: `2147483648` is not a slot number"),
        ("n=3,slot=1+2", "shape key `slot`: 2 indices for n = 3 requests"),
        ("slot=2147483647", "shape key `slot`: 2147483647 and the n = 2 - 1 indices behind it go beyond 2147483647"),
        ("n=1,n=2", "shape key `n` is given twice"),
        ("n=0", "n = 0: at least 1 request is required"),
        ("h=0", "h = 0, hv = 4: at least 1 key head"),
        ("h=3", "hv = 4 is not a multiple of h = 3"),
        ("k=64", "n = 2, h = 2, hv = 4, k = 64, v = 128: only heads of k = v = 128 elements are supported"),
        ("v=256", "n = 2, h = 2, hv = 4, k = 128, v = 256: only heads"),
        ("pool=0", "pool = 0: at least 1 slot is required"),
        ("pool=18446744073709551615", "more than 9223372036854775807"),
        ("n=65537", "shape key `n`: 65537 is more than the 65536 requests whose data can be made"),
    ] {
        let error = parse_shape(text, Variant::Split).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|error| error.contains(words)), "{text}: {error:?}");
    }
}

#[test]
fn indices_are_checked_when_the_problem_is_made() {
    let problem = |text: &str| parsed(text, Variant::Split).problem(1).map(drop).map_err(|error| error.to_string());
    assert_eq!(problem("slot=3,pool=4"), Err("state_indices[1] = 4: the pool has 4 slots".to_owned()));
    let shared = "state_indices[0] and state_indices[2] are both 3: two requests would update one state";
    assert_eq!(problem("n=3,slot=3+1+3"), Err(shared.to_owned()));
    for text in ["slot=3,pool=4,check=0", "slot=3+3,check=0", "slot=-1", "slot=-1+-1", "slot=0+3"] {
        assert_eq!(problem(text), Ok(()), "{text}");
    }
}

#[test]
fn extreme_gates_meet_every_sum_of_the_test_vectors() {
    for layout in ["sequential", "interleaved"] {
        let request = parsed(&format!("n=5,h=1,hv=3,pool=6,gates=extreme,layout={layout}"), Variant::Split);
        let problem = request.problem(1).expect("valid");
        let (shape, inputs) = (problem.shape(), problem.inputs());
        let plain = parsed(&format!("n=5,h=1,hv=3,pool=6,layout={layout}"), Variant::Split).problem(1).expect("valid");
        let mut sums = Vec::new();
        for (row, plain) in inputs.ba.chunks(6).zip(plain.inputs().ba.chunks(6)) {
            for head in 0..3 {
                let a = row[shape.a_column(head) as usize];
                sums.push(f16_to_f32(a) + f16_to_f32(inputs.dt_bias[head as usize]));
                let b = shape.b_column(head) as usize;
                assert_eq!(row[b], plain[b], "b stays");
            }
        }
        for wanted in [-100.0, 19.99, 20.0, 20.01, 88.0, 89.0, 100.0] {
            assert!(sums.iter().any(|sum| (sum - wanted).abs() < 1e-4), "{wanted} in {sums:?}");
        }
        assert!(sums.contains(&20.0), "the edge itself");
    }
}

#[test]
fn the_catalogue_has_every_variant_and_shapes_that_can_be_made() {
    assert_eq!(KERNEL.variants.iter().map(|entry| entry.name).collect::<Vec<_>>(), Variant::ALL.map(Variant::name));
    for (entry, variant) in KERNEL.variants.iter().zip(Variant::ALL) {
        assert_eq!(variant.name().parse(), Ok(variant));
        assert!(!entry.shapes.is_empty());
        for text in entry.shapes.iter().chain(entry.long_shapes) {
            assert!(parsed(text, variant).problem(1).is_ok(), "{text}");
        }
    }
    let unknown = "splat".parse::<Variant>().map_err(|error| error.to_string());
    let message = "unknown variant `splat` of gdn_conv_fused: expected one of split, inline, inline_all, split32, \
                   surplus_threads";
    assert_eq!(unknown, Err(message.to_owned()));
    let keys: BTreeSet<&str> = KERNEL.shape_keys.iter().map(|key| key.name).collect();
    assert_eq!(keys.len(), KERNEL.shape_keys.len());
}
