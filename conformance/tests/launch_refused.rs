//! Malformed launch files: each is refused with the place, the value and the limit, and nothing panics.

use std::fs;
use std::path::Path;

use gridproof_conformance::launch_file::{Limits, read};

const KERNEL: &str = "@compute @workgroup_size(1) fn main() {}";

/// Bytes of contents the tests allow.
const LIMITS: Limits = Limits { memory: 1 << 20, seed: 0 };

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u64::try_from(header.len()).unwrap();
    [&length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("k.wgsl", KERNEL.as_bytes());
    write("k.txt", KERNEL.as_bytes());
    write("bad.wgsl", b"fn \xff");
    write("k.ptx", b".version 8.0");
    write("odd.spv", b"\x03\x02\x23\x07\0");
    write("short.spv", b"\x03\x02\x23\x07");
    write("swapped.spv", &[7, 0x23, 2, 3].repeat(5));
    write("magic.spv", &[0; 20]);
    write("f16.safetensors", &safetensors(r#"{"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#, &[0; 4]));
    write("empty.safetensors", b"");
    write("long.safetensors", &u64::MAX.to_le_bytes());
    write("beyond.safetensors", &[100, 0, 0, 0, 0, 0, 0, 0, b'{']);
    write("json.safetensors", &safetensors("{", b""));
    write("utf8.safetensors", &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]);
    write("lie.safetensors", &safetensors(r#"{"x":{"dtype":"F16","shape":[9],"data_offsets":[0,4]}}"#, &[0; 4]));
    write("gap.safetensors", &safetensors(r#"{"x":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}"#, &[0; 8]));
    write("past.safetensors", &safetensors(r#"{"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#, &[0; 3]));
    let huge = r#"{"x":{"dtype":"F64","shape":[4294967296,4294967296,9],"data_offsets":[0,4]}}"#;
    write("huge.safetensors", &safetensors(huge, &[0; 4]));
    write("bool.safetensors", &safetensors(r#"{"x":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#, &[0; 2]));
    let two =
        r#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
    write("two.safetensors", &safetensors(two, &[0; 2]));
    folder
}

fn refusal(folder: &Path, text: &str) -> String {
    let launch = folder.join("launch.toml");
    fs::write(&launch, text).unwrap();
    let error = read(None, &launch, &LIMITS).expect_err(text);
    error.to_string().replace(&format!("{}/", folder.display()), "")
}

/// Each text, and what is said about it.
const REFUSED: &[(&str, &str)] = &[
    // Not TOML, or not this format.
    ("grid = [1", "launch.toml:1:10: unclosed array, expected `]`"),
    ("grod = [1]", "launch.toml:1:1: unknown field `grod`, expected one of"),
    ("a = 1\na = 2", "launch.toml:2:1: duplicate key"),
    ("grid = \"1\"", "launch.toml:1:8: invalid type: string \"1\", expected a sequence"),
    ("[buffers.x]\ncolour = 1", "launch.toml:2:1: unknown field `colour`, expected one of `dtype`, `shape`"),
    ("[buffers.x]\ninit = { file = 3 }", "launch.toml:2:17: invalid type: integer `3`, expected a string"),
    ("[buffers.x]\ninit = { blob = 3 }", "launch.toml:2:10: unknown field `blob`"),
    ("[buffers.x]\ninit = 3", "launch.toml:2:8: invalid type: integer `3`, expected `zeros`"),
    ("[buffers.x]\nmay_race = [{ bytes = [0, 4] }]", "launch.toml:2:13: missing field `reason`"),
    ("[scalars]\nn = 5", "launch.toml:2:5: invalid type: integer `5`, expected struct ScalarTable"),
    ("grid = [99999999999999999999]", "launch.toml:1:9: "),
    // Modules.
    ("grid = [1]", "launch.toml:1:1: `module` is missing: no kernel was given besides the launch file"),
    ("module = \"k.txt\"\ngrid = [1]", "launch.toml:1:10: kernel `k.txt`: its name must end in .wgsl"),
    ("module = \"none.wgsl\"\ngrid = [1]", "launch.toml:1:10: cannot read `none.wgsl`: No such file"),
    ("module = \"bad.wgsl\"\ngrid = [1]", "launch.toml:1:10: kernel `bad.wgsl`: is not UTF-8 text: byte 3 is wrong"),
    ("module = \"odd.spv\"\ngrid = [1]", "kernel `odd.spv`: has 5 bytes, and SPIR-V is whole words of 4 bytes"),
    ("module = \"short.spv\"\ngrid = [1]", "kernel `short.spv`: has 1 words, and a SPIR-V header alone has 5"),
    ("module = \"swapped.spv\"\ngrid = [1]", "kernel `swapped.spv`: is big-endian SPIR-V"),
    ("module = \"magic.spv\"\ngrid = [1]", "kernel `magic.spv`: starts with word 0x00000000"),
    // Sizes.
    ("module = \"k.wgsl\"", "launch.toml:1:1: `grid` is missing: it is the number of workgroups"),
    ("module = \"k.wgsl\"\ngrid = []", "launch.toml:2:8: `grid` = []: one to three integers from 0 to 4294967295"),
    ("module = \"k.wgsl\"\ngrid = [1, 1, 1, 1]", "launch.toml:2:8: `grid` = [1, 1, 1, 1]: one to three"),
    ("module = \"k.wgsl\"\ngrid = [4294967296]", "launch.toml:2:8: `grid` = [4294967296]: one to three"),
    ("module = \"k.wgsl\"\ngrid = [-1]", "launch.toml:2:8: `grid` = [-1]: one to three"),
    ("module = \"k.wgsl\"\ngrid = [1.5]", "launch.toml:2:8: `grid` = [1.5]: one to three"),
    ("module = \"k.wgsl\"\ngrid = [65536, 65536]", "launch.toml:1:1: dispatch 0: grid [65536, 65536, 1] has 2^32 - 1"),
    (
        "module = \"k.wgsl\"\ngrid = [1]\nworkgroup = [64]",
        "launch.toml:3:13: `workgroup` cannot be given here: a WGSL module says its own workgroup size",
    ),
    ("module = \"k.ptx\"\ngrid = [1]", "launch.toml:1:1: `workgroup` is missing: a PTX module does not say"),
    (
        "module = \"k.ptx\"\ngrid = [1]\nworkgroup = [0]",
        "launch.toml:3:13: `workgroup` = [0]: one to three integers from 1",
    ),
    ("module = \"k.ptx\"\ngrid = [1]\nworkgroup = [2048]", "workgroup [2048, 1, 1] has more than 1,024 invocations"),
    ("module = \"k.wgsl\"\ngrid = [1]\nslots = 0", "launch.toml:3:9: `slots` = 0: an integer from 1 to 4294967295"),
    (
        "module = \"k.wgsl\"\ngrid = [1]\ndynamic_workgroup_bytes = -4",
        "launch.toml:3:27: `dynamic_workgroup_bytes` = -4: an integer from 0",
    ),
    // Dispatches.
    ("module = \"k.wgsl\"\ndispatch = []", "launch.toml:2:12: `dispatch` is missing: a launch has at least one"),
    (
        "module = \"k.wgsl\"\ngrid = [1]\n[[dispatch]]\ngrid = [1]",
        "launch.toml:2:8: `grid` cannot be given here: with `[[dispatch]]` tables it belongs into each of them",
    ),
    ("module = \"k.wgsl\"\n[[dispatch]]\nentry = \"a\"", "launch.toml:2:1: `grid` is missing"),
    (
        "module = \"k.wgsl\"\n[[dispatch]]\ngrid = [1]\nbind = { x = \"y\" }",
        "launch.toml:4:14: `bind` = \"y\": the launch has ",
    ),
    // Parameters.
    (
        "module = \"k.wgsl\"\ngrid = [1]\nparameters = []",
        "launch.toml:3:14: `parameters` cannot be given here: the variables of a WGSL module have names and bindings",
    ),
    (
        "module = \"k.ptx\"\ngrid = [1]\nworkgroup = [1]\nbind = {}\nparameters = []",
        "launch.toml:5:14: `parameters` cannot be given here: `bind` says already what is bound",
    ),
    (
        "module = \"k.ptx\"\ngrid = [1]\nworkgroup = [1]\nparameters = [\"y\"]\n[scalars]\n\
         n = { dtype = \"u32\", value = 1 }",
        "launch.toml:4:15: `parameters` = \"y\": the launch has n",
    ),
    (
        "module = \"k.ptx\"\ngrid = [1]\nworkgroup = [1]\nparameters = [\"x\"]\n[scalars]\n\
         x = { dtype = \"u32\", value = 1 }\n[buffers.x]\ndtype = \"u8\"\nshape = [1]\ninit = \"zeros\"",
        "launch.toml:4:15: `parameters` cannot be given here: `x` is a buffer and a scalar",
    ),
    (
        "module = \"k.ptx\"\ngrid = [1]\nworkgroup = [1]\nparameters = [{ dtype = \"u32\" }]",
        "launch.toml:4:15: `parameters` is missing: a parameter takes `buffer` and perhaps `range`, or `dtype`",
    ),
    (
        "module = \"k.ptx\"\ngrid = [1]\nworkgroup = [1]\nparameters = [{ dtype = \"u8\", value = 256 }]",
        "launch.toml:4:39: `value` = 256: a u8 element lies in 0..=255",
    ),
    (
        "module = \"k.ptx\"\ngrid = [1]\nworkgroup = [1]\nparameters = [3]",
        "invalid type: integer `3`, expected the name",
    ),
    (
        "module = \"k.ptx\"\nparameters = []\n[[dispatch]]\ngrid = [1]",
        "launch.toml:2:14: `parameters` cannot be given here: with `[[dispatch]]` tables it belongs into each of them",
    ),
    ("module = \"k.wgsl\"\ngrid = [1]\nconstants = { K = 18446744073709551615 }", "launch.toml:3:19: "),
];

/// Each `[buffers.x]` table (from line 4 on), and what is said about it.
const REFUSED_BUFFERS: &[(&str, &str)] = &[
    ("shape = [1]\ninit = \"zeros\"", "launch.toml:3:1: `dtype` is missing: it is the type of an element (buffer `x`)"),
    ("dtype = \"f32\"\ninit = \"zeros\"", "launch.toml:3:1: `shape` is missing"),
    ("dtype = \"f32\"\nshape = [1]", "launch.toml:3:1: `init` is missing: only an output may leave it out"),
    (
        "dtype = \"float\"\nshape = [1]\ninit = \"zeros\"",
        "launch.toml:4:9: unknown element type `float`: expected one of",
    ),
    (
        "dtype = \"f32\"\nshape = [-1]\ninit = \"zeros\"",
        "launch.toml:5:9: `shape` = [-1]: a list of integers from 0 on",
    ),
    (
        "dtype = \"f32\"\nshape = [9223372036854775807, 3]\ninit = \"zeros\"",
        "launch.toml:5:9: `shape` = [9223372036854775807, 3]: has more than 2^64 elements",
    ),
    (
        "dtype = \"f32\"\nshape = [9223372036854775807]\ninit = \"zeros\"",
        "launch.toml:5:9: `shape` = [9223372036854775807]: is longer than 281474976710656 bytes",
    ),
    (
        "dtype = \"f32\"\nshape = [1000000000000]\ninit = \"random\"",
        "launch.toml:6:8: `x` needs 4000000000000 bytes of contents, 0 are held already and the memory budget is 1048576",
    ),
    ("dtype = \"f32\"\nshape = [4]\ninit = \"ones\"", "launch.toml:6:8: `init` = \"ones\": zeros, uninitialised, iota"),
    ("dtype = \"f32\"\nshape = [4]\ninit = {}", "launch.toml:6:8: `init` is missing: exactly one of value, values"),
    (
        "dtype = \"f32\"\nshape = [4]\ninit = { value = 1, iota = {} }",
        "launch.toml:6:8: `init` is missing: exactly one",
    ),
    (
        "dtype = \"u8\"\nshape = [4]\ninit = { value = 256 }",
        "launch.toml:6:18: `value` = 256: a u8 element lies in 0..=255",
    ),
    (
        "dtype = \"u8\"\nshape = [4]\ninit = { value = 0.5 }",
        "launch.toml:6:18: `value` = 0.5: a u8 element is an integer",
    ),
    (
        "dtype = \"f16\"\nshape = [4]\ninit = { value = 1e6 }",
        "launch.toml:6:18: `value` = 1000000.0: is too large for f16",
    ),
    (
        "dtype = \"f16\"\nshape = [4]\ninit = { value = true }",
        "launch.toml:6:18: `value` = true: a f16 element is a number",
    ),
    (
        "dtype = \"u4\"\nshape = [4]\ninit = { values = [1, 2, 3, 16] }",
        "launch.toml:6:29: `values` = 16: a u4 element lies in 0..=15",
    ),
    (
        "dtype = \"u4\"\nshape = [4]\ninit = { values = [1] }",
        "launch.toml:6:19: `values` = 1 values: 4 elements are to be filled",
    ),
    (
        "dtype = \"u8\"\nshape = [257]\ninit = \"iota\"",
        "launch.toml:6:8: `iota` = element 256: a u8 element lies in 0..=255",
    ),
    (
        "dtype = \"u8\"\nshape = [9]\ninit = { iota = { modulo = 0 } }",
        "launch.toml:6:28: `modulo` = 0: an integer from 1 on",
    ),
    (
        "dtype = \"u8\"\nshape = [9]\ninit = { random = { scale = 2.0 } }",
        "random of integer elements takes low and high",
    ),
    (
        "dtype = \"f32\"\nshape = [9]\ninit = { random = { low = 2.0 } }",
        "random of floating-point elements takes scale",
    ),
    (
        "dtype = \"f32\"\nshape = [9]\ninit = { random = { scale = nan } }",
        "launch.toml:6:29: `scale` = NaN: a finite number",
    ),
    (
        "dtype = \"f32\"\nshape = [9]\ninit = { random = { scale = -1 } }",
        "launch.toml:6:19: `random` cannot be given here",
    ),
    (
        "dtype = \"f32\"\nshape = [9]\ninit = { random = { seed = -1 } }",
        "launch.toml:6:28: `seed` = -1: an integer from 0",
    ),
    (
        "dtype = \"f16\"\nshape = [9]\ninit = { random = { scale = 1e6 } }",
        "`random` = a drawn number: is too large for f16",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\nstrides = [0]\ninit = \"zeros\"",
        "launch.toml:6:11: `strides` = [0]: the dimension of 2",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\nstrides = [1, 1]\ninit = \"zeros\"",
        "`strides` = [1, 1]: has 2 strides for 1 dimensions",
    ),
    ("dtype = \"u4\"\nshape = [2]\nstrides = [2]\ninit = \"zeros\"", "`strides` = [2]: u4 elements cannot be strided"),
    (
        "dtype = \"f32\"\nshape = [2]\nvirtual = true\ninit = \"iota\"",
        "launch.toml:6:11: `virtual` cannot be given here: only",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\nvirtual = false\ninit = \"uninitialised\"",
        "uninitialised bytes are always virtual",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nrange = [0, 12]",
        "launch.toml:7:9: `range` = [0, 12]: `x` has 8 bytes",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nrange = [4, 4]",
        "launch.toml:7:9: `range` = [4, 4]: two integers",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nbinding = [0]",
        "launch.toml:7:11: `binding` = [0]: two integers, [group",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nbinding = [0, 0]\nparameter = 1",
        "launch.toml:8:13: `parameter` cannot be given here: `binding` says already where this goes",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nmay_race = [{ bytes = [0, 9], reason = \"r\" }]",
        "launch.toml:7:23: `bytes` = up to 9: `x` has 8 bytes",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nmay_race = [{ elements = [1, 3], reason = \"r\" }]",
        "launch.toml:7:26: `elements` = up to 3: `x` has 2 elements",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nmay_race = [{ elements = [1, 2], reason = \" \" }]",
        "launch.toml:7:43: `reason` = \"\": it is printed in the report: say why",
    ),
    (
        "dtype = \"f32\"\nshape = [2]\ninit = \"zeros\"\nmay_race = [{ reason = \"r\" }]",
        "takes one of bytes and elements",
    ),
    (
        "dtype = \"f32\"\nshape = [9]\ninit = \"zeros\"\npatch = [{ elements = [8, 10], init = \"iota\" }]",
        "launch.toml:7:23: `elements` = up to 10: `x` has 9 elements",
    ),
    (
        "dtype = \"f32\"\nshape = [9]\ninit = \"iota\"\npatch = [{ elements = [0, 1], init = \"iota\" }]",
        "launch.toml:7:10: `patch` cannot be given here: a patch lies in a virtual buffer",
    ),
    (
        "dtype = \"f32\"\nshape = [9]\ninit = \"zeros\"\npatch = [{ elements = [0, 3], init = \"iota\" }, { elements = [2, 4], init = \"iota\" }]",
        "launch.toml:7:48: `patch` cannot be given here: it overlaps the patch before it",
    ),
    // Tensor files.
    ("init = { file = \"none.safetensors\" }", "launch.toml:4:17: cannot read `none.safetensors`: No such file"),
    ("init = { file = \"empty.safetensors\" }", "tensor file `empty.safetensors`: has 0 bytes, and the length"),
    ("init = { file = \"long.safetensors\" }", "its header has 18446744073709551615 bytes: the limit is 16777216"),
    ("init = { file = \"beyond.safetensors\" }", "its header has 100 bytes, and only 1 follow"),
    ("init = { file = \"json.safetensors\" }", "its header is wrong: EOF while parsing"),
    ("init = { file = \"utf8.safetensors\" }", "its header is not UTF-8: byte 0 is wrong"),
    ("init = { file = \"lie.safetensors\" }", "tensor file `lie.safetensors`: its header is wrong: "),
    ("init = { file = \"gap.safetensors\" }", "tensor file `gap.safetensors`: its header is wrong: "),
    ("init = { file = \"past.safetensors\" }", "its header describes 4 bytes of tensors, and 3 follow it"),
    ("init = { file = \"huge.safetensors\" }", "tensor file `huge.safetensors`: its header is wrong: "),
    ("init = { file = \"bool.safetensors\" }", "elements of type BOOL are not supported"),
    ("init = { file = \"two.safetensors\" }", "has 2 tensors: say which with `tensor`"),
    (
        "init = { file = \"two.safetensors\", tensor = \"z\" }",
        "launch.toml:4:45: tensor file `two.safetensors`: has no tensor `z`; it has x, y",
    ),
    (
        "init = { iota = {}, tensor = \"z\" }\ndtype = \"u8\"\nshape = [1]",
        "launch.toml:4:30: `tensor` cannot be given here",
    ),
    (
        "init = { file = \"f16.safetensors\" }\ndtype = \"f32\"",
        "launch.toml:4:8: `dtype of the tensor` = f16: the buffer has elements of type f32",
    ),
    (
        "init = { file = \"f16.safetensors\" }\nshape = [2, 1]",
        "launch.toml:4:8: `shape of the tensor` = [2]: the buffer has shape [2, 1]",
    ),
];

/// Each `[scalars]` table (from line 4 on), and what is said about it.
const REFUSED_SCALARS: &[(&str, &str)] = &[
    (
        "n = { dtype = \"u32\" }",
        "launch.toml:4:5: `value` is missing: scalar `n` takes `dtype` and `value`, or `fields`",
    ),
    ("n = { dtype = \"u32\", value = -1 }", "launch.toml:4:30: `value` = -1: a u32 element lies in 0..=4294967295"),
    ("n = { dtype = \"u32\", value = [] }", "launch.toml:4:30: `value` = 0 numbers: a scalar has 1 to 65536 bytes"),
    ("n = { dtype = \"word\", value = 1 }", "launch.toml:4:15: unknown element type `word`"),
    (
        "n = { fields = [{ dtype = \"u32\", value = 1 }, { dtype = \"u32\", value = 1, offset = 2 }] }",
        "launch.toml:4:47: `offset` = 2: from 4 on, and the block ends by 65536",
    ),
    (
        "n = { dtype = \"u32\", value = 1, binding = [0, 0] }\nm = { dtype = \"u32\", value = 1, binding = [0, 0] }",
        "launch.toml:1:1: dispatch 0: argument @group(0) @binding(0) is given twice",
    ),
];

fn check(prefix: &str, cases: &[(&str, &str)]) {
    let folder = folder();
    let mut wrong = String::new();
    for (text, expected) in cases {
        let said = refusal(folder.path(), &format!("{prefix}{text}"));
        if !said.contains(expected) {
            wrong += &format!("{text}\n  expected {expected}\n  said     {said}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn malformed_launches_are_refused_with_their_place() {
    check("", REFUSED);
}

#[test]
fn malformed_buffers_are_refused_with_their_place() {
    check("module = \"k.wgsl\"\ngrid = [1]\n[buffers.x]\n", REFUSED_BUFFERS);
}

#[test]
fn malformed_scalars_are_refused_with_their_place() {
    check("module = \"k.wgsl\"\ngrid = [1]\n[scalars]\n", REFUSED_SCALARS);
}

#[test]
fn a_kernel_that_the_file_does_not_use_is_refused() {
    let folder = folder();
    let launch = folder.path().join("launch.toml");
    fs::write(&launch, "module = \"k.wgsl\"\ngrid = [1]").unwrap();
    let error = read(Some(&folder.path().join("other.wgsl")), &launch, &LIMITS).unwrap_err();
    assert!(error.to_string().contains("the launch file names another kernel"), "{error}");
    assert_eq!((error.line, error.column), (1, 10));
    assert!(read(Some(&folder.path().join("k.wgsl")), &launch, &LIMITS).is_ok());
}

#[test]
fn a_buffer_bound_nowhere_is_refused() {
    let folder = folder();
    let text = "module = \"k.wgsl\"\n[[dispatch]]\ngrid = [1]\nbind = { a = \"x\" }\n[buffers.x]\ndtype = \"u8\"\n\
                shape = [1]\ninit = \"zeros\"\n[buffers.y]\ndtype = \"u8\"\nshape = [1]\ninit = \"zeros\"";
    assert_eq!(
        refusal(folder.path(), text),
        "launch.toml:9:10: `y` cannot be given here: no `bind` and no `parameters` names the buffer `y`"
    );
}

/// Bytes flipped, cut and repeated at random: every one of them is read or refused, none panics.
#[test]
fn damaged_files_never_panic() {
    let folder = folder();
    let launch = folder.path().join("launch.toml");
    let good_launch = "module = \"k.wgsl\"\ngrid = [2, 1]\n[buffers.x]\ndtype = \"f16\"\nshape = [2, 3]\n\
                       strides = [5, 1]\ninit = { random = { seed = 1, scale = 1.0 } }\n[scalars]\n\
                       n = { dtype = \"u32\", value = [1, 2] }\n";
    let use_tensor = "module = \"k.wgsl\"\ngrid = [1]\n[buffers.x]\ninit = { file = \"damaged.safetensors\" }\n";
    let good_tensor = fs::read(folder.path().join("f16.safetensors")).unwrap();
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut read_some = 0;
    for round in 0..800 {
        let mut bytes = if round % 2 == 0 { good_launch.as_bytes().to_vec() } else { good_tensor.clone() };
        for _ in 0..=draw(3) {
            let at = draw(bytes.len());
            match draw(3) {
                0 => bytes[at] = u8::try_from(draw(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, bytes[draw(bytes.len())]),
            }
        }
        if round % 2 == 0 {
            fs::write(&launch, &bytes).unwrap();
        } else {
            fs::write(&launch, use_tensor).unwrap();
            fs::write(folder.path().join("damaged.safetensors"), &bytes).unwrap();
        }
        read_some += usize::from(read(None, &launch, &Limits { memory: 1 << 12, seed: 0 }).is_ok());
    }
    assert!(
        read_some > 8,
        "only {read_some} of 800 damaged files were readable: the damage is too coarse to test much"
    );
}
