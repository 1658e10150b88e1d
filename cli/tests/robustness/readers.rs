//! Every reader, with valid inputs that were broken and with inputs made to hurt.

use std::fs;
use std::path::Path;

use super::corpus::{self, LAUNCH, PTX, PTX_LAUNCH, TENSOR_LAUNCH, WGSL, broken, lines, numbers, tensor_file};
use super::program::{run, with_file};

const BUDGETS: [&str; 5] = ["-q", "--budget-time", "2s", "--budget-instructions", "1M"];
const DEEP: usize = 100_000;

fn check<'a>(module: &'a str, launch: &'a str) -> Vec<&'a str> {
    [&["check", module, "--launch", launch][..], &BUDGETS].concat()
}

/// A folder with a valid file of each kind.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("kernel.wgsl", WGSL.as_bytes());
    write("kernel.toml", LAUNCH.as_bytes());
    write("text.toml", LAUNCH.replace("module = \"kernel.wgsl\"", "").replace("[constants]\ncount = 3", "").as_bytes());
    write("kernel.ptx", PTX.as_bytes());
    write("ptx.toml", PTX_LAUNCH.as_bytes());
    write("tensor.toml", TENSOR_LAUNCH.as_bytes());
    write("t.safetensors", &corpus::tensors());
    folder
}

/// Each of `inputs` as the file `name`. Some must be refused, or nothing was tried.
fn all(folder: &Path, name: &str, inputs: Vec<Vec<u8>>, arguments: &[&str]) {
    let refused = inputs.iter().filter(|bytes| with_file(folder, name, bytes, arguments).code == 2).count();
    assert!(refused > 10, "{refused} of {} {name} were refused", inputs.len());
}

#[test]
fn what_is_broken_here_is_valid_when_whole() {
    let folder = folder();
    let spirv = corpus::spirv();
    for arguments in
        [check("kernel.wgsl", "kernel.toml"), check("kernel.ptx", "ptx.toml"), check("kernel.wgsl", "tensor.toml")]
    {
        assert_eq!(run(folder.path(), &arguments).code, 0, "{arguments:?}");
    }
    assert_eq!(with_file(folder.path(), "kernel.spv", &spirv, &check("kernel.spv", "text.toml")).code, 0);
}

#[test]
fn broken_wgsl() {
    let folder = folder();
    let inputs = [broken(WGSL.as_bytes(), 1), lines(WGSL), numbers(WGSL)].concat();
    all(folder.path(), "a.wgsl", inputs, &check("a.wgsl", "text.toml"));
}

#[test]
fn broken_spirv() {
    let folder = folder();
    let spirv = corpus::spirv();
    // Single words too: ids that are their own type, lengths that reach past the end, values past every limit.
    let words = (0..spirv.len() / 4).flat_map(|word| {
        [0_u32, 1, 7, 0xffff_ffff].map(|value| {
            let mut one = spirv.clone();
            one[word * 4..word * 4 + 4].copy_from_slice(&value.to_le_bytes());
            one
        })
    });
    let inputs = [broken(&spirv, 2), words.step_by(3).collect()].concat();
    all(folder.path(), "a.spv", inputs, &check("a.spv", "text.toml"));
}

#[test]
fn broken_ptx() {
    let folder = folder();
    let inputs = [broken(PTX.as_bytes(), 3), lines(PTX), numbers(PTX)].concat();
    all(folder.path(), "a.ptx", inputs, &check("a.ptx", "ptx.toml"));
}

#[test]
fn broken_launches() {
    let folder = folder();
    let inputs = [broken(LAUNCH.as_bytes(), 4), lines(LAUNCH), numbers(LAUNCH)].concat();
    for bytes in inputs {
        fs::write(folder.path().join("a.toml"), bytes).unwrap();
        run(folder.path(), &check("kernel.wgsl", "a.toml"));
    }
}

#[test]
fn broken_tensor_files() {
    let folder = folder();
    all(folder.path(), "t.safetensors", broken(&corpus::tensors(), 5), &check("kernel.wgsl", "tensor.toml"));
}

#[test]
fn tensor_files_that_lie() {
    let folder = folder();
    let entry =
        |shape: &str, offsets: &str| format!(r#"{{"x":{{"dtype":"U32","shape":{shape},"data_offsets":{offsets}}}}}"#);
    let whole = entry("[2,4]", "[0,32]");
    let data = [0; 32];
    let headers = [
        entry("[4294967296,4294967296]", "[0,32]"),
        entry("[9223372036854775808,2]", "[0,32]"),
        entry("[4611686018427387912]", "[0,32]"),
        entry("[2,4]", "[0,18446744073709551615]"),
        entry("[2,4]", "[32,0]"),
        entry("[2,4]", "[-1,31]"),
        entry("[2,4]", "[8,40]"),
        format!("{}{}", whole.trim_end_matches('}'), r#"},"y":{"dtype":"U32","shape":[8],"data_offsets":[16,48]}}"#),
        "[".repeat(DEEP),
        r#"{"x":"#.repeat(DEEP),
        String::new(),
        "\0".repeat(64),
    ];
    let mut files: Vec<_> = headers.iter().map(|text| tensor_file(text.len() as u64, text.as_bytes(), &data)).collect();
    for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 20, whole.len() as u64 + 1, 1] {
        files.push(tensor_file(length, whole.as_bytes(), &data));
    }
    files.push(tensor_file(3, b"{\"\xff", &data));
    for (number, file) in files.iter().enumerate() {
        let run = with_file(folder.path(), "t.safetensors", file, &check("kernel.wgsl", "tensor.toml"));
        assert_eq!(run.code, 2, "file {number}");
    }
}

#[test]
fn nesting_without_end() {
    let folder = folder();
    let nested = |open: &str, middle: &str, close: &str| open.repeat(DEEP) + middle + &close.repeat(DEEP);
    let wgsl = |body: &str| WGSL.replace("workgroupBarrier();", body);
    let ptx = |body: &str| PTX.replace("bar.sync 0;", body);
    let cases = [
        ("a.wgsl", wgsl(&format!("x[0] = {};", nested("(", "1u", ")"))), check("a.wgsl", "text.toml")),
        ("a.wgsl", wgsl(&nested("{", "", "}")), check("a.wgsl", "text.toml")),
        ("a.wgsl", wgsl(&nested("if x[0] == 0u {", "", "}")), check("a.wgsl", "text.toml")),
        (
            "a.wgsl",
            wgsl(&format!("if x[0] == 0u {{}} {}", "else if x[0] == 1u {}".repeat(DEEP))),
            check("a.wgsl", "text.toml"),
        ),
        ("a.wgsl", wgsl(&format!("x[0] = {}1u;", "~".repeat(DEEP))), check("a.wgsl", "text.toml")),
        ("a.wgsl", wgsl(&format!("x[0] = 1u{};", " + x[0]".repeat(DEEP))), check("a.wgsl", "text.toml")),
        ("a.wgsl", nested("alias T = array<", "u32", ", 1>"), check("a.wgsl", "text.toml")),
        ("a.wgsl", "alias A = B; alias B = A;".to_owned() + WGSL, check("a.wgsl", "text.toml")),
        ("a.wgsl", "struct A { b: B } struct B { a: A }".to_owned() + WGSL, check("a.wgsl", "text.toml")),
        (
            "a.wgsl",
            "fn f() -> u32 { return g(); } fn g() -> u32 { return f(); }".to_owned() + WGSL,
            check("a.wgsl", "text.toml"),
        ),
        ("a.ptx", ptx(&nested("{", "", "}")), check("a.ptx", "ptx.toml")),
        ("a.ptx", ptx(&format!("mov.u32 %r0, {};", nested("(", "1", ")"))), check("a.ptx", "ptx.toml")),
        ("a.ptx", ptx(&format!("mov.u32 %r0, {}1;", "~ ".repeat(DEEP))), check("a.ptx", "ptx.toml")),
        ("a.toml", format!("grid = {}", nested("[", "1", "]")), check("kernel.wgsl", "a.toml")),
        ("a.toml", format!("grid = {}", nested("{a=", "1", "}")), check("kernel.wgsl", "a.toml")),
        ("a.toml", format!("a{} = 1", ".a".repeat(DEEP)), check("kernel.wgsl", "a.toml")),
        ("a.json", nested("[", "", "]"), vec!["replay", "a.json"]),
        ("a.json", nested("{\"a\":", "1", "}"), vec!["replay", "a.json"]),
        ("a.json", nested("[", "", "]"), vec!["conform", "--merge", "a.json"]),
        (
            "base.toml",
            format!("accepted = {}", nested("[", "", "]")),
            [&check("kernel.wgsl", "kernel.toml")[..], &["--baseline", "base.toml"]].concat(),
        ),
        (
            "journal",
            nested("{\"gridproof_journal\":", "1", "}") + "\n",
            vec!["conform", "--leg", "sim-wgsl", "--filter", "nothing", "--resume", "journal"],
        ),
    ];
    for (name, text, arguments) in cases {
        assert_eq!(with_file(folder.path(), name, text.as_bytes(), &arguments).code, 2, "{name}: {text:.200}");
    }
}

#[test]
fn long_words_are_cut_in_messages() {
    let folder = folder();
    let long = "1".repeat(4 << 20);
    let cases = [
        ("a.wgsl", WGSL.replace("2u", &long), check("a.wgsl", "text.toml")),
        ("a.wgsl", WGSL.replace("x[i])", &format!("a{long})")), check("a.wgsl", "text.toml")),
        ("a.ptx", PTX.replace("%tid.x", &format!("a{long}")), check("a.ptx", "ptx.toml")),
        ("a.toml", format!("a{long} = 1"), check("kernel.wgsl", "a.toml")),
        ("a.toml", LAUNCH.replace("\"main\"", &format!("\"{long}\"")), check("kernel.wgsl", "a.toml")),
        ("a.json", format!("{{\"version\": \"{long}\"}}"), vec!["replay", "a.json"]),
    ];
    for (name, text, arguments) in cases {
        with_file(folder.path(), name, text.as_bytes(), &arguments);
    }
}

#[test]
fn texts_in_other_encodings() {
    let folder = folder();
    let bom = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let returns = |text: &str| text.replace('\n', "\r\n").into_bytes();
    for (name, text, arguments) in [
        ("a.wgsl", WGSL, check("a.wgsl", "text.toml")),
        ("a.ptx", PTX, check("a.ptx", "ptx.toml")),
        ("a.toml", LAUNCH, check("kernel.wgsl", "a.toml")),
    ] {
        assert_eq!(with_file(folder.path(), name, &returns(text), &arguments).code, 0, "{name} with CRLF");
        for bytes in
            [Vec::new(), vec![0; 999], vec![0xff; 999], text.encode_utf16().flat_map(u16::to_le_bytes).collect()]
        {
            assert_eq!(with_file(folder.path(), name, &bytes, &arguments).code, 2, "{name} of {:?}", bytes.first());
        }
        with_file(folder.path(), name, &bom(text), &arguments);
    }
}
