//! What a launch of any kernel is compared with: its expectation, and the model's outputs byte for byte.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Expectation, Outputs, Verdict};
use gridproof_launch::{Arithmetic, Buffer, Contents, Denormals, Fill, Launch};
use gridproof_simulator::finding::{Finding, Severity};
use gridproof_simulator::{Config, Image, Outcome, prove};

/// What nobody has written yet, in outputs that start uninitialised: a byte that no result is made of alone.
const UNTOUCHED: u8 = 0xa5;

/// Buffer, byte offset and bytes.
pub type Patch = (&'static str, u64, Vec<u8>);

/// Buffer, byte offset and length in bytes.
pub type Stretch = (&'static str, u64, u64);

/// Puts [`UNTOUCHED`] bytes in the place of uninitialised ones, so that every write shows, but for `scratch` buffers.
pub fn touch(launch: &mut Launch, scratch: &[&str]) {
    for buffer in launch.buffers.iter_mut().filter(|buffer| !scratch.contains(&&*buffer.name)) {
        if let Contents::Virtual { fill: fill @ Fill::Uninitialised, .. } = &mut buffer.contents {
            *fill = Fill::Byte(UNTOUCHED);
        }
    }
}

/// Proves a launch and compares verdict and findings with what is demanded. `explained` says which warnings may be there
/// besides the benign parts of demanded races.
pub fn proved(
    launch: &Launch,
    config: &Config,
    demanded: &Expectation,
    explained: impl Fn(&Finding) -> bool,
) -> Result<Outcome, String> {
    let outcome = prove(launch, config).map_err(|error| error.to_string())?;
    let found = rules(&outcome);
    let wanted: BTreeSet<_> =
        demanded.findings.iter().map(|finding| (finding.rule, finding.place.to_owned())).collect();
    if found != wanted {
        return Err(format!("found {found:?}, demanded {wanted:?}"));
    }
    let racy = found.iter().any(|(rule, _)| matches!(*rule, "GP0001" | "GP0002"));
    let verdict = match (found.is_empty(), racy) {
        (true, _) => Verdict::RaceFree,
        (false, true) => Verdict::Racy,
        (false, false) => Verdict::Faulty,
    };
    if verdict != demanded.verdict {
        return Err(format!("the verdict is {}, demanded {}", verdict.name(), demanded.verdict.name()));
    }
    // A write that happens to leave what was there is a benign part of a race: fine beside the race itself.
    let fine = |finding: &Finding| {
        let site = (finding.rule.code(), finding.first.buffer.clone());
        counts(finding) || explained(finding) || (finding.benign && wanted.contains(&site))
    };
    if let Some(finding) = outcome.findings.iter().find(|finding| !fine(finding)) {
        return Err(format!("a warning that nobody declared: {finding:?}"));
    }
    if outcome.exhausted.is_some() || outcome.findings_dropped > 0 || !outcome.decides_every_schedule {
        return Err("the proof is incomplete".to_owned());
    }
    Ok(outcome)
}

/// Whether outputs that differ in `wrong` are what is demanded.
pub fn outputs_as_demanded(demanded: &Expectation, wrong: &[String]) -> Result<(), String> {
    match (demanded.outputs, wrong.is_empty()) {
        (Outputs::Right, true) | (Outputs::Wrong, false) | (Outputs::NotStated, _) => Ok(()),
        (Outputs::Right, false) => Err(format!("not as the model says: {}", wrong.join("; "))),
        (Outputs::Wrong, true) => Err("as the model says, where it should not be".to_owned()),
    }
}

/// The buffers that are not what they were with the model's outputs put in; `unspecified` bytes may be anything. What is
/// left in `scratch` buffers is nobody's business.
pub fn differences(
    launch: &Launch,
    outcome: &Outcome,
    (mut patches, unspecified): (Vec<Patch>, Vec<Stretch>),
    scratch: &[&str],
) -> Vec<String> {
    for (buffer, offset, length) in unspecified {
        let id = launch.buffers.iter().position(|other| other.name == buffer).unwrap_or_default();
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        outcome.buffers[id].read(offset, &mut bytes);
        patches.push((buffer, offset, bytes));
    }
    let compare = |(buffer, image): (&Buffer, &Image)| {
        let mut buffer = buffer.clone();
        for (_, offset, bytes) in patches.iter().filter(|(name, ..)| *name == buffer.name) {
            put(&mut buffer.contents, *offset, bytes);
        }
        let (count, first) = Image::new(&buffer).difference(image);
        first.map(|first| format!("`{}`: {count} bytes differ, the first at {first}", buffer.name))
    };
    let buffers = launch.buffers.iter().zip(&outcome.buffers);
    buffers.filter(|(buffer, _)| !scratch.contains(&&*buffer.name)).filter_map(compare).collect()
}

/// Puts bytes into initial contents. Where there are patches, one at this offset is replaced.
fn put(contents: &mut Contents, offset: u64, bytes: &[u8]) {
    match contents {
        Contents::Dense(dense) => {
            let mut changed = dense.to_vec();
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            changed[start..start + bytes.len()].copy_from_slice(bytes);
            *dense = changed.into();
        }
        Contents::Virtual { patches, .. } => {
            patches.insert(offset, bytes.into());
        }
    }
}

/// Rules and places of what makes the launch wrong.
pub fn rules(outcome: &Outcome) -> BTreeSet<(&'static str, String)> {
    let wrong = outcome.findings.iter().filter(|finding| counts(finding));
    wrong.map(|finding| (finding.rule.code(), finding.first.buffer.clone())).collect()
}

fn counts(finding: &Finding) -> bool {
    finding.severity == Severity::Error && !finding.benign && finding.declared.is_none()
}

/// The four arithmetic profiles, fused and separate in turns.
pub const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::FUSED },
    Arithmetic { denormals: Denormals::Flush, ..Arithmetic::SEPARATE },
];
