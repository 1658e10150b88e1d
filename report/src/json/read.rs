//! From a JSON report back to what a replay needs. The text may come from anywhere: nothing in it can cause a
//! panic, and every error names the key.

use gridproof_launch::{Arithmetic, Denormals, Language, MultiplyAdd};
use gridproof_simulator::explore::Progress;
use gridproof_simulator::finding::Rule;
use gridproof_simulator::{Detectors, Schedule};
use serde_json::{Map, Value};

use super::VERSION;
use crate::model::{ExpectedFinding, Place, Replay, Settings, Subject};
use crate::text::plain;

/// Longest report that is read, in bytes.
const LONGEST: usize = 1 << 26;

/// A report that cannot be read. `path` is the key, as `findings[0].schedule`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too long to be a report of ours.
    #[error("the report is {length} bytes long, but at most {LONGEST} are read")]
    Length {
        /// Its length in bytes.
        length: usize,
    },
    /// Not JSON.
    #[error("line {line}, column {column}: not JSON: {message}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A key is missing.
    #[error("`{path}` is missing")]
    Missing {
        /// The key.
        path: String,
    },
    /// A value of another type.
    #[error("`{path}` is {found}, expected {expected}")]
    Type {
        /// The key.
        path: String,
        /// The type that is there.
        found: &'static str,
        /// The type that should be.
        expected: &'static str,
    },
    /// A value of the right type that makes no sense.
    #[error("`{path}` is `{value}`: {problem}")]
    Value {
        /// The key.
        path: String,
        /// What is there.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The report has no such finding.
    #[error("the report has {findings} findings, so there is no finding {wanted} to replay")]
    NoFinding {
        /// Findings in the report.
        findings: usize,
        /// The one asked for, counted from 1.
        wanted: usize,
    },
}

/// Reads the first finding that has a schedule, or the first of all. Accepts a check report, and one whose
/// `findings` were cut out and replaced by a single `finding`.
///
/// # Errors
/// When the text is no JSON report of version 1, or has no finding.
pub fn read_replay(text: &str) -> Result<Replay, ReadError> {
    let report = Report::parse(text)?;
    let scheduled = |finding: &Value| finding.get("schedule").is_some_and(Value::is_string);
    let index = report.findings.iter().position(|(finding, _)| scheduled(finding)).unwrap_or(0);
    report.replay(index)
}

/// Reads one finding; `number` counts from 1.
///
/// # Errors
/// As [`read_replay`], and when there are fewer findings.
pub fn read_finding(text: &str, number: usize) -> Result<Replay, ReadError> {
    let report = Report::parse(text)?;
    match number.checked_sub(1) {
        Some(index) => report.replay(index),
        None => Err(ReadError::NoFinding { findings: report.findings.len(), wanted: number }),
    }
}

struct Report {
    root: Value,
    findings: Vec<(Value, String)>,
}

impl Report {
    fn parse(text: &str) -> Result<Self, ReadError> {
        if text.len() > LONGEST {
            return Err(ReadError::Length { length: text.len() });
        }
        let root: Value = serde_json::from_str(text).map_err(|error| syntax(&error))?;
        let top = Node { value: &root, path: String::new() };
        let version = top.key("version")?;
        if version.value.as_u64() != Some(VERSION) {
            return Err(version.wrong(&format!("only version {VERSION} can be read")));
        }
        let findings = top.findings()?;
        Ok(Self { findings, root })
    }

    fn replay(&self, index: usize) -> Result<Replay, ReadError> {
        let (finding, path) = self
            .findings
            .get(index)
            .ok_or(ReadError::NoFinding { findings: self.findings.len(), wanted: index.saturating_add(1) })?;
        let top = Node { value: &self.root, path: String::new() };
        let finding = Node { value: finding, path: path.clone() };
        let schedule = finding.optional("schedule").map(|node| node.schedule()).transpose()?;
        Ok(Replay {
            subject: top.subject()?,
            arithmetic: top.key("arithmetic")?.arithmetic()?,
            settings: top.settings()?,
            expected: Some(finding.expected(top.differing_bytes(schedule.as_ref()))?),
            schedule,
        })
    }
}

fn syntax(error: &serde_json::Error) -> ReadError {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    ReadError::Syntax { line: error.line(), column: error.column(), message: plain(message) }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key that is there and not null.
    fn optional(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Node { value, path: self.path_of(key) })
    }

    fn key(&self, key: &str) -> Result<Self, ReadError> {
        if !self.value.is_object() {
            return Err(self.wrong_type("an object"));
        }
        self.optional(key).ok_or_else(|| ReadError::Missing { path: self.path_of(key) })
    }

    fn wrong_type(&self, expected: &'static str) -> ReadError {
        let path = if self.path.is_empty() { "the report".to_owned() } else { self.path.clone() };
        ReadError::Type { path, found: type_name(self.value), expected }
    }

    fn wrong(&self, problem: &str) -> ReadError {
        let value = self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned);
        ReadError::Value { path: self.path.clone(), value: plain(&value), problem: problem.to_owned() }
    }

    fn text(&self) -> Result<&'a str, ReadError> {
        self.value.as_str().ok_or_else(|| self.wrong_type("a string"))
    }

    fn object(&self) -> Result<&'a Map<String, Value>, ReadError> {
        self.value.as_object().ok_or_else(|| self.wrong_type("an object"))
    }

    fn truth(&self) -> Result<bool, ReadError> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    fn number(&self) -> Result<u64, ReadError> {
        self.value.as_u64().ok_or_else(|| self.wrong_type("a whole number of at most 64 bits"))
    }

    fn small_number(&self) -> Result<u32, ReadError> {
        u32::try_from(self.number()?).map_err(|_| self.wrong("must be below 4,294,967,296"))
    }

    fn findings(&self) -> Result<Vec<(Value, String)>, ReadError> {
        if let Some(single) = self.optional("finding") {
            return Ok(vec![(single.value.clone(), single.path)]);
        }
        let list = self.key("findings")?;
        let entries = list.value.as_array().ok_or_else(|| list.wrong_type("an array"))?;
        let entries = entries.iter().enumerate();
        Ok(entries.map(|(index, finding)| (finding.clone(), format!("findings[{index}]"))).collect())
    }

    fn subject(&self) -> Result<Subject, ReadError> {
        let kernel = self.key("kernel")?.text()?.to_owned();
        let seed = self.key("data_seed")?.number()?;
        if let Some(launch) = self.optional("launch") {
            let entry = self.key("entry")?.text()?.to_owned();
            return Ok(Subject::File { module: kernel, entry, launch: launch.text()?.to_owned(), seed });
        }
        let variant = self.key("variant")?.text()?.to_owned();
        let shape = self.key("shape")?.shape()?;
        let language = match self.optional("language") {
            Some(language) => language.language()?,
            None => Language::default(),
        };
        Ok(Subject::Catalogue { kernel, variant, shape, seed, language })
    }

    fn shape(&self) -> Result<Vec<(String, String)>, ReadError> {
        let pair = |(key, value): (&String, &Value)| {
            let node = Node { value, path: self.path_of(&plain(key)) };
            match value {
                Value::String(text) => Ok((key.clone(), text.clone())),
                Value::Number(number) => Ok((key.clone(), number.to_string())),
                _ => Err(node.wrong_type("a number or a string")),
            }
        };
        self.object()?.iter().map(pair).collect()
    }

    fn settings(&self) -> Result<Settings, ReadError> {
        let slots = self.key("slots")?;
        let settings = Settings {
            slots: slots.small_number()?,
            seed: self.key("seed")?.number()?,
            subgroup_size: self.key("subgroup_size")?.small_number()?,
            warp_lockstep: self.key("warp_lockstep")?.truth()?,
            progress: match self.optional("progress") {
                Some(progress) => progress.progress()?,
                None => Progress::default(),
            },
            // Which detectors watch a replay is its caller's choice.
            detectors: Detectors::ALL,
        };
        if settings.slots == 0 {
            return Err(slots.wrong("at least one slot is needed"));
        }
        Ok(settings)
    }

    fn progress(&self) -> Result<Progress, ReadError> {
        let text = self.text()?;
        let known = Progress::ALL.into_iter().find(|model| model.name() == text);
        known.ok_or_else(|| self.wrong("expected fair, obe, lobe, hsa or hsa+obe"))
    }

    fn language(&self) -> Result<Language, ReadError> {
        self.text()?.parse().map_err(|_| self.wrong("expected wgsl or cuda"))
    }

    fn arithmetic(&self) -> Result<Arithmetic, ReadError> {
        let text = self.text()?;
        let (rounding, denormals) = match text.strip_suffix(",flush") {
            Some(rounding) => (rounding, Denormals::Flush),
            None => (text, Denormals::Keep),
        };
        let multiply_add = match rounding {
            "fused" => MultiplyAdd::Fused,
            "separate" => MultiplyAdd::Separate,
            _ => return Err(self.wrong("expected fused or separate, and `,flush` for flushed denormals")),
        };
        Ok(Arithmetic { multiply_add, denormals })
    }

    fn schedule(&self) -> Result<Schedule, ReadError> {
        let parsed: Result<Schedule, _> = self.text()?.parse();
        parsed.map_err(|error| self.wrong(&format!("character {}: {}", error.position, error.problem)))
    }

    fn expected(&self, differing_bytes: Option<u64>) -> Result<ExpectedFinding, ReadError> {
        let first = self.key("first")?;
        let rule = self.key("rule")?;
        let known = Rule::ALL.into_iter().find(|known| rule.value.as_str() == Some(known.code()));
        Ok(ExpectedFinding {
            rule: known.ok_or_else(|| rule.wrong("no rule has this code"))?,
            buffer: first.key("buffer")?.text()?.to_owned(),
            first: first.key("span")?.place()?,
            second: self.optional("second").map(|second| second.key("span")?.place()).transpose()?,
            differing_bytes,
        })
    }

    fn place(&self) -> Result<Place, ReadError> {
        Ok(Place {
            file: self.key("file")?.text()?.to_owned(),
            line: self.key("line")?.small_number()?,
            column: self.key("column")?.small_number()?,
        })
    }

    /// How many bytes differed when the ladder ran this very schedule. Anything odd in the ladder is ignored: it
    /// only makes the replay's comparison weaker.
    fn differing_bytes(&self, schedule: Option<&Schedule>) -> Option<u64> {
        let schedule = schedule?.to_string();
        let ran = |rung: &&Value| rung.get("schedule").and_then(Value::as_str) == Some(schedule.as_str());
        self.value.get("ladder")?.as_array()?.iter().find(ran)?.get("differing_bytes")?.as_u64()
    }
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
