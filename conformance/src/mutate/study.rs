//! One kernel: every mutant on every launch, the cheapest first.

use gridproof_launch::{Change, Construct, Site};
use gridproof_report::mutation::{Evidence, Fate, Kernel, LeftOut, Mutant, Together};
use gridproof_simulator::mutation::{Found, sites};
use gridproof_simulator::{Exhausted, SimulateError};

use super::case::{Candidate, Case, case};
use super::judged::{edited, judge};
use super::select::MutateOptions;
use crate::check::CheckError;
use crate::progress::Progress;
use crate::side_by_side::side_by_side;

/// Instructions of a launch beyond which mutants are not run on it unless it was asked for, or is the only one.
const MOST_WORK: u64 = 1 << 28;

/// Studies one kernel. `asked` says that all launches were asked for by name.
pub(super) fn study(
    name: String,
    candidates: Vec<Candidate>,
    asked: bool,
    options: &MutateOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Kernel, CheckError> {
    let mut kernel = Kernel { name, ..Kernel::default() };
    let mut cases = Vec::new();
    for candidate in candidates {
        progress(Progress { done: 0, total: 0, current: &format!("{} {}", kernel.name, candidate.name) });
        match case(candidate)? {
            Ok(case) => cases.push(case),
            Err(left_out) => kernel.left_out.push(left_out),
        }
    }
    cases.sort_by_key(|case| case.as_it_is.instructions);
    if !asked {
        let large = cases.iter().skip(1).position(|case| case.as_it_is.instructions > MOST_WORK);
        let large = large.map_or_else(Vec::new, |position| cases.split_off(position + 1));
        let reason = format!("more than {MOST_WORK} instructions: ask for its shape to have it tried");
        let left_out = |case: Case| LeftOut { launch: case.name, reason: reason.clone(), wrong: false };
        kernel.left_out.extend(large.into_iter().map(left_out));
    }
    if cases.is_empty() {
        kernel.skipped = kernel.left_out.first().map(|one| one.reason.clone());
        return Ok(kernel);
    }
    let found = all_sites(&cases, &mut kernel, options)?;
    kernel.mutants = mutants(&kernel.name, &cases, found, progress)?;
    kernel.launches = cases.iter().map(|case| case.name.clone()).collect();
    kernel.explored = cases.iter().any(|case| case.as_it_is.explored);
    kernel.together = together(&cases, &kernel.mutants)?;
    Ok(kernel)
}

/// The sites of all launches, each once.
fn all_sites(cases: &[Case], kernel: &mut Kernel, options: &MutateOptions) -> Result<Vec<Found>, SimulateError> {
    let mut all: Vec<Found> = Vec::new();
    for case in cases {
        let own = sites(&case.launch)?;
        for mut found in own.sites {
            let Some(file) = usize::try_from(found.span.file).ok().and_then(|file| own.files.get(file)) else {
                continue;
            };
            let known = kernel.files.iter().position(|known| known == file).unwrap_or_else(|| {
                kernel.files.push(file.clone());
                kernel.files.len() - 1
            });
            found.span.file = u32::try_from(known).unwrap_or(u32::MAX);
            match all.iter_mut().find(|other| other.site == found.site) {
                Some(other) => {
                    let new = found.entries.into_iter().filter(|entry| !other.entries.contains(entry));
                    let new: Vec<String> = new.collect();
                    other.entries.extend(new);
                }
                None => all.push(found),
            }
        }
    }
    all.retain(|found| options.wants(&found.site));
    all.sort_by(|one, other| (one.span.file, &one.site).cmp(&(other.span.file, &other.site)));
    Ok(all)
}

/// Runs the mutants, one on each core. The result is in the order of the sites, whatever finishes first.
fn mutants(
    name: &str,
    cases: &[Case],
    found: Vec<Found>,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Vec<Mutant>, CheckError> {
    let total = found.len();
    let fates = side_by_side(
        &found,
        |one| fate(cases, &one.site),
        |done, position, _| {
            progress(Progress { done, total, current: &format!("{name} {}", found[position].site) });
        },
    );
    let pairs = found.into_iter().zip(fates);
    let mutant = |(Found { site, span, entries }, fate): (Found, Result<Fate, SimulateError>)| {
        Ok(Mutant { site, span, entries, fate: fate? })
    };
    pairs.map(mutant).collect()
}

/// What comes of leaving out one thing.
fn fate(cases: &[Case], site: &Site) -> Result<Fate, SimulateError> {
    let mut undecided = None;
    for (launch, case) in cases.iter().enumerate() {
        match verdict(case, std::iter::once(site))? {
            Seen::Noticed(evidence) => return Ok(Fate::Needed { launch, evidence }),
            Seen::Undecided(reason) => undecided = undecided.or(Some(Fate::Undecided { launch, reason })),
            Seen::Nothing => {}
        }
    }
    if let Some(undecided) = undecided {
        return Ok(undecided);
    }
    let mut fate = Fate::Idle;
    for (launch, case) in cases.iter().enumerate() {
        let trapping = edited(&case.launch, std::iter::once(site), Change::Trap);
        if !judge(&trapping, &case.options)?.trapped() {
            continue;
        }
        if case.as_it_is.explored && site.construct == Construct::Barrier {
            // What a barrier orders inside a subgroup is ordered by the exploration anyway.
            return Ok(Fate::Undecided { launch, reason: SUBGROUPS.to_owned() });
        }
        fate = Fate::Redundant;
    }
    Ok(fate)
}

/// Why an exploration cannot call a barrier redundant.
const SUBGROUPS: &str = "nothing is found without it, but schedules are not explored in which the invocations of one \
                         subgroup part from each other";

/// What one launch says of a mutant.
enum Seen {
    Noticed(Box<Evidence>),
    Nothing,
    Undecided(String),
}

fn verdict<'a>(case: &Case, sites: impl Iterator<Item = &'a Site> + Clone) -> Result<Seen, SimulateError> {
    let launch = edited(&case.launch, sites, Change::Remove);
    let judged = judge(&launch, &case.options)?;
    let mut new = judged.beyond(&case.as_it_is);
    if let Some(finding) = new.next().cloned() {
        let others = new.count();
        return Ok(Seen::Noticed(Box::new(Evidence::Finding {
            finding: Box::new(finding),
            others,
            files: judged.files,
        })));
    }
    drop(new);
    Ok(match &judged.exhausted {
        Some(exhausted @ Exhausted { budget: "instructions", .. }) => {
            Seen::Noticed(Box::new(Evidence::Endless { exhausted: Exhausted { at: None, ..exhausted.clone() } }))
        }
        Some(exhausted) => Seen::Undecided(gridproof_report::verdict::exhausted_words(exhausted, &judged.files)),
        None => match judged.differing_bytes(&case.as_it_is, &case.launch) {
            0 => judged.undecided.map_or(Seen::Nothing, Seen::Undecided),
            differing_bytes => Seen::Noticed(Box::new(Evidence::Outputs { differing_bytes })),
        },
    })
}

/// Which redundant barriers can be left out at once: all, or as many as go when they are left out one after the other.
fn together(cases: &[Case], mutants: &[Mutant]) -> Result<Option<Together>, SimulateError> {
    let redundant =
        |(_, mutant): &(usize, &Mutant)| mutant.site.construct == Construct::Barrier && mutant.fate == Fate::Redundant;
    let all: Vec<usize> = mutants.iter().enumerate().filter(redundant).map(|(position, _)| position).collect();
    if all.len() < 2 {
        return Ok(None);
    }
    let goes = |positions: &[usize]| -> Result<bool, SimulateError> {
        let sites = positions.iter().filter_map(|&position| mutants.get(position)).map(|mutant| &mutant.site);
        for case in cases {
            if !matches!(verdict(case, sites.clone())?, Seen::Nothing) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if goes(&all)? {
        return Ok(Some(Together { without: all, not_with_these: Vec::new() }));
    }
    let mut together = Together::default();
    for position in all {
        together.without.push(position);
        if together.without.len() > 1 && !goes(&together.without)? {
            together.without.pop();
            together.not_with_these.push(position);
        }
    }
    Ok(Some(together))
}
