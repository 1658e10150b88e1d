//! One case: a kernel and the launch in its `//#` lines, which together are a small TOML file.
//!
//! ```toml
//! grid = [2, 1, 1]                 # 1, 1, 1 when left out
//! entries = ["main"]               # one dispatch each
//! subgroups = [4, 8, 32, 64, 128]  # sizes with the same rules; the listing is made with the first
//! [buffers.out]
//! length = 64                      # 32-bit words, or elements of `dtype`
//! init = "zeros"                   # zeros | iota | uninit | [1, 2, 3]
//! output = true
//! bind = { out = [0, 128] }        # binding name to bytes; the whole buffer under its own name when left out
//! may_race = { range = [0, 4], reason = "null slot" }
//! [constants]
//! N = 4
//! [budget]
//! instructions = 1000
//! ```
//!
//! `//~ GP0001` at a line's end says that a finding of that rule points to this line.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gridproof_launch::{
    Argument, Buffer, BufferId, ByteRange, Constant, Contents, DType, Dispatch, Fill, Launch, MayRace, Module, Source,
    Target, Value,
};
use gridproof_simulator::{Budget, Config};
use serde::Deserialize;

/// See the file's head.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(default = "one")]
    grid: [u32; 3],
    #[serde(default = "main_only")]
    entries: Vec<String>,
    #[serde(default = "every_size")]
    subgroups: Vec<u32>,
    #[serde(default)]
    buffers: BTreeMap<String, BufferText>,
    #[serde(default)]
    constants: BTreeMap<String, i64>,
    #[serde(default)]
    budget: BudgetText,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BufferText {
    length: u64,
    #[serde(default = "zeros")]
    init: Init,
    #[serde(default = "words")]
    dtype: String,
    #[serde(default)]
    output: bool,
    bind: Option<BTreeMap<String, [u64; 2]>>,
    may_race: Option<MayRaceText>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Init {
    Named(String),
    Words(Vec<u32>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MayRaceText {
    range: [u64; 2],
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetText {
    instructions: Option<u64>,
    memory: Option<u64>,
    milliseconds: Option<u64>,
}

fn one() -> [u32; 3] {
    [1; 3]
}

fn main_only() -> Vec<String> {
    vec!["main".to_owned()]
}

fn every_size() -> Vec<u32> {
    vec![32, 4, 8, 64, 128]
}

fn zeros() -> Init {
    Init::Named("zeros".to_owned())
}

fn words() -> String {
    "u32".to_owned()
}

/// A rule that must point to a line (counted from 1).
pub type Annotation = (u32, String);

/// A case, ready to run.
#[derive(Debug)]
pub struct Case {
    pub launch: Launch,
    pub config: Config,
    /// Subgroup sizes that must give the same rules.
    pub subgroups: Vec<u32>,
    pub annotations: Vec<Annotation>,
}

impl Case {
    /// Reads a case file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let header: String = text.lines().filter_map(|line| line.strip_prefix("//#")).flat_map(|l| [l, "\n"]).collect();
        let header: Header = toml::from_str(&header).map_err(|error| error.to_string())?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let annotations = annotations(&text);
        let subgroups = header.subgroups.clone();
        let config = header.config();
        Ok(Self { launch: header.launch(name, &text)?, config, subgroups, annotations })
    }
}

fn annotations(text: &str) -> Vec<Annotation> {
    let marked = (1..).zip(text.lines()).filter_map(|(number, line)| Some((number, line.split_once("//~")?.1)));
    marked.flat_map(|(number, rules)| rules.split_whitespace().map(move |rule| (number, rule.to_owned()))).collect()
}

impl Header {
    fn config(&self) -> Config {
        let usual = Budget::default();
        let budget = Budget {
            instructions: self.budget.instructions.unwrap_or(usual.instructions),
            memory: self.budget.memory.unwrap_or(usual.memory),
            time: self.budget.milliseconds.map_or(usual.time, Duration::from_millis),
        };
        let subgroup_size = self.subgroups.first().copied().unwrap_or(32);
        Config { budget, subgroup_size, threads: 1, ..Config::default() }
    }

    fn launch(self, name: String, text: &str) -> Result<Launch, String> {
        let mut launch = Launch::default();
        let module = launch.add_module(Module::new(name, Source::Wgsl(text.into())));
        let mut arguments = Vec::new();
        for (name, buffer) in &self.buffers {
            let id = launch.add_buffer(buffer.buffer(name)?);
            arguments.extend(buffer.arguments(name, id, launch.buffers[id.0].range()));
        }
        for entry in self.entries {
            let mut dispatch = Dispatch::new(module, entry, self.grid);
            dispatch.arguments.clone_from(&arguments);
            dispatch.constants = self.constants.iter().map(|(name, &v)| (name.clone(), Constant::Int(v))).collect();
            launch.dispatches.push(dispatch);
        }
        Ok(launch)
    }
}

impl BufferText {
    fn buffer(&self, name: &str) -> Result<Buffer, String> {
        let dtype: DType = self.dtype.parse().map_err(|error| format!("{error}"))?;
        let fill = if matches!(&self.init, Init::Named(init) if init == "uninit") {
            Fill::Uninitialised
        } else {
            Fill::Byte(0)
        };
        let mut buffer = Buffer::filled(name, dtype, [self.length], fill).map_err(|error| error.to_string())?;
        if let Some(words) = self.words()? {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes.resize(usize::try_from(buffer.length).map_err(|error| error.to_string())?, 0);
            buffer.contents = Contents::Dense(bytes.into());
        }
        buffer.output = self.output;
        let declared = self.may_race.iter();
        buffer.may_race = declared
            .map(|may| MayRace { range: ByteRange::new(may.range[0], may.range[1]), reason: may.reason.clone() })
            .collect();
        Ok(buffer)
    }

    fn words(&self) -> Result<Option<Vec<u32>>, String> {
        match &self.init {
            Init::Words(words) => Ok(Some(words.clone())),
            Init::Named(name) if name == "zeros" || name == "uninit" => Ok(None),
            Init::Named(name) if name == "iota" => Ok(Some((0..).take(self.length.try_into().unwrap_or(0)).collect())),
            Init::Named(name) => Err(format!("init `{name}`: expected zeros, iota, uninit or words")),
        }
    }

    fn arguments(&self, name: &str, id: BufferId, whole: ByteRange) -> Vec<Argument> {
        let whole = BTreeMap::from([(name.to_owned(), [whole.start, whole.end])]);
        let bind = self.bind.as_ref().unwrap_or(&whole).iter();
        bind.map(|(name, &[start, end])| Argument {
            target: Target::Name(name.clone()),
            value: Value::Buffer { buffer: id, range: ByteRange::new(start, end) },
        })
        .collect()
    }
}
