//! Valid inputs, and what becomes of them when they are cut, turned, repeated and left out in part.

/// A kernel that reads, branches, loops, and uses workgroup memory.
pub const WGSL: &str = "\
struct Row { scale: f32, values: array<f32, 3> }
override count: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
var<workgroup> rows: array<Row, 8>;
fn twice(value: f32) -> f32 { return value * 2.0; }
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) i: u32) {
    rows[i].values[i % 3u] = twice(f32(x[i]));
    workgroupBarrier();
    for (var k = 0u; k < count; k++) {
        if rows[i].scale == 0.0 { x[i] += k; } else { x[i] = u32(rows[i].values[2]); }
    }
}
";

/// The same in short, in PTX.
pub const PTX: &str = "\
.version 8.5
.target sm_90
.address_size 64
.visible .entry main(.param .u64 x)
{
    .reg .b32 %r<4>;
    .reg .b64 %rd<4>;
    .reg .pred %p<2>;
    .shared .align 4 .b8 rows[32];
    ld.param.u64 %rd0, [x];
    cvta.to.global.u64 %rd1, %rd0;
    mov.u32 %r0, %tid.x;
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd1, %rd1, %rd2;
    ld.global.u32 %r1, [%rd1+0];
    setp.gt.u32 %p0, %r1, 7;
    @%p0 bra DONE;
    add.u32 %r1, %r1, (1 << 3) + 0x1F;
    st.global.u32 [%rd1], %r1;
DONE:
    bar.sync 0;
    ret;
}
";

/// A launch of [`WGSL`], with most keys of the format.
pub const LAUNCH: &str = "\
module = \"kernel.wgsl\"
entry = \"main\"
grid = [1, 1, 1]
slots = 4

[constants]
count = 3

[buffers.x]
dtype = \"u32\"
shape = [2, 4]
init = { value = 1 }
output = true
binding = [0, 0]
range = [0, 32]
";

/// A launch of [`PTX`].
pub const PTX_LAUNCH: &str = "\
grid = [1]
workgroup = [8]

[buffers.x]
dtype = \"u32\"
shape = [8]
init = { value = 1 }
output = true
";

/// A launch whose contents stand in `t.safetensors`.
pub const TENSOR_LAUNCH: &str = "\
module = \"kernel.wgsl\"
grid = [1]

[buffers.x]
init = { file = \"t.safetensors\" }
";

/// A tensor file with this header.
pub fn tensor_file(length: u64, header: &[u8], data: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes(), header, data].concat()
}

/// A tensor file that [`TENSOR_LAUNCH`] can read.
pub fn tensors() -> Vec<u8> {
    let header = br#"{"x":{"dtype":"U32","shape":[2,4],"data_offsets":[0,32]}}"#;
    tensor_file(header.len() as u64, header, &[0; 32])
}

/// [`WGSL`] as SPIR-V.
pub fn spirv() -> Vec<u8> {
    let module = naga::front::wgsl::parse_str(&WGSL.replace("override", "const")).unwrap();
    let flags = naga::valid::ValidationFlags::all();
    let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::all()).validate(&module).unwrap();
    let words = naga::back::spv::write_vec(&module, &info, &naga::back::spv::Options::default(), None).unwrap();
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `text` cut at every fiftieth of its length, with single bits and bytes turned, and with bytes lost and repeated.
pub fn broken(text: &[u8], seed: u64) -> Vec<Vec<u8>> {
    let mut draws = Draws(seed);
    let mut all: Vec<Vec<u8>> = (0..50).map(|part| text[..text.len() * part / 50].to_vec()).collect();
    for kind in 0..120 {
        let (at, other) = (draws.below(text.len()), draws.below(text.len()));
        let mut one = text.to_vec();
        match kind % 5 {
            0 | 1 => one[at] ^= 1 << draws.below(8),
            2 => one[at] = u8::try_from(draws.below(256)).unwrap(),
            3 => drop(one.drain(at.min(other)..(at.min(other) + 4).min(text.len()))),
            _ => drop(one.splice(at..at, text[other..(other + 12).min(text.len())].iter().copied())),
        }
        all.push(one);
    }
    all
}

/// `text` without each of its lines, and with each of them twice.
pub fn lines(text: &str) -> Vec<Vec<u8>> {
    let lines: Vec<&str> = text.lines().collect();
    let with = |at: usize, times: usize| {
        let parts =
            lines.iter().enumerate().flat_map(|(line, words)| [*words].repeat(if line == at { times } else { 1 }));
        parts.collect::<Vec<_>>().join("\n").into_bytes()
    };
    (0..lines.len()).flat_map(|at| [with(at, 0), with(at, 2)]).collect()
}

/// `text` with each of its runs of digits replaced by numbers at and past every limit.
pub fn numbers(text: &str) -> Vec<Vec<u8>> {
    let starts = text.char_indices().filter(|(at, character)| {
        character.is_ascii_digit() && !text[..*at].ends_with(|before: char| before.is_ascii_alphanumeric())
    });
    let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    let values = ["-1", "0", "2147483648", "4294967295", "18446744073709551615", "99999999999999999999999", "1e400"];
    let replaced = |at: usize, value: &str| {
        let end = text[at..].find(|after: char| !after.is_ascii_digit()).map_or(text.len(), |length| at + length);
        format!("{}{value}{}", &text[..at], &text[end..]).into_bytes()
    };
    starts.into_iter().flat_map(|at| values.map(|value| replaced(at, value))).collect()
}

/// The same draws each time (xorshift64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
