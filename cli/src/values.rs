//! Values on the command line that have a form of their own. Each error names the value's limits; clap adds the
//! flag and the value.

use std::time::Duration;

use gridproof_conformance::check::{CheckError, EngineChoice};
use gridproof_conformance::matrix::PartitionChoice;
use gridproof_launch::{Arithmetic, Denormals, Language, MultiplyAdd};
use gridproof_simulator::explore::Progress;
use gridproof_simulator::{Detectors, Schedule};

/// What `--schedule` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleChoice {
    /// The proof only.
    Any,
    /// In-order start.
    InOrder,
    /// Lock-step waves.
    Lockstep,
    /// Exactly this one.
    Exactly(Schedule),
}

/// `any`, `in-order`, `lockstep`, or a schedule.
pub fn schedule(text: &str) -> Result<ScheduleChoice, String> {
    match text {
        "any" => Ok(ScheduleChoice::Any),
        "in-order" => Ok(ScheduleChoice::InOrder),
        "lockstep" => Ok(ScheduleChoice::Lockstep),
        _ if text.starts_with("gp") => {
            text.parse().map(ScheduleChoice::Exactly).map_err(|error: gridproof_simulator::schedule::ScheduleError| {
                format!("character {}: {}", error.position, error.problem)
            })
        }
        _ => Err("expected any, in-order, lockstep, or a schedule that starts with `gp1;slots=`".to_owned()),
    }
}

/// `fused` or `separate`, and `,flush`.
pub fn arithmetic(text: &str) -> Result<Arithmetic, String> {
    let (rounding, denormals) = match text.strip_suffix(",flush") {
        Some(rounding) => (rounding, Denormals::Flush),
        None => (text, Denormals::Keep),
    };
    let multiply_add = match rounding {
        "fused" => MultiplyAdd::Fused,
        "separate" => MultiplyAdd::Separate,
        _ => return Err("expected fused, separate, `fused,flush` or `separate,flush`".to_owned()),
    };
    Ok(Arithmetic { multiply_add, denormals })
}

/// `wgsl` or `cuda`.
pub fn language(text: &str) -> Result<Language, String> {
    text.parse().map_err(|_| "expected wgsl or cuda".to_owned())
}

/// A power of two from 4 to 128.
pub fn subgroup_size(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size: &u32| size.is_power_of_two() && (4..=128).contains(size));
    size.ok_or_else(|| "expected a power of two from 4 to 128".to_owned())
}

/// `all`, `none`, or a list of names; where the first is left out (`-race`), the list starts from all.
pub fn detectors(text: &str) -> Result<Detectors, String> {
    let mut chosen = if text.starts_with('-') { Detectors::ALL } else { Detectors::NONE };
    for name in text.split(',').map(str::trim) {
        match (name, name.strip_prefix('-')) {
            ("all", _) => chosen = Detectors::ALL,
            ("none", _) => chosen = Detectors::NONE,
            (_, Some(name)) => *switch(&mut chosen, name)? = false,
            _ => *switch(&mut chosen, name)? = true,
        }
    }
    Ok(chosen)
}

fn switch<'a>(detectors: &'a mut Detectors, name: &str) -> Result<&'a mut bool, String> {
    Ok(match name {
        "race" => &mut detectors.race,
        "barrier" => &mut detectors.barrier,
        "bounds" => &mut detectors.bounds,
        "offset" => &mut detectors.offset,
        "uninitialised" => &mut detectors.uninitialised,
        "alignment" => &mut detectors.alignment,
        _ => {
            return Err(format!(
                "no detector `{name}`: expected race, barrier, bounds, offset, uninitialised, alignment, all or none"
            ));
        }
    })
}

/// From 0 to 2^64 - 1.
pub fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number from 0 to 18446744073709551615".to_owned())
}

/// From 1 to 2^32 - 1.
pub fn slots(text: &str) -> Result<u32, String> {
    let slots = text.parse().ok().filter(|slots| *slots > 0);
    slots.ok_or_else(|| "expected a whole number from 1 to 4294967295".to_owned())
}

/// An engine that explores schedules.
pub fn engine(text: &str) -> Result<EngineChoice, String> {
    let all = [EngineChoice::Exhaustive, EngineChoice::Random, EngineChoice::Loom, EngineChoice::Both];
    let known = all.into_iter().find(|engine| engine.name() == text);
    known.ok_or_else(|| "expected exhaustive, loom, both or random".to_owned())
}

/// A progress model by its name in the literature.
pub fn progress(text: &str) -> Result<Progress, String> {
    let known = Progress::ALL.into_iter().find(|model| model.name().eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("expected {}", Progress::ALL.map(Progress::name).join(", ")))
}

/// From 1 to 1024.
pub fn depth(text: &str) -> Result<u32, String> {
    let depth = text.parse().ok().filter(|depth| (1..=1024).contains(depth));
    depth.ok_or_else(|| "expected a whole number from 1 to 1024".to_owned())
}

/// From 0 to 255, as loom counts them.
pub fn preemptions(text: &str) -> Result<u32, String> {
    let bound = text.parse().ok().filter(|bound| *bound <= 255);
    bound.ok_or_else(|| "expected a whole number from 0 to 255".to_owned())
}

/// `slice:1/4`.
pub fn partition(text: &str) -> Result<PartitionChoice, String> {
    text.parse().map_err(|error| match error {
        CheckError::Option { limit, .. } => limit.to_owned(),
        other => other.to_string(),
    })
}

/// `cuda`, which is `cuda:0`, or the device's number behind it.
pub fn cuda_leg(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("cuda") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix(':').and_then(|number| number.parse().ok()),
        None => None,
    };
    number.ok_or_else(|| "expected cuda, or cuda:N with N counted from 0".to_owned())
}

/// A count, with k, M, G or T for powers of a thousand.
pub fn instructions(text: &str) -> Result<u64, String> {
    let units = [("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000), ("", 1)];
    scaled(text, &units, "expected a whole number of at least 1, as 500M or 2G")
}

/// Bytes, with KiB, MiB or GiB.
pub fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("", 1)];
    scaled(text, &units, "expected a whole number of bytes of at least 1, as 512MiB or 8GiB")
}

/// A time, with ms, s, m or h; seconds where none is given.
pub fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("", 1000)];
    scaled(text, &units, "expected a whole number of at least 1, as 500ms, 90s or 10m").map(Duration::from_millis)
}

fn scaled(text: &str, units: &[(&str, u64)], expected: &str) -> Result<u64, String> {
    let unit = units.iter().find_map(|(unit, size)| text.strip_suffix(unit).map(|number| (number, *size)));
    let (number, size) = unit.unwrap_or((text, 1));
    let value =
        number.trim().parse().ok().filter(|number| *number > 0).and_then(|number: u64| number.checked_mul(size));
    value.ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("8GiB"), Ok(8 << 30));
        assert_eq!(bytes("17"), Ok(17));
        assert_eq!(instructions("2G"), Ok(2_000_000_000));
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("10m"), Ok(Duration::from_secs(600)));
        for wrong in ["", "0", "-1", "GiB", "1.5GiB", "99999999999TiB", "8 gib", "é"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn detectors_are_added_and_left_out() {
        assert_eq!(detectors("all"), Ok(Detectors::ALL));
        assert_eq!(detectors("none"), Ok(Detectors::NONE));
        assert_eq!(detectors("race,bounds"), Ok(Detectors { race: true, bounds: true, ..Detectors::NONE }));
        assert_eq!(detectors("-race"), Ok(Detectors { race: false, ..Detectors::ALL }));
        assert_eq!(detectors("all,-offset"), Ok(Detectors { offset: false, ..Detectors::ALL }));
        assert!(detectors("races").unwrap_err().contains("no detector `races`"));
        assert!(detectors("").is_err() && detectors("-").is_err());
    }

    #[test]
    fn devices_have_numbers() {
        assert_eq!(["cuda", "cuda:0", "cuda:7"].map(cuda_leg), [Ok(0), Ok(0), Ok(7)]);
        assert!(["", "cuda:", "cuda0", "cuda:-1", "wgpu", "cuda:none"].iter().all(|text| cuda_leg(text).is_err()));
    }

    #[test]
    fn schedules_are_words_or_strings() {
        assert_eq!(schedule("any"), Ok(ScheduleChoice::Any));
        assert!(matches!(schedule("gp1;slots=2;0*,1*"), Ok(ScheduleChoice::Exactly(exact)) if exact.slots == 2));
        assert_eq!(schedule("gp1;slots=0;"), Err("character 12: at least one slot is needed".to_owned()));
        assert!(schedule("serial").is_err());
    }

    #[test]
    fn profiles_and_subgroup_sizes() {
        assert_eq!(arithmetic("separate"), Ok(Arithmetic::SEPARATE));
        assert_eq!(arithmetic("fused,flush"), Ok(Arithmetic { denormals: Denormals::Flush, ..Arithmetic::FUSED }));
        assert!(arithmetic("fast").is_err());
        assert_eq!(subgroup_size("4"), Ok(4));
        assert!(["0", "2", "6", "256", "x"].iter().all(|text| subgroup_size(text).is_err()));
    }
}
