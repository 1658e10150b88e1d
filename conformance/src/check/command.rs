//! The command line that repeats a check: everything that is not a default, and nothing else.

use gridproof_report::model::{Settings, Subject};
use gridproof_simulator::Detectors;

use super::AXES;
use super::exploration::{EngineChoice, ExploreChoice};
use super::options::{CheckOptions, ScheduleChoice};
use crate::family::shape_text;

/// The command line of a check.
pub(super) fn command(subject: &Subject, options: &CheckOptions) -> String {
    let usual = CheckOptions::default();
    let mut words = match subject {
        Subject::Catalogue { kernel, variant, shape, language, .. } => {
            let usual = *language == usual.language;
            let language = if usual { String::new() } else { format!(" --language {language}") };
            format!("gridproof check {kernel}:{variant} --shape {}{language}", shape_text(shape, None))
        }
        Subject::File { module, launch, .. } => {
            format!("gridproof check {} --launch {}", quoted(module), quoted(launch))
        }
    };
    let mut add = |given: bool, flag: &str, value: String| {
        if given {
            words += &format!(" {flag} {value}");
        }
    };
    let (config, usual_config) = (options.config, usual.config);
    add(options.slots != usual.slots, "--slots", options.slots.to_string());
    add(options.seed != usual.seed, "--seed", options.seed.to_string());
    add(options.data_seed != usual.data_seed, "--data-seed", options.data_seed.to_string());
    add(options.schedules != usual.schedules, "--schedules", options.schedules.to_string());
    add(config.arithmetic != usual_config.arithmetic, "--arithmetic", config.arithmetic.to_string());
    add(config.subgroup_size != usual_config.subgroup_size, "--subgroup-size", config.subgroup_size.to_string());
    if config.warp_lockstep {
        words += " --warp-lockstep";
    }
    let mut add = |given: bool, flag: &str, value: String| {
        if given {
            words += &format!(" {flag} {value}");
        }
    };
    if let Some(position) = options.threshold_key {
        let key = match subject {
            Subject::Catalogue { kernel, .. } => {
                let keys = gridproof_kernels::catalogue::kernel(kernel).map_or(&[][..], |kernel| kernel.shape_keys);
                keys.get(position).map(|key| key.name.to_owned())
            }
            Subject::File { .. } => AXES.get(position).map(|axis| format!("grid.{axis}")),
        };
        add(key.is_some(), "--threshold", key.unwrap_or_default());
    }
    add(config.detectors != usual_config.detectors, "--detectors", detectors(config.detectors));
    if let Some(choice) = options.schedule {
        let word = match choice {
            ScheduleChoice::Any => "any",
            ScheduleChoice::InOrder => "in-order",
            ScheduleChoice::Lockstep => "lockstep",
        };
        add(true, "--schedule", word.to_owned());
    }
    words
}

/// The command line of an exploration.
pub(super) fn explore(subject: &Subject, options: &CheckOptions, choice: &ExploreChoice) -> String {
    let check = command(subject, options);
    let mut words = check.replacen("gridproof check", "gridproof explore", 1);
    let usual = ExploreChoice::default();
    let mut add = |given: bool, flag: String| {
        if given {
            words += &format!(" {flag}");
        }
    };
    add(choice.engine != usual.engine, format!("--engine {}", choice.engine.name()));
    add(choice.progress != usual.progress, format!("--progress {}", choice.progress.name()));
    add(choice.executions != usual.executions, format!("--executions {}", choice.executions));
    add(choice.engine == EngineChoice::Random && choice.depth != usual.depth, format!("--depth {}", choice.depth));
    add(choice.preemptions.is_some(), format!("--preemptions {}", choice.preemptions.unwrap_or(0)));
    add(!choice.reduction, "--no-reduction".to_owned());
    add(!choice.symmetry, "--no-symmetry".to_owned());
    words
}

/// Detectors as `--detectors` takes them: all but those that are off.
fn detectors(detectors: Detectors) -> String {
    let settings = Settings { detectors, ..Settings::default() };
    let off: Vec<String> = settings.detectors_off().iter().map(|name| format!("-{name}")).collect();
    format!("all,{}", off.join(","))
}

/// A path as a shell takes it.
pub fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@,".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}
