//! Control flow.
use super::body;

#[test]
fn show() {
    println!("{}", body("data[i] = i + 1;"));
    println!(
        "{}",
        body(
            "if (i >= arrayLength(&data)) { return; } var s = 0u; for (var k = 0u; k < 10u; k++) { s += data[i * 10u + k]; } data[i] = s;"
        )
    );
    println!("{}", body("if (i < 4u && data[i] > 3u) { data[i] = 1u; } else { data[i] = 2u; }"));
    println!(
        "{}",
        body(
            "var t = vec4<f32>(0.0); for (var k = 0u; k < 4u; k++) { t += vec4(reals[k], reals[k+1u], reals[k+2u], reals[k+3u]); if t.x > 3.0 { continue; } t *= 2.0; } reals[i] = dot(t, t);"
        )
    );
    println!(
        "{}",
        body(
            "var a: array<u32, 5>; a[i] = 3u; switch (i) { case 1u, 2u: { data[0] = 1u; } default: { a[2] = 4u; break; } case 7u: { data[1] = 2u; } } data[i] = a[i+1u];"
        )
    );
}
