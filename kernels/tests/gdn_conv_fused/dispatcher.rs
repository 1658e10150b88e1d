//! The rules of the dispatcher, at every edge.

use gridproof_kernels::gdn_conv_fused::{Blocks, Choice, Refusal, Shift, Variant, choose};
use gridproof_reference::gdn_conv_fused::{Layout, Shape, Sizes};

fn shape(n: u32, h: u32, hv: u32) -> Shape {
    let sizes = Sizes { n, h, hv, k: 128, v: 128, pool: 4, layout: Layout::Sequential };
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn value_heads_take_one_team_where_two_would_be_too_many() {
    // h, hv, double_v, blocks, rounds, surplus channels.
    for (h, hv, double_v, count, rounds, surplus) in [
        (1, 1, false, 6, 1, 26 * 64),
        (2, 4, false, 16, 1, 16 * 64),
        (4, 8, false, 32, 1, 0),
        (1, 14, false, 32, 1, 0),
        (1, 15, true, 19, 1, 13 * 128),
        (2, 12, false, 32, 1, 0),
        (2, 14, true, 22, 1, 10 * 128),
        (4, 12, true, 28, 1, 4 * 128),
        (4, 16, true, 32, 1, 0),
        (8, 8, true, 40, 2, 24 * 128),
        (8, 16, true, 48, 2, 16 * 128),
        (8, 32, true, 64, 2, 0),
        (16, 16, true, 80, 3, 16 * 128),
        (16, 32, true, 96, 3, 0),
        (16, 48, true, 112, 4, 16 * 128),
        (16, 64, true, 128, 4, 0),
    ] {
        let blocks = Blocks::of(shape(1, h, hv));
        assert_eq!(blocks, Blocks { double_v, count }, "h = {h}, hv = {hv}");
        assert_eq!((blocks.rounds(), blocks.surplus_channels()), (rounds, surplus), "h = {h}, hv = {hv}");
    }
}

#[test]
fn heads_beyond_four_rounds_are_refused() {
    let chosen = |h, hv| choose(shape(1, h, hv), Variant::Split).map(|choice| choice.blocks.rounds());
    assert_eq!([chosen(16, 64), chosen(1, 124), chosen(25, 25)], [Ok(4), Ok(4), Ok(4)]);
    let refused = |h, hv, blocks| Err(Refusal::Rounds { h, hv, blocks });
    assert_eq!([chosen(1, 125), chosen(26, 26)], [refused(1, 125, 129), refused(26, 26, 130)]);
    assert_eq!(chosen(1 << 20, 1 << 20), refused(1 << 20, 1 << 20, 5 << 20));
    let message = "h = 1, hv = 125: 129 blocks of channels, 4 for a key head and 1 for a value head, but 32 teams take at \
                   most 128 in 4 rounds";
    assert_eq!(chosen(1, 125).map_err(|error| error.to_string()), Err(message.to_owned()));
}

#[test]
fn who_shifts() {
    let shifts = |n, h, hv| Variant::ALL.map(|variant| choose(shape(n, h, hv), variant).map(|choice| choice.shift));
    let [separate, first, every] = [Shift::Separate, Shift::FirstHead, Shift::EveryHead].map(Ok);
    for (n, h, hv, split32) in [
        (1, 1, 1, Shift::FirstHead),
        (31, 1, 1, Shift::FirstHead),
        (32, 1, 1, Shift::FirstHead),
        (33, 1, 1, Shift::Separate),
        (8, 2, 4, Shift::FirstHead),
        (9, 2, 4, Shift::Separate),
        (1, 1, 32, Shift::FirstHead),
        (1, 1, 33, Shift::Separate),
        (2, 16, 16, Shift::FirstHead),
        (3, 1, 11, Shift::Separate),
        (4, 16, 16, Shift::Separate),
        (1 << 20, 1, 1, Shift::Separate),
        (u32::MAX, 1, 100, Shift::Separate),
    ] {
        let expected = [separate.clone(), first.clone(), every.clone(), Ok(split32), first.clone()];
        assert_eq!(shifts(n, h, hv), expected, "n = {n}, h = {h}, hv = {hv}");
    }
    for variant in Variant::ALL {
        let choice = choose(shape(1, 2, 4), variant);
        assert_eq!(choice.map(|Choice { surplus, .. }| surplus), Ok(variant == Variant::SurplusThreads));
    }
}
