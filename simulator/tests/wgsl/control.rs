//! Control flow.

use crate::{body, items, parallel};

#[test]
fn loops() {
    let text = "
        var s = 0u; for (var k = 0u; k < 10u; k++) { if k == 3u { continue; } if k == 7u { break; } s += k; } output[0] = s;
        var n = input[0]; var steps = 0u; while n != 1u { if n % 2u == 0u { n = n / 2u; } else { n = 3u * n + 1u; } steps++; } output[1] = steps;
        var t = 0u; loop { t += 2u; if t == 6u { continue; } if t > 20u { break; } continuing { t += 1u; break if t > 15u; } } output[2] = t;
        var z = 0u; for (;;) { z++; if z == 4u { break; } } output[3] = z;
        var o = 0u; for (var a = 0u; a < 4u; a++) { for (var b = 0u; b < 4u; b++) { if b > a { break; } if a == 2u { continue; } o = o * 10u + b; } } output[4] = o;
        for (var a = 0u; a < 3u; a++) { var fresh: u32; fresh += a; output[5] += fresh; }
        for (var a = 0u; a < 3u; a++) { var fresh: array<u32, 3>; fresh[a] += 1u; output[6] += fresh[0] + fresh[1] + fresh[2]; }";
    let mut expected = [1 + 2 + 4 + 5 + 6, 0, 0, 4, 0, 3, 3];
    let (mut n, mut steps) = (27_u32, 0);
    while n != 1 {
        n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    expected[1] = steps;
    let mut t = 0;
    loop {
        t += 2;
        if t != 6 && t > 20 {
            break;
        }
        t += 1;
        if t > 15 {
            break;
        }
    }
    expected[2] = t;
    let mut o = 0;
    for a in 0..4 {
        for b in 0..4 {
            if b > a {
                break;
            }
            if a == 2 {
                continue;
            }
            o = o * 10 + b;
        }
    }
    expected[4] = o;
    assert_eq!(body(text, &[27], 7), expected);
}

#[test]
fn values_computed_before_a_store_keep_their_value() {
    let text = "
        var x = input[0]; let a = x; x = 5u; output[0] = a; output[1] = x;
        var y = x; if input[0] == 9u { let b = y; y = 7u; output[2] = b + y; } output[3] = y;
        var s = 1u; for (var k = 0u; k < 4u; k++) { let old = s; s = s * 2u; output[4] += old; } output[5] = s;
        var p = 1u; var q = 2u; for (var k = 0u; k < 3u; k++) { let t = p; p = q; q = t + q; } output[6] = p; output[7] = q;
        var u = vec2(1u, 2u); u = u.yx; output[8] = u.x; output[9] = u.y;";
    assert_eq!(body(text, &[9], 10), [9, 5, 12, 7, 15, 16, 5, 8, 2, 1]);
}

#[test]
fn switches() {
    let text = "
        var r = 0u;
        switch i % 6u {
            case 0u { r = 10u; }
            case 1u, 2u { r = 20u; if i > 30u { break; } r = 21u; }
            default { r = 30u; }
            case 4u: { for (var k = 0u; k < 3u; k++) { if k == 1u { continue; } r += 100u; } }
        }
        switch bitcast<i32>(i) - 5 { case -2i: { r += 1000u; } case 3i, default: { r += 2000u; } }
        switch i { default: { r += 1u; } }
        output[i] = r;";
    let expected: Vec<u32> = (0..64)
        .map(|i| {
            let mut r = match i % 6 {
                0 => 10,
                1 | 2 if i > 30 => 20,
                1 | 2 => 21,
                4 => 200,
                _ => 30,
            };
            r += if i == 3 { 1000 } else { 2000 };
            r + 1
        })
        .collect();
    assert_eq!(parallel("", text, &[], 64), expected);
}

#[test]
fn invocations_part_and_meet_again() {
    let text = "
        var r = 0u;
        if i < 10u { r = 1u; } else if i < 20u { r = 2u; if i % 2u == 0u { output[i] = 77u; return; } } else { r = 3u; }
        for (var k = 0u; k < i; k++) { if k == 40u { break; } r += k; }
        while r > 100u { r -= 7u; if r % 5u == 0u { continue; } r -= 1u; }
        output[i] = r;";
    let expected: Vec<u32> = (0..64_u32)
        .map(|i| {
            let mut r = match i {
                0..10 => 1,
                10..20 if i % 2 == 0 => return 77,
                10..20 => 2,
                _ => 3,
            };
            r += (0..i.min(40)).sum::<u32>();
            while r > 100 {
                r -= 7;
                if r % 5 != 0 {
                    r -= 1;
                }
            }
            r
        })
        .collect();
    assert_eq!(parallel("", text, &[], 64), expected);
}

#[test]
fn early_returns_of_called_functions() {
    let global = "
        fn classify(x: u32) -> u32 {
            if x < 10u { return 1u; }
            for (var k = 0u; k < 50u; k++) { if k * k > x { return k; } }
            switch x { case 63u: { return 99u; } default: {} }
            return 0u;
        }
        fn twice(x: u32) -> u32 { let a = classify(x); if a == 1u { return classify(x + 20u); } return a + 100u; }
        fn nothing(x: u32) { if x == 5u { return; } output[64u + x] = 1u; if x == 6u { return; } output[64u + x] = 2u; }";
    let text = "output[i] = twice(i); nothing(i);";
    let classify = |x: u32| if x < 10 { 1 } else { (0..50).find(|k| k * k > x).unwrap_or(0) };
    let twice = |x: u32| if classify(x) == 1 { classify(x + 20) } else { classify(x) + 100 };
    let nothing = |x: u32| match x {
        5 => 0,
        6 => 1,
        _ => 2,
    };
    let expected: Vec<u32> = (0..64).map(twice).chain((0..64).map(nothing)).collect();
    assert_eq!(parallel(global, text, &[], 128), expected);
}

#[test]
fn dead_code_is_harmless() {
    let text = "if false { output[0] = 1u; } loop { output[1] = 2u; break; output[2] = 3u; } output[3] = 4u; return; ";
    assert_eq!(body(text, &[], 4), [0, 2, 0, 4]);
    assert_eq!(items("fn f() -> u32 { loop { if true { return 3u; } } return 4u; }", "output[0] = f();", &[], 1), [3]);
}
