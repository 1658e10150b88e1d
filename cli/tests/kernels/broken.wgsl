@compute @workgroup_size(64)
fn main() {
    let x: u32 = 1.5;
}
