//! Launches on the adapter of this machine: lavapipe in CI, whatever is there elsewhere.
//!
//! `GRIDPROOF_ADAPTER` names the adapter (default: any). Without one, every test is listed as ignored with
//! the reason `skipped: ...` in front of its name; with `GRIDPROOF_REQUIRE_ADAPTER=1` every test fails.

mod exact;
mod kernel;
mod launches;
mod refusals;

use std::sync::Arc;

use gridproof_gpu::{Device, Selector, adapters};
use libtest_mimic::{Arguments, Failed, Trial};

/// A named test on a device, and what the device must have for it.
type Test = (&'static str, Needs, fn(&Device) -> Result<(), Failed>);

#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    /// Exact mode.
    Exact,
    /// Mesa's CPU driver, and exact mode.
    Lavapipe,
    /// Buffers larger than a binding may show.
    BuffersBeyondBindings,
    /// `f16` in kernels.
    F16,
    /// 64-bit integers in kernels.
    I64,
    /// Subgroup operations.
    Subgroups,
    /// Bindings that may not start at every word.
    Alignment,
}

impl Needs {
    /// Why the device does not have it.
    fn lacking(self, device: &Device) -> Option<String> {
        let memory = device.memory();
        let lacking = |yes: bool, reason: &str| yes.then(|| reason.to_owned());
        match self {
            Self::Nothing => None,
            Self::Exact => device.check_exact().err().map(|reason| reason.to_string()),
            Self::Lavapipe => lacking(!device.adapter().is_lavapipe(), "only lavapipe is known to fold these"),
            Self::F16 => lacking(!device.features().f16, "the device has no f16"),
            Self::I64 => lacking(!device.features().i64, "the device has no 64-bit integers"),
            Self::Subgroups => lacking(!device.features().subgroups, "the device has no subgroup operations"),
            Self::BuffersBeyondBindings => {
                lacking(memory.buffer <= memory.storage_binding + 4, "a binding shows any buffer")
            }
            Self::Alignment => lacking(memory.storage_offset_alignment <= 4, "a binding starts anywhere"),
        }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let selector = std::env::var("GRIDPROOF_ADAPTER").unwrap_or_default().parse().unwrap_or_default();
    let required = std::env::var("GRIDPROOF_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
    let device = Device::open(&selector).map(Arc::new).map_err(|reason| reason.to_string());
    let tests = [launches::TESTS, exact::TESTS, refusals::TESTS].concat();
    let mut trials: Vec<Trial> = tests.into_iter().map(|test| trial(test, &device, required)).collect();
    trials.push(Trial::test("open::an_adapter_that_does_not_exist_is_refused", no_such_adapter));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial((name, needs, test): Test, device: &Result<Arc<Device>, String>, required: bool) -> Trial {
    let (device, reason, required) = match device {
        Ok(device) => (Some(device.clone()), needs.lacking(device), false),
        Err(reason) => (None, Some(reason.clone()), required),
    };
    match (device, reason) {
        (Some(device), None) => Trial::test(name, move || test(&device)),
        (_, reason) => {
            let reason = reason.unwrap_or_default();
            let kind = format!("skipped: {reason}");
            Trial::test(name, move || Err(reason.into())).with_kind(kind).with_ignored_flag(!required)
        }
    }
}

fn no_such_adapter() -> Result<(), Failed> {
    let Err(reason) = Device::open(&Selector::Name("no adapter has this name".into())) else {
        return Err("an adapter was found".into());
    };
    let reason = reason.to_string();
    let names_all = adapters().iter().all(|adapter| reason.contains(&adapter.name));
    if names_all { Ok(()) } else { Err(reason.into()) }
}
