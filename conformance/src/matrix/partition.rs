//! Shares of the cells, for machines that run side by side.

use std::fmt;
use std::str::FromStr;

use crate::check::CheckError;

/// More shares than anybody has machines.
const MOST_SHARES: usize = 100_001;

/// One of several equal shares of the cells: every `count`-th cell from the `index`-th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Which share, counted from 1.
    pub index: usize,
    /// How many shares.
    pub count: usize,
}

/// A share as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionChoice {
    /// This one.
    Slice(Partition),
    /// The one that the environment of a CI system or a scheduler names; of so many, where it does not say how many.
    Auto {
        /// How many shares.
        count: Option<usize>,
    },
}

/// How a system tells a job which one of several it is.
struct System {
    name: &'static str,
    index: &'static str,
    /// The variable with the number of jobs, where there is one.
    count: Option<&'static str>,
    /// The index of the first job, or the variable that has it.
    first: First,
}

enum First {
    Number(usize),
    /// Of a Slurm array, whose indices may start anywhere and have a step.
    Array {
        first: &'static str,
        step: &'static str,
    },
}

const SYSTEMS: [System; 5] = [
    System { name: "GitLab", index: "CI_NODE_INDEX", count: Some("CI_NODE_TOTAL"), first: First::Number(1) },
    System {
        name: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        count: Some("BUILDKITE_PARALLEL_JOB_COUNT"),
        first: First::Number(0),
    },
    System { name: "CircleCI", index: "CIRCLE_NODE_INDEX", count: Some("CIRCLE_NODE_TOTAL"), first: First::Number(0) },
    System {
        name: "Slurm",
        index: "SLURM_ARRAY_TASK_ID",
        count: Some("SLURM_ARRAY_TASK_COUNT"),
        first: First::Array { first: "SLURM_ARRAY_TASK_MIN", step: "SLURM_ARRAY_TASK_STEP" },
    },
    System { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", count: None, first: First::Number(0) },
];

impl Partition {
    /// Whether the cell at a position, counted from 0, is in this share.
    pub const fn has(self, position: usize) -> bool {
        position % self.count == self.index - 1
    }

    /// Cells of this share, of so many.
    pub const fn size(self, cells: usize) -> usize {
        cells / self.count + (cells % self.count >= self.index) as usize
    }

    /// The share that the environment names, with words that say which variables it is from; `None` where this job is
    /// the only one.
    ///
    /// # Errors
    /// No such variable, variables of several systems, or values that make no share.
    pub fn from_environment(
        count: Option<usize>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, String), CheckError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let here: Vec<&System> = SYSTEMS.iter().filter(|system| set(system.index).is_some()).collect();
        let names = |systems: &[&System]| {
            let names: Vec<String> =
                systems.iter().map(|system| format!("{} ({})", system.index, system.name)).collect();
            names.join(", ")
        };
        let system = match here[..] {
            [system] => system,
            [] => {
                let all: Vec<&System> = SYSTEMS.iter().collect();
                return Err(wrong("auto", format!("none of these variables is set: {}", names(&all))));
            }
            _ => return Err(wrong("auto", format!("variables of several systems are set: {}", names(&here)))),
        };
        system.partition(count, &set)
    }
}

fn wrong(value: impl Into<String>, reason: String) -> CheckError {
    CheckError::Partition { value: value.into(), reason }
}

impl System {
    fn partition(
        &self,
        asked: Option<usize>,
        set: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Partition, String), CheckError> {
        let number = |name: &str| match set(name) {
            None => Ok(None),
            Some(value) => value
                .parse::<usize>()
                .map(Some)
                .map_err(|_| wrong(format!("{name}={value}"), "expected a whole number".to_owned())),
        };
        let told = self.count.map_or(Ok(None), number)?;
        let count = match (told, asked, self.count) {
            (Some(told), Some(asked), Some(name)) if told != asked => {
                return Err(wrong(format!("auto/{asked}"), format!("{name} says {told}")));
            }
            (Some(count), _, _) | (None, Some(count), _) => count,
            (None, None, name) => {
                let unset =
                    name.map_or_else(|| format!("{} does not say", self.name), |name| format!("{name} is not set"));
                return Err(wrong("auto", format!("how many shares? {unset}: give the number as auto/4")));
            }
        };
        let raw = number(self.index)?.unwrap_or_default();
        let position = match self.first {
            First::Number(first) => raw.checked_sub(first),
            First::Array { first, step } => {
                let (first, step) = (number(first)?.unwrap_or(1), number(step)?.unwrap_or(1).max(1));
                raw.checked_sub(first).filter(|offset| offset % step == 0).map(|offset| offset / step)
            }
        };
        let position = position.filter(|position| *position < count).ok_or_else(|| {
            wrong(format!("{}={raw}", self.index), format!("no share of {count}, as {} counts them", self.name))
        })?;
        let partition = Partition { index: position + 1, count };
        let of = match (told, self.count) {
            (Some(told), Some(name)) => format!(" and {name}={told}"),
            _ => String::new(),
        };
        Ok((partition, format!("{partition}, from {}={raw}{of}", self.index)))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slice:{}/{}", self.index, self.count)
    }
}

impl FromStr for Partition {
    type Err = CheckError;

    /// `slice:1/4`, as nextest writes it.
    fn from_str(text: &str) -> Result<Self, CheckError> {
        let numbers = text.strip_prefix("slice:").and_then(|rest| rest.split_once('/'));
        let parsed =
            numbers.and_then(|(index, count)| Some(Self { index: index.parse().ok()?, count: count.parse().ok()? }));
        if let Some(Self { count: MOST_SHARES.., .. }) = parsed {
            return Err(wrong(text, format!("at most {} shares", MOST_SHARES - 1)));
        }
        parsed.filter(|part| part.index >= 1 && part.index <= part.count).ok_or_else(|| {
            wrong(text, "expected slice:INDEX/COUNT with INDEX from 1 to COUNT, auto, or auto/COUNT".to_owned())
        })
    }
}

impl FromStr for PartitionChoice {
    type Err = CheckError;

    /// `slice:1/4`, `auto` or `auto/4`.
    fn from_str(text: &str) -> Result<Self, CheckError> {
        match text.strip_prefix("auto") {
            Some("") => Ok(Self::Auto { count: None }),
            Some(rest) => {
                let count = rest.strip_prefix('/').and_then(|count| count.parse().ok()).filter(|count| *count >= 1);
                let count = count.ok_or_else(|| wrong(text, "expected auto/COUNT with COUNT from 1".to_owned()))?;
                Ok(Self::Auto { count: Some(count) })
            }
            None => text.parse().map(Self::Slice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_read_or_refused() {
        assert_eq!("slice:2/4".parse(), Ok(Partition { index: 2, count: 4 }));
        assert_eq!("auto".parse(), Ok(PartitionChoice::Auto { count: None }));
        assert_eq!("auto/8".parse(), Ok(PartitionChoice::Auto { count: Some(8) }));
        for refused in
            ["2/4", "slice:0/4", "slice:5/4", "slice:1", "slice:a/b", "slice:1/0", "auto/0", "auto/x", "auto4"]
        {
            assert!(refused.parse::<PartitionChoice>().is_err(), "{refused}");
        }
    }

    fn from(count: Option<usize>, variables: &[(&str, &str)]) -> Result<String, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let partition = Partition::from_environment(count, &variable);
        partition.map(|(partition, _)| partition.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_system_counts_in_its_own_way() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(from(None, &[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "3")]), ok("slice:1/3"));
        assert_eq!(from(None, &[("CI_NODE_INDEX", "3"), ("CI_NODE_TOTAL", "3")]), ok("slice:3/3"));
        let buildkite = |index| [("BUILDKITE_PARALLEL_JOB", index), ("BUILDKITE_PARALLEL_JOB_COUNT", "3")];
        assert_eq!(from(None, &buildkite("0")), ok("slice:1/3"));
        assert_eq!(from(None, &buildkite("2")), ok("slice:3/3"));
        assert_eq!(from(None, &[("CIRCLE_NODE_INDEX", "1"), ("CIRCLE_NODE_TOTAL", "2")]), ok("slice:2/2"));
        let slurm = |id| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", "10"),
                ("SLURM_ARRAY_TASK_STEP", "5"),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
            ]
        };
        assert_eq!(from(None, &slurm("10")), ok("slice:1/3"));
        assert_eq!(from(None, &slurm("20")), ok("slice:3/3"));
        assert!(from(None, &slurm("12")).is_err());
        assert_eq!(from(Some(8), &[("JOB_COMPLETION_INDEX", "7")]), ok("slice:8/8"));
    }

    #[test]
    fn what_is_not_said_or_said_twice_is_an_error_that_names_the_variable() {
        let refused = |count, variables: &[(&str, &str)], words: &str| {
            let said = from(count, variables).unwrap_err();
            assert!(said.contains(words), "{said}");
        };
        refused(None, &[], "CI_NODE_INDEX (GitLab)");
        refused(None, &[("CI_NODE_INDEX", "")], "none of these variables is set");
        refused(None, &[("JOB_COMPLETION_INDEX", "0")], "Kubernetes does not say: give the number as auto/4");
        refused(None, &[("CI_NODE_INDEX", "1")], "CI_NODE_TOTAL is not set");
        refused(Some(4), &[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "3")], "CI_NODE_TOTAL says 3");
        refused(Some(4), &[("JOB_COMPLETION_INDEX", "4")], "JOB_COMPLETION_INDEX=4: no share of 4");
        refused(Some(4), &[("CI_NODE_INDEX", "0")], "CI_NODE_INDEX=0");
        refused(Some(4), &[("JOB_COMPLETION_INDEX", "one")], "JOB_COMPLETION_INDEX=one: expected a whole number");
        refused(Some(4), &[("CI_NODE_INDEX", "1"), ("JOB_COMPLETION_INDEX", "0")], "several systems");
    }
}
