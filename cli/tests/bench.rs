//! `gridproof bench` on a machine without the device that is asked for.

use std::process::{Command, Output};

use gridproof_gpu::cuda::CudaDevice;

/// No machine has so many.
const ORDINAL: u32 = 4_000_000;

fn bench(arguments: &[&str]) -> (Option<i32>, String) {
    let leg = format!("cuda:{ORDINAL}");
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_gridproof"))
        .args(["bench", "--quiet", "--leg", &leg])
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&stdout), "");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_missing_device_is_no_verdict_and_says_why() {
    let reason = CudaDevice::open(ORDINAL).err().map(|reason| reason.to_string()).unwrap();
    let told = (Some(3), format!("error: {reason}\n"));
    assert_eq!(bench(&[]), told);
    assert_eq!(bench(&["gdn_decode", "--shape", "b=1", "--shape", "b=2,t=8"]), told);
    assert_eq!(bench(&["conv1d_qkv_split:fused", "--quick"]), told);
}

#[test]
fn wrong_input_is_told_before_a_device_is_asked_for() {
    let refused = |arguments: &[&str], words: &str| {
        let (code, told) = bench(arguments);
        assert!(code == Some(2) && told.contains(words), "{code:?}: {told}");
    };
    refused(&["gdn_decode", "--shape", "b=1", "--shape", "t=9"], "error: gdn_decode:auto: ");
    refused(&["gdn_decode:slow"], "error: unknown variant `slow` of gdn_decode: expected one of auto, ");
    refused(&["gdn"], "error: unknown kernel `gdn`: the catalogue has ");
    refused(&["--shape", "b=1"], "error: --shape is for one kernel: name it");
    refused(&["kernel.cu"], "error: `kernel.cu`: only kernels of the catalogue are timed");
    refused(&["gdn_decode", "--shape", "b=1", "--quick"], "cannot be used with");
}
