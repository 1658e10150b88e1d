//! The examples that communicate between workgroups: the right ones leave the same outputs under every schedule that is
//! tried here, and every wrong one goes wrong in the way that its launch file says.
//!
//! Launches of CUDA C++ are skipped without NVRTC, as in `cuda.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gridproof_conformance::cuda::{compiled, unavailable};
use gridproof_conformance::launch_file::{self, Limits};
use gridproof_launch::Launch;
use gridproof_simulator::explore::{Exploration, ExploreOptions, Progress, explore};
use gridproof_simulator::finding::{Finding, Rule};
use gridproof_simulator::{Budget, Config, Image, Outcome, Policy, Schedule, prove, run};
use libtest_mimic::{Arguments, Failed, Trial};

/// How a launch behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    /// Race-free and right under every schedule, on any number of slots.
    Right,
    /// The same as long as all workgroups are resident; on one slot there is no progress.
    RightIfResident,
    /// Right as long as workgroups start in index order, whatever the slots.
    RightIfInOrder,
    /// Races between workgroups on this buffer.
    Racy(&'static str),
    /// The same, but in some schedules only, so that one run need not see it.
    RacyInSome(&'static str),
    /// No race, but some schedule leaves other outputs.
    Wrong,
    /// No race, but some schedule makes no progress although all are resident.
    Stuck,
}

use Behaviour::{Racy, RacyInSome, Right, RightIfInOrder, RightIfResident, Stuck, Wrong};

const LAUNCHES: &[(&str, &[(&str, Behaviour)])] = &[
    (
        "spin_lock",
        &[
            ("correct", Right),
            ("large", Right),
            ("plain_data", Racy("plain_total")),
            ("test_then_set", Wrong),
            ("cuda_correct", Right),
            ("cuda_large", Right),
            ("cuda_no_fence", Racy("total")),
            ("cuda_fence_after", Racy("total")),
            ("cuda_block_fence", Racy("total")),
            ("cuda_test_then_set", RacyInSome("total")),
        ],
    ),
    (
        "ticket_lock",
        &[
            ("correct", Right),
            ("large", Right),
            ("plain_data", Racy("plain_total")),
            ("split_ticket", Wrong),
            ("ticket_is_index", RightIfInOrder),
            ("cuda_correct", Right),
            ("cuda_large", Right),
            ("cuda_relaxed", Racy("total")),
            ("cuda_block_scope", Racy("serving")),
            ("cuda_missing_sync", Racy("total")),
            ("cuda_ticket_is_index", RightIfInOrder),
        ],
    ),
    (
        "grid_barrier",
        &[
            ("correct", RightIfResident),
            ("rounds", RightIfResident),
            ("large", RightIfResident),
            ("plain_data", Racy("plain_words")),
            ("short_count", Wrong),
            ("reset_counter", Stuck),
            ("plain_flag", Racy("rounds_open")),
            ("cuda_correct", RightIfResident),
            ("cuda_rounds", RightIfResident),
            ("cuda_large", RightIfResident),
            ("cuda_no_fence", Racy("words")),
            ("cuda_fence_after", Racy("words")),
            ("cuda_missing_sync", Racy("words")),
            ("cuda_reset_counter", Stuck),
        ],
    ),
    (
        "look_back",
        &[
            ("correct", Right),
            ("large", Right),
            ("tile_is_index", RightIfInOrder),
            ("two_words", Wrong),
            ("plain_value", Racy("plain_values")),
            ("cuda_correct", Right),
            ("cuda_large", Right),
            ("cuda_no_fence", Racy("prefixes")),
            ("cuda_flag_first", Racy("prefixes")),
            ("cuda_shared_value", RacyInSome("prefixes")),
            ("cuda_tile_is_index", RightIfInOrder),
        ],
    ),
    (
        "split_k",
        &[
            ("semaphore", RightIfInOrder),
            ("semaphore_large", RightIfInOrder),
            ("semaphore_no_turn", Wrong),
            ("semaphore_plain_data", Racy("plain_parts")),
            ("last_arriver", Right),
            ("last_arriver_large", Right),
            ("last_arriver_arrive_first", Wrong),
            ("last_arriver_plain_data", Racy("plain_parts")),
            ("cuda_semaphore", RightIfInOrder),
            ("cuda_semaphore_large", RightIfInOrder),
            ("cuda_semaphore_no_turn", Racy("parts")),
            ("cuda_semaphore_no_fence", Racy("parts")),
            ("cuda_semaphore_block_fence", Racy("parts")),
            ("cuda_last_arriver", Right),
            ("cuda_last_arriver_large", Right),
            ("cuda_last_arriver_no_fence", Racy("parts")),
            ("cuda_last_arriver_no_acquire", Racy("parts")),
            ("cuda_last_arriver_missing_sync", Racy("parts")),
        ],
    ),
];

/// Schedules drawn on each number of slots of a launch that must always be right.
const DRAWN: u64 = 12;
/// The same for launches of more workgroups than `FEW`.
const DRAWN_OF_LARGE: u64 = 1;
const FEW: u32 = 4;
/// Schedules drawn of a launch until one goes wrong.
const SEARCHED: u64 = 1024;

fn main() {
    let arguments = Arguments::from_args();
    let required = std::env::var("GRIDPROOF_REQUIRE_NVRTC").is_ok_and(|value| value == "1");
    let missing = unavailable().map(ToString::to_string);
    let mut trials = vec![Trial::test("every_launch_is_listed", every_launch_is_listed)];
    for (folder, launches) in LAUNCHES {
        for (name, behaviour) in *launches {
            let title = format!("{folder}/{name}");
            let test = move || check(folder, name, *behaviour);
            let skipped = missing.as_ref().filter(|_| name.starts_with("cuda_"));
            let explore = move || every_schedule(folder, name, *behaviour);
            if !name.ends_with("large") {
                trials.push(trial(format!("every_schedule/{title}"), skipped, required, explore));
            }
            trials.push(trial(title, skipped, required, test));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(
    title: String,
    skipped: Option<&String>,
    required: bool,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match skipped.cloned() {
        None => Trial::test(title, test),
        Some(reason) => {
            let kind = format!("skipped: {reason}");
            Trial::test(title, move || Err(reason.as_str().into())).with_kind(kind).with_ignored_flag(!required)
        }
    }
}

/// What holds under every schedule, and which progress the launch needs.
fn every_schedule(folder: &str, name: &str, behaviour: Behaviour) -> Result<(), Failed> {
    let path = examples().join(folder).join(format!("{name}.toml"));
    let launch = launch_file::read(None, &path, &Limits { memory: 1 << 30, seed: 0 })?.launch;
    let (buffer, words_expected) = expected(folder, &launch);
    let launch = compiled(&launch)?.into_owned();
    let (id, _) = launch.buffer_named(&buffer).expect("the result is a buffer of the launch");
    let config = Config { threads: 1, ..Config::default() };
    let explored =
        |progress, slots| explore(&launch, &config, &ExploreOptions { progress, slots, ..ExploreOptions::default() });
    let found =
        |exploration: &Exploration, rule: Rule| exploration.outcome.findings.iter().any(|finding| finding.rule == rule);
    let all = launch.dispatches[0].grid.iter().product();
    let resident = explored(Progress::Lobe, all)?;
    let races = found(&resident, Rule::CrossWorkgroupRace) || found(&resident, Rule::WorkgroupRace);
    let waits = found(&resident, Rule::NoProgress);
    let rules: Vec<Rule> = resident.outcome.findings.iter().map(|finding| finding.rule).collect();
    let right = |exploration: &Exploration| {
        exploration.outputs.iter().all(|output| words(&output.buffers[id.0]) == words_expected)
    };
    holds(resident.is_complete(), || format!("not complete: {:?}", resident.stopped))?;
    match behaviour {
        Racy(buffer) | RacyInSome(buffer) => {
            let on = |finding: &&Finding| finding.rule == Rule::CrossWorkgroupRace && finding.first.buffer == buffer;
            return holds(resident.outcome.findings.iter().any(|finding| on(&finding)), || format!("{rules:?}"));
        }
        Wrong => {
            let told = found(&resident, Rule::ScheduleDependent);
            return holds(!races && !right(&resident) && told, || format!("{rules:?}"));
        }
        Stuck => return holds(waits && !races, || format!("{rules:?}")),
        Right | RightIfResident | RightIfInOrder => {}
    }
    holds(!races && !waits && right(&resident), || format!("{rules:?}"))?;
    let one_slot = explored(Progress::Lobe, 1)?;
    let any_start = explored(Progress::Obe, 1)?;
    let expected_waits = match behaviour {
        RightIfResident => (true, true),
        RightIfInOrder => (false, true),
        _ => (false, false),
    };
    let seen = (found(&one_slot, Rule::NoProgress), found(&any_start, Rule::NoProgress));
    holds(seen == expected_waits, || format!("waits under LOBE and OBE on one slot: {seen:?}"))
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// A launch file that nobody looks at would say whatever it likes.
fn every_launch_is_listed() -> Result<(), Failed> {
    for (folder, launches) in LAUNCHES {
        let mut there = Vec::new();
        for entry in std::fs::read_dir(examples().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                there.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        let mut listed: Vec<String> = launches.iter().map(|(name, _)| (*name).to_owned()).collect();
        there.sort();
        listed.sort();
        holds(there == listed, || format!("{folder} has {there:?}"))?;
    }
    Ok(())
}

fn holds(holds: bool, text: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text().into()) }
}

fn check(folder: &str, name: &str, behaviour: Behaviour) -> Result<(), Failed> {
    let path = examples().join(folder).join(format!("{name}.toml"));
    let launch = launch_file::read(None, &path, &Limits { memory: 1 << 30, seed: 0 })?.launch;
    let expected = expected(folder, &launch);
    let launch = compiled(&launch)?.into_owned();
    let budget = Budget { instructions: 1 << 24, ..Budget::default() };
    let config = Config { threads: 1, budget, ..Config::default() };
    let proof = prove(&launch, &config)?;
    let tried = Tried { launch: &launch, config, proof: &proof, expected: &expected };

    holds(proof.exhausted.is_none(), || format!("the proof ran out: {:?}", proof.exhausted))?;
    let races = proof.findings.iter().filter(|finding| finding.rule == Rule::CrossWorkgroupRace).count();
    let others: Vec<Rule> = proof.findings.iter().map(|finding| finding.rule).collect();
    holds(others.len() == races, || format!("findings of other rules: {others:?}"))?;
    let races_on = |name: &str| proof.findings.iter().any(|finding| finding.first.buffer == name);
    match behaviour {
        Racy(buffer) => return holds(races_on(buffer), || format!("no race on `{buffer}`, {races} on others")),
        RacyInSome(buffer) => {
            let open = races == 0 && !proof.decides_every_schedule;
            return holds(open || races_on(buffer), || format!("no race on `{buffer}`, {races} on others"));
        }
        _ => {}
    }
    let chooses = !proof.decides_every_schedule || !proof.chosen.is_empty();
    holds(chooses, || "no atomic decides anything, nor what is left".to_owned())?;
    holds(races == 0, || format!("{races} races were found"))?;
    tried.always(behaviour)?;
    match behaviour {
        RightIfResident => holds(!tried.ends(&Policy::Serial)?, || "one slot is enough".to_owned()),
        Wrong => tried.once("is wrong", |tried, policy| Ok(tried.ends(policy)? && !tried.is_right(policy)?)),
        Stuck => tried.once("makes no progress", |tried, policy| Ok(!tried.ends(policy)?)),
        Right | RightIfInOrder | Racy(_) | RacyInSome(_) => Ok(()),
    }
}

/// A launch and what it should leave in its result.
struct Tried<'a> {
    launch: &'a Launch,
    config: Config,
    proof: &'a Outcome,
    expected: &'a (String, Vec<u32>),
}

impl Tried<'_> {
    fn workgroups(&self) -> u32 {
        self.launch.dispatches[0].grid.iter().product()
    }

    fn ran(&self, policy: &Policy) -> Result<Outcome, Failed> {
        Ok(run(self.launch, &self.config, policy, &self.proof.hazards)?)
    }

    fn ends(&self, policy: &Policy) -> Result<bool, Failed> {
        Ok(self.ran(policy)?.exhausted.is_none())
    }

    fn result(&self, outcome: &Outcome) -> Vec<u32> {
        let (id, _) = self.launch.buffer_named(&self.expected.0).expect("the result is a buffer of the launch");
        words(&outcome.buffers[id.0])
    }

    fn is_right(&self, policy: &Policy) -> Result<bool, Failed> {
        Ok(self.result(&self.ran(policy)?) == self.expected.1)
    }

    /// The schedules under which the outputs must be right.
    fn always(&self, behaviour: Behaviour) -> Result<(), Failed> {
        let all = self.workgroups();
        let slots = match behaviour {
            Right | RightIfInOrder => BTreeSet::from([1, 2, all]),
            RightIfResident => BTreeSet::from([all]),
            Racy(_) | RacyInSome(_) | Wrong | Stuck => return Ok(()),
        };
        let drawn = if all > FEW { DRAWN_OF_LARGE } else { DRAWN };
        let policies = slots.into_iter().flat_map(|slots| {
            let drawn = (0..drawn).map(move |seed| Policy::Bounded { slots, seed });
            drawn.chain([Policy::Waves { slots }])
        });
        for policy in policies {
            let outcome = self.ran(&policy)?;
            let result = self.result(&outcome);
            holds(outcome.exhausted.is_none(), || format!("{policy:?}: {:?}", outcome.exhausted))?;
            holds(result == self.expected.1, || format!("{policy:?}: {result:?} instead of {:?}", self.expected.1))?;
            let schedule: Schedule = outcome.schedule.to_string().parse()?;
            let again = self.ran(&Policy::Replay(schedule))?;
            holds(self.result(&again) == result, || format!("{}: not replayed", outcome.schedule))?;
        }
        Ok(())
    }

    /// Some drawn schedule does it, and some does not.
    fn once(&self, what: &str, does: impl Fn(&Self, &Policy) -> Result<bool, Failed>) -> Result<(), Failed> {
        let mut count = 0;
        let mut tried = 0;
        while tried < SEARCHED && (count == 0 || count == tried) {
            count += u64::from(does(self, &Policy::Bounded { slots: self.workgroups(), seed: tried })?);
            tried += 1;
        }
        holds(count > 0 && count < tried, || format!("{count} of {tried} schedules: {what}"))
    }
}

fn words(image: &Image) -> Vec<u32> {
    image.to_vec().as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// Initial words of a buffer.
fn initial(launch: &Launch, name: &str) -> Vec<u32> {
    let (_, buffer) = launch.buffer_named(name).expect("an input of the launch");
    words(&Image::new(buffer))
}

fn length(launch: &Launch, name: &str) -> u32 {
    let (_, buffer) = launch.buffer_named(name).expect("a buffer of the launch");
    u32::try_from(buffer.length / 4).expect("examples are small")
}

/// The result of a launch: the buffer and its words.
fn expected(folder: &str, launch: &Launch) -> (String, Vec<u32>) {
    let grid = launch.dispatches[0].grid;
    match folder {
        "spin_lock" | "ticket_lock" => {
            let sum = grid[0] * (grid[0] + 1) / 2;
            ("total".to_owned(), (1..=length(launch, "total")).map(|i| i * sum).collect())
        }
        "grid_barrier" => ("output".to_owned(), met(launch, grid[0])),
        "look_back" => {
            let input = initial(launch, "input");
            let sums = input.iter().scan(0, |sum, value| {
                *sum += value;
                Some(*sum)
            });
            ("output".to_owned(), sums.collect())
        }
        _ => ("output".to_owned(), product(launch, grid[0])),
    }
}

/// What rounds of publishing and adding up give.
fn met(launch: &Launch, workgroups: u32) -> Vec<u32> {
    let total = length(launch, "output");
    let columns = total / workgroups;
    let rounds = length(launch, "words") / total;
    let mut values: Vec<u32> = (1..=total).collect();
    for _ in 0..rounds {
        let sum = |column: u32| -> u32 {
            (0..).zip(&values).filter(|(place, _)| place % columns == column).map(|(_, value)| value).sum()
        };
        let sums: Vec<u32> = (0..columns).map(sum).collect();
        values = (0..total).map(|place: u32| place / columns + sums[(place % columns) as usize]).collect();
    }
    values
}

/// A matrix times a vector, slice by slice: bits of f32.
fn product(launch: &Launch, slices: u32) -> Vec<u32> {
    let floats = |name| -> Vec<f32> { initial(launch, name).into_iter().map(f32::from_bits).collect() };
    let (matrix, vector) = (floats("matrix"), floats("vector"));
    let per_slice = vector.len() / slices as usize;
    let row = |row: &[f32]| {
        let parts = row.chunks(per_slice).zip(vector.chunks(per_slice));
        let part =
            |(row, vector): (&[f32], &[f32])| row.iter().zip(vector).fold(0.0_f32, |sum, (a, b)| a.mul_add(*b, sum));
        parts.map(part).fold(0.0_f32, |sum, part| sum + part).to_bits()
    };
    matrix.chunks(vector.len()).map(row).collect()
}
