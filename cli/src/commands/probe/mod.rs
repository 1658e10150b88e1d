//! `gridproof probe`: what the arithmetic of this machine's adapters and CUDA devices does, measured.

mod cuda;
mod measures;

use gridproof_gpu::{AdapterSummary, Device, Fingerprint, Memory, Selector, adapters};
use gridproof_report::text::{bytes, number, plain};
use serde_json::{Value, json};

use cuda::CudaProbe;
use measures::{
    Fact, exact_facts, exact_value, folding, folding_value, loop_facts, loops_value, multiply_add, multiply_add_value,
    profile_words,
};

use crate::exit::Exit;
use crate::flags::Format;
use crate::output::{Layout, Output, Rendered, no_form};
use crate::progress::Progress;

pub fn run(output: &Output) -> anyhow::Result<Exit> {
    let progress = Progress::new(output.shows_progress());
    let found = adapters();
    let all = found.len();
    let mut probed = Vec::new();
    for (position, adapter) in found.into_iter().enumerate() {
        progress.at(position, all, &adapter.name);
        probed.push(Probed { fingerprint: measure(position), adapter });
    }
    progress.at(all, all, "CUDA");
    let cuda = CudaProbe::measure();
    drop(progress);
    // Asking for any adapter gives the reason why there is none.
    let none =
        if probed.is_empty() { Device::open(&Selector::Any).err().map(|reason| reason.to_string()) } else { None };
    let unusable = probed.iter().all(|probed| probed.fingerprint.is_err()) && cuda.is_unusable();
    output.write(&Probe { probed, none, cuda })?;
    Ok(if unusable { Exit::Incomplete } else { Exit::Clean })
}

fn measure(position: usize) -> Result<Fingerprint, String> {
    let device = Device::open(&Selector::Position(position)).map_err(|reason| reason.to_string())?;
    device.probe().map_err(|reason| reason.to_string())
}

struct Probed {
    adapter: AdapterSummary,
    fingerprint: Result<Fingerprint, String>,
}

struct Probe {
    probed: Vec<Probed>,
    none: Option<String>,
    cuda: CudaProbe,
}

impl Rendered for Probe {
    fn render(&self, format: Format, _: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => Ok(self.page()),
            Format::Json => Ok(format!("{:#}\n", self.value())),
            Format::Junit | Format::Sarif | Format::Html | Format::Trace => Err(no_form("probe", format)),
        }
    }
}

impl Probe {
    fn page(&self) -> String {
        let pages: Vec<_> = self.probed.iter().enumerate().map(|(position, probed)| probed.page(position)).collect();
        let adapters = match &self.none {
            Some(reason) => format!("no adapter: {}\n", plain(reason)),
            None => pages.join("\n"),
        };
        format!("{adapters}\n{}", self.cuda.page())
    }

    fn value(&self) -> Value {
        let adapters: Vec<_> = self.probed.iter().map(Probed::value).collect();
        json!({ "version": 1, "adapters": adapters, "unavailable": self.none, "cuda": self.cuda.value() })
    }
}

impl Probed {
    fn page(&self, position: usize) -> String {
        let mut lines = vec![format!("{position}: {}", plain(&self.adapter.to_string()))];
        let facts = match &self.fingerprint {
            Ok(fingerprint) => facts(fingerprint),
            Err(reason) => vec![("not used", plain(reason))],
        };
        lines.extend(facts.into_iter().map(|(name, text)| format!("  {name:<22}  {text}")));
        lines.join("\n") + "\n"
    }

    fn value(&self) -> Value {
        let adapter = &self.adapter;
        json!({
            "name": adapter.name,
            "driver": adapter.driver,
            "driver_version": adapter.driver_version,
            "api": adapter.api.to_string(),
            "kind": adapter.kind.to_string(),
            "vendor": adapter.vendor,
            "device": adapter.device,
            "unavailable": self.fingerprint.as_ref().err(),
            "fingerprint": self.fingerprint.as_ref().ok().map(fingerprint_value),
        })
    }
}

fn facts(fingerprint: &Fingerprint) -> Vec<Fact> {
    let mut facts = vec![("profiles", profile_words(&fingerprint.profiles()))];
    match &fingerprint.exact {
        Ok(exact) => facts.extend(exact_facts(exact)),
        Err(reason) => facts.push(("exact mode", plain(&reason.to_string()))),
    }
    facts.push(("ordinary a*b+c", multiply_add(fingerprint.multiply_add)));
    facts.push(("ordinary algebra", folding(fingerprint.folding)));
    facts.extend(loop_facts(&fingerprint.loops));
    let subgroups = &fingerprint.subgroups;
    facts.push(("subgroup sizes", format!("{} to {}", subgroups.least, subgroups.most)));
    facts.extend(memory_facts(&fingerprint.memory));
    facts
}

fn memory_facts(memory: &Memory) -> [Fact; 4] {
    [
        ("largest buffer", bytes(memory.buffer)),
        ("largest binding", bytes(memory.storage_binding)),
        ("workgroup memory", bytes(memory.workgroup.into())),
        ("workgroup invocations", number(memory.workgroup_invocations)),
    ]
}

fn fingerprint_value(fingerprint: &Fingerprint) -> Value {
    let subgroups = &fingerprint.subgroups;
    json!({
        "profiles": fingerprint.profiles().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "exact": fingerprint.exact.as_ref().ok().map(exact_value),
        "exact_unavailable": fingerprint.exact.as_ref().err().map(ToString::to_string),
        "multiply_add": multiply_add_value(fingerprint.multiply_add),
        "folding": folding_value(fingerprint.folding),
        "loops": loops_value(&fingerprint.loops),
        "subgroups": {
            "least": subgroups.least,
            "most": subgroups.most,
            "told": subgroups.told,
            "answered": subgroups.answered,
        },
        "memory": memory_value(&fingerprint.memory),
    })
}

fn memory_value(memory: &Memory) -> Value {
    json!({
        "buffer": memory.buffer,
        "storage_binding": memory.storage_binding,
        "uniform_binding": memory.uniform_binding,
        "storage_offset_alignment": memory.storage_offset_alignment,
        "storage_buffers": memory.storage_buffers,
        "workgroup": memory.workgroup,
        "workgroup_invocations": memory.workgroup_invocations,
        "grid_extent": memory.grid_extent,
    })
}
