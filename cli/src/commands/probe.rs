//! `gridproof probe`: what the arithmetic of this machine's adapters does, measured.

use gridproof_gpu::{
    AdapterSummary, DenormalHandling, Device, Exact, Fingerprint, Folding, Memory, MultiplyAddCount, Rounding,
    Selector, adapters,
};
use gridproof_report::text::{bytes, number, plain};
use serde_json::{Value, json};

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
    drop(progress);
    // Asking for any adapter gives the reason why there is none.
    let none =
        if probed.is_empty() { Device::open(&Selector::Any).err().map(|reason| reason.to_string()) } else { None };
    let unusable = probed.iter().all(|probed| probed.fingerprint.is_err());
    output.write(&Probe { probed, none })?;
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
        match &self.none {
            Some(reason) => format!("no adapter: {}\n", plain(reason)),
            None => pages.join("\n"),
        }
    }

    fn value(&self) -> Value {
        let adapters: Vec<_> = self.probed.iter().map(Probed::value).collect();
        json!({ "version": 1, "adapters": adapters, "unavailable": self.none })
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

fn facts(fingerprint: &Fingerprint) -> Vec<(&'static str, String)> {
    let mut facts = vec![("profiles", profiles(fingerprint))];
    match &fingerprint.exact {
        Ok(exact) => facts.extend(exact_facts(exact)),
        Err(reason) => facts.push(("exact mode", plain(&reason.to_string()))),
    }
    facts.push(("ordinary a*b+c", multiply_add(fingerprint.multiply_add)));
    facts.push(("ordinary algebra", folding(fingerprint.folding)));
    for count in &fingerprint.loops {
        let text = format!("{:?}: ran {} of {}", count.form, number(count.observed), number(count.expected));
        facts.push(("loop", text.to_lowercase()));
    }
    let subgroups = &fingerprint.subgroups;
    facts.push(("subgroup sizes", format!("{} to {}", subgroups.least, subgroups.most)));
    facts.extend(memory_facts(&fingerprint.memory));
    facts
}

fn exact_facts(exact: &Exact) -> [(&'static str, String); 7] {
    [
        ("exact a*b+c", multiply_add(exact.multiply_add)),
        ("exact fma", multiply_add(exact.fma)),
        ("exact algebra", folding(exact.folding)),
        ("exact a/b", rounding(exact.division)),
        ("exact sqrt", rounding(exact.square_root)),
        ("denormal operands", denormals(exact.denormal_inputs).to_owned()),
        ("denormal results", denormals(exact.denormal_results).to_owned()),
    ]
}

fn memory_facts(memory: &Memory) -> [(&'static str, String); 4] {
    [
        ("largest buffer", bytes(memory.buffer)),
        ("largest binding", bytes(memory.storage_binding)),
        ("workgroup memory", bytes(memory.workgroup.into())),
        ("workgroup invocations", number(memory.workgroup_invocations)),
    ]
}

fn profiles(fingerprint: &Fingerprint) -> String {
    let profiles: Vec<_> = fingerprint.profiles().iter().map(ToString::to_string).collect();
    if profiles.is_empty() { "none can be compared bit for bit".to_owned() } else { profiles.join(" and ") }
}

fn multiply_add(count: MultiplyAddCount) -> String {
    let MultiplyAddCount { sample, once, twice, neither } = count;
    if count.is_fused() {
        format!("rounds once, in all of {}", number(sample))
    } else if count.is_separate() {
        format!("rounds twice, in all of {}", number(sample))
    } else {
        format!(
            "of {}: {} round once, {} twice, {} neither",
            number(sample),
            number(once),
            number(twice),
            number(neither)
        )
    }
}

fn folding(folding: Folding) -> String {
    match folding.wrong {
        0 => format!("as written, in all of {}", number(folding.sample)),
        wrong => format!("rewritten in {} of {}", number(wrong), number(folding.sample)),
    }
}

fn rounding(rounding: Rounding) -> String {
    let Rounding { sample, wrong, worst_ulp } = rounding;
    if rounding.is_correct() {
        format!("correctly rounded, in all of {}", number(sample))
    } else {
        format!("wrong in {} of {}, by up to {worst_ulp:.2} ulp", number(wrong), number(sample))
    }
}

const fn denormals(handling: DenormalHandling) -> &'static str {
    match handling {
        DenormalHandling::Kept => "kept",
        DenormalHandling::Flushed => "flushed to zero",
        DenormalHandling::Mixed => "now kept, now flushed",
    }
}

fn fingerprint_value(fingerprint: &Fingerprint) -> Value {
    let loops = fingerprint.loops.iter().map(|count| {
        json!({
            "form": format!("{:?}", count.form).to_lowercase(),
            "expected": count.expected,
            "observed": count.observed,
        })
    });
    let subgroups = &fingerprint.subgroups;
    json!({
        "profiles": fingerprint.profiles().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "exact": fingerprint.exact.as_ref().ok().map(exact_value),
        "exact_unavailable": fingerprint.exact.as_ref().err().map(ToString::to_string),
        "multiply_add": multiply_add_value(fingerprint.multiply_add),
        "folding": folding_value(fingerprint.folding),
        "loops": loops.collect::<Vec<_>>(),
        "subgroups": {
            "least": subgroups.least,
            "most": subgroups.most,
            "told": subgroups.told,
            "answered": subgroups.answered,
        },
        "memory": memory_value(&fingerprint.memory),
    })
}

fn exact_value(exact: &Exact) -> Value {
    json!({
        "multiply_add": multiply_add_value(exact.multiply_add),
        "fma": multiply_add_value(exact.fma),
        "folding": folding_value(exact.folding),
        "division": rounding_value(exact.division),
        "square_root": rounding_value(exact.square_root),
        "denormal_operands": denormals(exact.denormal_inputs),
        "denormal_results": denormals(exact.denormal_results),
    })
}

fn multiply_add_value(count: MultiplyAddCount) -> Value {
    json!({ "sample": count.sample, "once": count.once, "twice": count.twice, "neither": count.neither })
}

fn folding_value(folding: Folding) -> Value {
    json!({ "sample": folding.sample, "wrong": folding.wrong })
}

fn rounding_value(rounding: Rounding) -> Value {
    json!({ "sample": rounding.sample, "wrong": rounding.wrong, "worst_ulp": rounding.worst_ulp })
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
