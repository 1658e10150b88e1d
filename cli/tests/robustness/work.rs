//! Launches that never end or are far too large: the budgets stop them with exit code 3, or they are refused with 2.

use std::fs;

use super::corpus::PTX_LAUNCH;
use super::program::{Run, run};

const GRID: &str = "grid = [1]\n";
const BUFFER: &str = "[buffers.x]\ndtype = \"u32\"\nshape = [64]\ninit = \"zeros\"\n";

fn wgsl(body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;\n@compute @workgroup_size(1) fn main() {{ {body} }}"
    )
}

fn ptx(body: &str) -> String {
    format!(
        ".version 8.5\n.target sm_90\n.address_size 64\n.visible .entry main(.param .u64 x)\n{{\n{body}\nret;\n}}\n"
    )
}

fn ended(ending: &str, module: &str, launch: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("a.{ending}");
    fs::write(folder.path().join(&name), module).unwrap();
    fs::write(folder.path().join("a.toml"), launch).unwrap();
    let (command, rest) = arguments.split_first().unwrap();
    run(folder.path(), &[&[*command, &name, "--launch", "a.toml", "-q"][..], rest].concat())
}

#[test]
fn endless_kernels_are_stopped_by_each_budget() {
    let launch = GRID.to_owned() + BUFFER;
    let kernels = [
        ("wgsl", wgsl("loop {}"), &launch[..]),
        ("wgsl", wgsl("loop { x[0] += 1u; }"), &launch),
        ("wgsl", wgsl("while true { workgroupBarrier(); }"), &launch),
        ("ptx", ptx("L: bra L;"), PTX_LAUNCH),
        ("ptx", ptx("L: bar.sync 0; bra L;"), PTX_LAUNCH),
    ];
    for (ending, module, launch) in kernels {
        for budget in [["--budget-time", "1s"], ["--budget-instructions", "1M"]] {
            for command in ["check", "explore"] {
                let run = ended(ending, &module, launch, &[command, budget[0], budget[1]]);
                assert_eq!(run.code, 3, "{command} {budget:?} {module}: {}", run.words);
            }
        }
        let run = ended(ending, &module, launch, &["mutate", "--budget-time", "1s"]);
        assert_eq!(run.code, 3, "mutate {module}: {}", run.words);
    }
}

#[test]
fn launches_without_end_are_stopped() {
    let many = "[[dispatch]]\ngrid = [1]\n".repeat(65_535);
    let launches = [
        ("grid = [2147483648]\n".to_owned() + BUFFER, &[3][..]),
        ("grid = [4294967295, 4294967295, 4294967295]\n".to_owned() + BUFFER, &[2, 3]),
        (BUFFER.to_owned() + &many, &[3]),
    ];
    for (launch, codes) in launches {
        let run = ended("wgsl", &wgsl("x[0] = 1u;"), &launch, &["check", "--detectors", "none", "--budget-time", "2s"]);
        assert!(codes.contains(&run.code), "{launch:.100}: {} {}", run.code, run.words);
    }
}

#[test]
fn memory_has_a_budget() {
    let launch = GRID.to_owned() + BUFFER;
    let dense = launch.replace("64", "1152921504606846976") + "virtual = false\n";
    let random = launch.replace("64", "1099511627776").replace("\"zeros\"", "{ random = { seed = 1 } }");
    for launch in [&dense, &random] {
        let run = ended("wgsl", &wgsl("x[0] = 1u;"), launch, &["check"]);
        assert!(matches!(run.code, 2 | 3), "{launch}: {} {}", run.code, run.words);
    }
    let kernel = |bytes: u64| {
        format!("var<workgroup> w: array<vec4<u32>, {}>;\n", bytes / 16) + &wgsl("w[x[0]].x = 1u; x[0] = w[1].x;")
    };
    for bytes in [1_u64 << 20, 1 << 30, 1 << 32, 1 << 36] {
        let run = ended("wgsl", &kernel(bytes), &launch, &["check", "--budget-memory", "64KiB"]);
        assert!(matches!(run.code, 2 | 3), "{bytes}: {} {}", run.code, run.words);
    }
    let huge = ptx(&format!(".shared .b8 w[{}];\nst.shared.u8 [w], 1;", 1_u64 << 40));
    let dynamic = format!("dynamic_workgroup_bytes = {}\n{PTX_LAUNCH}", u64::MAX);
    for (module, launch) in [(huge, PTX_LAUNCH), (ptx(""), &dynamic)] {
        let run = ended("ptx", &module, launch, &["check"]);
        assert!(matches!(run.code, 2 | 3), "{launch}: {} {}", run.code, run.words);
    }
}

#[test]
fn numbers_and_schedules_on_the_command_line() {
    let launch = GRID.to_owned() + BUFFER;
    let long = format!("gp1;slots=1;{}", "0*,".repeat(20_000));
    let schedules = [
        "gp",
        "gp2;slots=1;0*",
        "gp1;slots=0;0*",
        "gp1;slots=4294967295;0*",
        "gp1;slots=4294967296;0*",
        "gp1;slots=1;",
        "gp1;slots=1;18446744073709551615*",
        "gp1;slots=1;0x99999999999999999999",
        "gp1;slots=1;4294967295*",
        &long,
    ];
    for schedule in schedules {
        ended("wgsl", &wgsl("x[0] = 1u;"), &launch, &["check", "--budget-time", "2s", "--schedule", schedule]);
    }
    let flags = [
        ["--threads", "18446744073709551615"],
        ["--slots", "4294967295"],
        ["--budget-memory", "1"],
        ["--budget-time", "18446744073709551615"],
        ["--budget-time", "5124095576030431h"],
        ["--budget-instructions", "1"],
        ["--schedules", "18446744073709551615"],
        ["--subgroup-size", "0"],
        ["--seed", "-1"],
        ["--detectors", ",,,"],
    ];
    for flag in flags {
        ended("wgsl", &wgsl("x[0] = 1u;"), &launch, &["check", flag[0], flag[1]]);
    }
    let shapes = [
        "n=18446744073709551615,k=18446744073709551615",
        "n=4294967295,k=4294967295",
        "n=1048576,k=1048576",
        "n=0,k=0",
        "n=-1",
        "n=",
        "=",
        "n=1,n=2",
        "n=99999999999999999999999",
        ",,,,",
        "é=1",
    ];
    let folder = tempfile::tempdir().unwrap();
    for shape in shapes {
        for kernel in ["resadd_norm_gemv_int4:fused", "gdn_decode", "gdn_chunked", "conv1d_qkv_split", "gdn_conv_fused"]
        {
            run(folder.path(), &["check", kernel, "-q", "--shape", shape, "--budget-time", "2s"]);
        }
    }
}
