//! What the command line means: the resolved stage. Errors here are about flags that do not fit together.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gridproof_conformance::bench::{BenchOptions, Wanted};
use gridproof_conformance::check::{self, CheckOptions, EngineChoice, ExploreChoice};
use gridproof_conformance::mutate::MutateOptions;
use gridproof_conformance::stress::{self, StressOptions};
use gridproof_kernels::catalogue;
use gridproof_launch::Denormals;
use gridproof_report::model::{Settings, Subject};
use gridproof_simulator::explore::Progress;
use gridproof_simulator::{Budget, Config, Schedule};

use crate::flags::{BenchFlags, CheckFlags, ExploreFlags, MutateFlags, SimulationFlags, StressFlags};
use crate::values::ScheduleChoice;

/// Endings of files that can be checked.
const MODULES: [&str; 6] = ["wgsl", "spv", "comp", "glsl", "ptx", "cu"];
/// Endings of kernels that other tools know and this one cannot check.
const FOREIGN: [&str; 6] = ["cl", "hlsl", "metal", "frag", "vert", "slang"];

/// A check, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What to check.
    pub target: Target,
    /// How.
    pub options: CheckOptions,
    /// The schedule to run instead of a check, where one was given.
    pub exactly: Option<Schedule>,
}

/// What to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A kernel of the catalogue.
    Catalogue {
        /// Its name.
        kernel: String,
        /// The variant; the first one where none is named.
        variant: Option<String>,
        /// The text of `--shape`.
        shape: String,
    },
    /// A user's module with its launch.
    File {
        /// The module.
        module: PathBuf,
        /// The launch file.
        launch: PathBuf,
    },
}

/// Resolves `gridproof check`.
pub fn check(flags: &CheckFlags) -> anyhow::Result<Check> {
    let target = target(flags)?;
    let mut options = options(&flags.simulation);
    options.data_seed = flags.data_seed.unwrap_or(options.data_seed);
    options.language = flags.language.unwrap_or(options.language);
    let exactly = match flags.simulation.schedule.clone() {
        Some(ScheduleChoice::Exactly(schedule)) => Some(schedule),
        _ => None,
    };
    options.threshold_key = flags.simulation.threshold.as_deref().map(|key| threshold_key(&target, key)).transpose()?;
    options.slots = exactly.as_ref().map_or(options.slots, |schedule| schedule.slots);
    Ok(Check { target, options, exactly })
}

/// Resolves `gridproof explore`.
pub fn explore(flags: &ExploreFlags) -> anyhow::Result<(Check, ExploreChoice)> {
    let simulation = &flags.check.simulation;
    if simulation.schedule.is_some() {
        bail!("--schedule is for check: explore chooses the schedules itself");
    }
    let check = check(&flags.check)?;
    let (asked, usual) = (&flags.exploration, ExploreChoice::default());
    let engine = asked.engine.unwrap_or(usual.engine);
    if engine != EngineChoice::Random && asked.depth.is_some() {
        bail!("--depth is for --engine random");
    }
    if !matches!(engine, EngineChoice::Loom | EngineChoice::Both) && asked.preemptions.is_some() {
        bail!("--preemptions is for --engine loom or both");
    }
    let choice = ExploreChoice {
        engine,
        progress: asked.progress.unwrap_or(usual.progress),
        executions: asked.executions.unwrap_or(usual.executions),
        depth: asked.depth.unwrap_or(usual.depth),
        reduction: !asked.no_reduction,
        symmetry: !asked.no_symmetry,
        preemptions: asked.preemptions,
        ..usual
    };
    Ok((check, choice))
}

/// What to mutate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutated {
    /// Kernels of the catalogue: all where none is named.
    Catalogue {
        /// Its name.
        kernel: Option<String>,
        /// The variant; all where none is named.
        variant: Option<String>,
        /// The texts of `--shape`; those of the main job where there are none.
        shapes: Vec<String>,
    },
    /// A user's module.
    File {
        /// The module.
        module: PathBuf,
        /// Its launch files.
        launches: Vec<PathBuf>,
    },
}

/// Resolves `gridproof mutate`.
pub fn mutate(flags: &MutateFlags) -> anyhow::Result<(Mutated, MutateOptions)> {
    let usual = CheckOptions::default();
    let budget = Budget {
        memory: flags.budget_memory.unwrap_or(usual.config.budget.memory),
        time: flags.budget_time.unwrap_or(usual.config.budget.time),
        ..usual.config.budget
    };
    let arithmetic = flags.arithmetic.unwrap_or(usual.config.arithmetic);
    let options = MutateOptions {
        check: CheckOptions {
            data_seed: flags.data_seed.unwrap_or(usual.data_seed),
            language: flags.language.unwrap_or(usual.language),
            config: Config { budget, arithmetic, ..usual.config },
            ..usual
        },
        subgroup_sizes: flags.subgroup_size.clone(),
        filter: flags.site.clone(),
    };
    let Some(given) = &flags.target else {
        if !flags.launch.is_empty() || !flags.shape.is_empty() {
            bail!("--launch and --shape are for one kernel: name it, or its file");
        }
        return Ok((Mutated::Catalogue { kernel: None, variant: None, shapes: Vec::new() }, options));
    };
    if !is_file(given) {
        if !flags.launch.is_empty() {
            bail!("--launch describes the launch of a file, but `{given}` is a kernel of the catalogue: use --shape");
        }
        let (kernel, variant) = named(given);
        return Ok((Mutated::Catalogue { kernel: Some(kernel), variant, shapes: flags.shape.clone() }, options));
    }
    let module = file(given, !flags.shape.is_empty(), flags.language.is_some())?;
    if flags.launch.is_empty() {
        bail!("`{given}` needs --launch FILE.toml, which says grid and buffers");
    }
    Ok((Mutated::File { module, launches: flags.launch.clone() }, options))
}

/// Resolves `gridproof bench`.
pub fn bench(flags: &BenchFlags) -> anyhow::Result<(Wanted, BenchOptions)> {
    let usual = BenchOptions::default();
    let options = BenchOptions {
        ordinal: flags.leg,
        arithmetic: flags.arithmetic.unwrap_or(usual.arithmetic),
        data_seed: flags.data_seed.unwrap_or(usual.data_seed),
    };
    let wanted = Wanted { shapes: flags.shape.clone(), quick: flags.quick, ..Wanted::default() };
    let Some(given) = &flags.target else {
        if !flags.shape.is_empty() {
            bail!("--shape is for one kernel: name it");
        }
        return Ok((wanted, options));
    };
    if is_file(given) {
        bail!("`{given}`: only kernels of the catalogue are timed, as nobody knows what bytes another must move");
    }
    let (kernel, variant) = named(given);
    Ok((Wanted { kernel: Some(kernel), variant, ..wanted }, options))
}

/// Resolves `gridproof stress`; `executable` is this program.
pub fn stress(flags: &StressFlags, executable: PathBuf) -> anyhow::Result<(stress::Target, StressOptions)> {
    let usual = CheckOptions::default();
    let arithmetic = flags.arithmetic.unwrap_or(usual.config.arithmetic);
    let options = StressOptions {
        check: CheckOptions {
            data_seed: flags.data_seed.unwrap_or(usual.data_seed),
            config: Config { arithmetic, ..usual.config },
            ..usual
        },
        ordinal: flags.leg,
        runs: flags.runs,
        nanoseconds: flags.delay,
        sanitizer: flags.sanitizer.clone(),
        executable,
    };
    if arithmetic.denormals != Denormals::Keep {
        bail!("--arithmetic {arithmetic}: a CUDA device keeps denormals");
    }
    if flags.runs == 0 {
        bail!("--runs 0: at least one is needed");
    }
    let given = &flags.target;
    if !is_file(given) {
        if !flags.launch.is_empty() {
            bail!("--launch describes the launch of a file, but `{given}` is a kernel of the catalogue: use --shape");
        }
        let (kernel, variant) = named(given);
        let entry = catalogue::kernel(&kernel);
        let entry = entry.and_then(|entry| match &variant {
            Some(variant) => entry.variant(variant),
            None => entry.variants.first(),
        });
        let variant = variant.or_else(|| entry.map(|entry| entry.name.to_owned())).unwrap_or_default();
        let usual = entry.map_or(&[""][..], |entry| entry.shapes);
        let shapes = match flags.shape.is_empty() {
            true => usual.iter().map(|&shape| shape.to_owned()).collect(),
            false => flags.shape.clone(),
        };
        return Ok((stress::Target::Catalogue { kernel, variant, shapes }, options));
    }
    let module = file(given, !flags.shape.is_empty(), false)?;
    if !matches!(ending(given), Some("ptx" | "cu")) {
        bail!("`{given}`: a CUDA device runs .ptx and .cu");
    }
    if flags.launch.is_empty() {
        bail!("`{given}` needs --launch FILE.toml, which says grid and buffers");
    }
    Ok((stress::Target::File { module, launches: flags.launch.clone() }, options))
}

/// Kernel and variant.
fn named(given: &str) -> (String, Option<String>) {
    match given.split_once(':') {
        Some((kernel, variant)) => (kernel.to_owned(), Some(variant.to_owned())),
        None => (given.to_owned(), None),
    }
}

/// A user's module, which takes nothing that is for the catalogue.
fn file(given: &str, shape: bool, language: bool) -> anyhow::Result<PathBuf> {
    let module = readable_module(given)?;
    if shape {
        bail!("--shape is for kernels of the catalogue: the shapes of `{given}` stand in its launch file");
    }
    if language {
        bail!("--language is for kernels of the catalogue: the language of `{given}` is known by its ending");
    }
    Ok(module)
}

/// The options that the flags give, with defaults for the others.
pub fn options(flags: &SimulationFlags) -> CheckOptions {
    let usual = CheckOptions { search_threshold: true, ..CheckOptions::default() };
    CheckOptions {
        slots: flags.slots.unwrap_or(usual.slots),
        schedule: flags.schedule.as_ref().and_then(rung),
        seed: flags.seed.unwrap_or(usual.seed),
        schedules: flags.schedules.unwrap_or(usual.schedules),
        search_threshold: !flags.no_threshold,
        output_errors: flags.output_errors,
        config: config(flags),
        ..usual
    }
}

const fn rung(choice: &ScheduleChoice) -> Option<check::ScheduleChoice> {
    match choice {
        ScheduleChoice::Any => Some(check::ScheduleChoice::Any),
        ScheduleChoice::InOrder => Some(check::ScheduleChoice::InOrder),
        ScheduleChoice::Lockstep => Some(check::ScheduleChoice::Lockstep),
        ScheduleChoice::Exactly(_) => None,
    }
}

fn config(flags: &SimulationFlags) -> Config {
    let usual = Config::default();
    Config {
        subgroup_size: flags.subgroup_size.unwrap_or(usual.subgroup_size),
        warp_lockstep: flags.warp_lockstep,
        arithmetic: flags.arithmetic.unwrap_or(usual.arithmetic),
        detectors: flags.detectors.unwrap_or(usual.detectors),
        budget: Budget {
            instructions: flags.budget_instructions.unwrap_or(usual.budget.instructions),
            memory: flags.budget_memory.unwrap_or(usual.budget.memory),
            time: flags.budget_time.unwrap_or(usual.budget.time),
        },
        threads: flags.threads.unwrap_or(usual.threads),
        ..usual
    }
}

fn target(flags: &CheckFlags) -> anyhow::Result<Target> {
    let given = &flags.target;
    if !is_file(given) {
        if flags.launch.is_some() {
            bail!("--launch describes the launch of a file, but `{given}` is a kernel of the catalogue: use --shape");
        }
        let (kernel, variant) = named(given);
        return Ok(Target::Catalogue { kernel, variant, shape: flags.shape.clone().unwrap_or_default() });
    }
    let module = file(given, flags.shape.is_some(), flags.language.is_some())?;
    let launch = flags.launch.clone();
    let launch = launch.with_context(|| format!("`{given}` needs --launch FILE.toml, which says grid and buffers"))?;
    Ok(Target::File { module, launch })
}

/// The position of a shape key, or of an axis of the grid.
fn threshold_key(target: &Target, key: &str) -> anyhow::Result<usize> {
    let known: Vec<&str> = match target {
        Target::File { .. } => vec!["grid.x", "grid.y", "grid.z"],
        Target::Catalogue { kernel, .. } => {
            let keys = catalogue::kernel(kernel).map_or(&[][..], |kernel| kernel.shape_keys);
            keys.iter().map(|known| known.name).collect()
        }
    };
    let position = known.iter().position(|known| *known == key);
    position.with_context(|| format!("--threshold {key}: expected one of {}", known.join(", ")))
}

fn ending(given: &str) -> Option<&str> {
    Path::new(given).extension()?.to_str()
}

/// Names of the catalogue have neither endings nor folders.
fn is_file(given: &str) -> bool {
    given.contains(['/', '\\']) || ending(given).is_some()
}

fn readable_module(given: &str) -> anyhow::Result<PathBuf> {
    let known = MODULES.map(|ending| format!(".{ending}")).join(", ");
    match ending(given) {
        Some(ending) if MODULES.contains(&ending) => {}
        Some(ending) if FOREIGN.contains(&ending) => bail!("`{given}`: .{ending} cannot be checked, expected {known}"),
        _ => bail!("`{given}`: the ending does not say which language it is, expected {known}"),
    }
    let path = PathBuf::from(given);
    if !path.is_file() {
        bail!("`{given}`: there is no such file");
    }
    Ok(path)
}

impl Check {
    /// The subject and settings of a run under exactly one schedule.
    pub fn subject(&self) -> anyhow::Result<Subject> {
        match &self.target {
            Target::File { module, launch } => Ok(Subject::File {
                module: module.display().to_string(),
                entry: String::new(),
                launch: launch.display().to_string(),
                seed: self.options.data_seed,
            }),
            Target::Catalogue { kernel, variant, shape } => {
                let first = || Some(catalogue::kernel(kernel)?.variants.first()?.name.to_owned());
                let variant = variant.clone().or_else(first).unwrap_or_default();
                let shape = pairs(shape)?;
                let CheckOptions { data_seed: seed, language, .. } = self.options;
                Ok(Subject::Catalogue { kernel: kernel.clone(), variant, shape, seed, language })
            }
        }
    }

    /// What a report says about how this was run.
    pub fn settings(&self) -> Settings {
        let CheckOptions { slots, seed, config, .. } = self.options;
        let (subgroup_size, warp_lockstep) = (config.subgroup_size, config.warp_lockstep);
        Settings {
            slots,
            seed,
            subgroup_size,
            warp_lockstep,
            progress: Progress::default(),
            detectors: config.detectors,
        }
    }
}

fn pairs(shape: &str) -> anyhow::Result<Vec<(String, String)>> {
    let parts = shape.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (key, value) = part.split_once('=').with_context(|| format!("--shape: `{part}` is not KEY=VALUE"))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::flags::{Command, Flags};

    fn resolve(arguments: &str) -> Result<Check, String> {
        let words = ["gridproof", "check"].into_iter().chain(arguments.split_whitespace());
        let flags = Flags::try_parse_from(words).map_err(|error| error.to_string())?;
        match flags.command {
            Some(Command::Check(flags)) => check(&flags).map_err(|error| format!("{error:#}")),
            _ => Err("not a check".to_owned()),
        }
    }

    #[test]
    fn kernels_and_files_are_told_apart() {
        let catalogue = |variant: Option<&str>, shape: &str| Target::Catalogue {
            kernel: "k".to_owned(),
            variant: variant.map(str::to_owned),
            shape: shape.to_owned(),
        };
        assert_eq!(resolve("k").unwrap().target, catalogue(None, ""));
        assert_eq!(resolve("k:v --shape n=1,k=2").unwrap().target, catalogue(Some("v"), "n=1,k=2"));
        for (arguments, problem) in [
            ("k --launch a.toml", "--launch describes the launch of a file"),
            ("a.cl --launch a.toml", "`a.cl`: .cl cannot be checked"),
            ("a.txt", "the ending does not say which language"),
            ("./a", "the ending does not say which language"),
            ("nowhere.wgsl --launch a.toml", "there is no such file"),
        ] {
            let message = resolve(arguments).unwrap_err();
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn flags_become_options() {
        let check =
            resolve("k --slots 7 --schedule lockstep --seed 3 --data-seed 4 --no-threshold --threads 2").unwrap();
        let expected = CheckOptions {
            slots: 7,
            schedule: Some(check::ScheduleChoice::Lockstep),
            seed: 3,
            data_seed: 4,
            search_threshold: false,
            config: Config { threads: 2, ..Config::default() },
            ..CheckOptions::default()
        };
        assert_eq!((check.options, check.exactly), (expected, None));
        assert!(resolve("k").unwrap().options.search_threshold);
    }

    #[test]
    fn the_last_schedule_counts() {
        let check = resolve("k:v --schedule lockstep --schedule gp1;slots=3;0*").unwrap();
        assert_eq!(check.options.schedule, None);
        assert_eq!(check.exactly.map(|schedule| schedule.slots), Some(3));
    }
}
