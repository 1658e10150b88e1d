//! The CUDA devices' part of `gridproof probe`.

use std::collections::BTreeSet;

use gridproof_conformance::cuda::compiler;
use gridproof_gpu::cuda::{CudaDevice, CudaFingerprint, CudaSummary, devices};
use gridproof_report::text::{bytes, number, plain};
use serde_json::{Value, json};

use super::measures::{
    Fact, exact_facts, exact_value, folding, folding_value, loop_facts, loops_value, multiply_add, multiply_add_value,
    profile_words,
};

/// Every device with its fingerprint, or why there is none.
pub(super) struct CudaProbe(Result<Vec<Probed>, String>);

struct Probed {
    summary: CudaSummary,
    fingerprint: Result<CudaFingerprint, String>,
}

impl CudaProbe {
    pub(super) fn measure() -> Self {
        let probed = |summary: CudaSummary| Probed { fingerprint: measure(summary.ordinal), summary };
        let found = devices().map_err(|reason| reason.to_string());
        Self(found.map(|devices| devices.into_iter().map(probed).collect()))
    }

    pub(super) fn is_unusable(&self) -> bool {
        self.0.as_ref().map_or(true, |probed| probed.iter().all(|probed| probed.fingerprint.is_err()))
    }

    pub(super) fn page(&self) -> String {
        match &self.0 {
            Ok(probed) => probed.iter().map(Probed::page).collect::<Vec<_>>().join("\n"),
            Err(reason) => format!("{}\n", plain(reason)),
        }
    }

    pub(super) fn value(&self) -> Value {
        let devices: Vec<Value> = self.0.iter().flatten().map(Probed::value).collect();
        json!({ "devices": devices, "unavailable": self.0.as_ref().err() })
    }
}

fn measure(ordinal: u32) -> Result<CudaFingerprint, String> {
    let compiler = compiler().map_err(ToString::to_string)?;
    let device = CudaDevice::open(ordinal).map_err(|reason| reason.to_string())?;
    device.probe(compiler).map_err(|reason| reason.to_string())
}

impl Probed {
    fn page(&self) -> String {
        let mut lines = vec![format!("cuda:{}: {}", self.summary.ordinal, plain(&self.summary.to_string()))];
        let mut facts = match &self.fingerprint {
            Ok(fingerprint) => facts(fingerprint),
            Err(reason) => vec![("not used", plain(reason))],
        };
        facts.extend(summary_facts(&self.summary));
        lines.extend(facts.into_iter().map(|(name, text)| format!("  {name:<22}  {text}")));
        lines.join("\n") + "\n"
    }

    fn value(&self) -> Value {
        let summary = &self.summary;
        json!({
            "ordinal": summary.ordinal,
            "name": summary.name,
            "compute_capability": [summary.capability.0, summary.capability.1],
            "driver": summary.driver.to_string(),
            "memory": summary.memory,
            "multiprocessors": summary.multiprocessors,
            "clock_khz": summary.clock_khz,
            "memory_clock_khz": summary.memory_clock_khz,
            "bus_bits": summary.bus_bits,
            "cache": summary.cache,
            "pci": summary.pci,
            "unavailable": self.fingerprint.as_ref().err(),
            "fingerprint": self.fingerprint.as_ref().ok().map(fingerprint_value),
        })
    }
}

fn facts(fingerprint: &CudaFingerprint) -> Vec<Fact> {
    let mut facts = vec![("profiles", profile_words(&fingerprint.profiles()))];
    facts.extend(exact_facts(&fingerprint.exact));
    facts.push(("ordinary a*b+c", multiply_add(fingerprint.multiply_add)));
    facts.push(("ordinary algebra", folding(fingerprint.folding)));
    facts.extend(loop_facts(&fingerprint.loops));
    let (told, answered) = &fingerprint.warps;
    facts.push(("warp size", format!("told {}, {} answer together", sizes(told), sizes(answered))));
    facts.push(("compiler", format!("NVRTC {}", fingerprint.compiler)));
    let (free, total) = fingerprint.memory;
    facts.push(("free memory", format!("{} of {}", bytes(free), bytes(total))));
    facts
}

fn summary_facts(summary: &CudaSummary) -> [Fact; 4] {
    let megahertz = |kilohertz: u32| number(kilohertz / 1000);
    [
        ("memory", bytes(summary.memory)),
        ("multiprocessors", format!("{}, up to {} MHz", summary.multiprocessors, megahertz(summary.clock_khz))),
        ("memory bus", format!("{} bits, up to {} MHz", number(summary.bus_bits), megahertz(summary.memory_clock_khz))),
        ("workgroup memory", bytes(summary.workgroup_memory.into())),
    ]
}

fn sizes(sizes: &BTreeSet<u32>) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn fingerprint_value(fingerprint: &CudaFingerprint) -> Value {
    json!({
        "profiles": fingerprint.profiles().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "compiler": fingerprint.compiler.to_string(),
        "exact": exact_value(&fingerprint.exact),
        "multiply_add": multiply_add_value(fingerprint.multiply_add),
        "folding": folding_value(fingerprint.folding),
        "loops": loops_value(&fingerprint.loops),
        "warp_told": fingerprint.warps.0,
        "warp_answered": fingerprint.warps.1,
        "free_memory": fingerprint.memory.0,
        "total_memory": fingerprint.memory.1,
    })
}
