//! One case: a kernel and the launch in its `//#` lines, which together are a small TOML file.
//!
//! ```toml
//! grid = [2, 1, 1]                 # 1, 1, 1 when left out
//! entries = ["main"]               # one dispatch each; ["k"] for PTX
//! subgroups = [4, 8, 32, 64, 128]  # sizes with the same rules; the listing is made with the first; [32] for PTX
//! workgroup = [32, 1, 1]           # PTX only; 1, 1, 1 when left out
//! dynamic_workgroup_bytes = 1024   # PTX only
//! [buffers.out]
//! length = 64                      # 32-bit words, or elements of `dtype`
//! init = "zeros"                   # zeros | iota | uninit | [1, 2, 3]
//! output = true
//! expect = [7, 8]                  # the first 32-bit words after the launch
//! bind = { out = [0, 128] }        # binding name to bytes; the whole buffer under its own name when left out
//! may_race = { range = [0, 4], reason = "null slot" }
//! [constants]
//! N = 4
//! [scalars]                        # PTX parameters by name
//! n = { u32 = 5 }                  # u8 to u64, s8 to s64, f32, f64, or bytes = [1, 2, 3]
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
    entries: Option<Vec<String>>,
    subgroups: Option<Vec<u32>>,
    workgroup: Option<[u32; 3]>,
    #[serde(default)]
    dynamic_workgroup_bytes: u32,
    #[serde(default)]
    buffers: BTreeMap<String, BufferText>,
    #[serde(default)]
    constants: BTreeMap<String, i64>,
    #[serde(default)]
    scalars: BTreeMap<String, Scalar>,
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
    expect: Option<Vec<u32>>,
    bind: Option<BTreeMap<String, [u64; 2]>>,
    may_race: Option<MayRaceText>,
}

/// The value of a PTX parameter that is not a buffer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scalar {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    S8(i8),
    S16(i16),
    S32(i32),
    S64(i64),
    F32(f32),
    F64(f64),
    Bytes(Vec<u8>),
}

impl Scalar {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::U8(value) => value.to_le_bytes().into(),
            Self::U16(value) => value.to_le_bytes().into(),
            Self::U32(value) => value.to_le_bytes().into(),
            Self::U64(value) => value.to_le_bytes().into(),
            Self::S8(value) => value.to_le_bytes().into(),
            Self::S16(value) => value.to_le_bytes().into(),
            Self::S32(value) => value.to_le_bytes().into(),
            Self::S64(value) => value.to_le_bytes().into(),
            Self::F32(value) => value.to_le_bytes().into(),
            Self::F64(value) => value.to_le_bytes().into(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
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
    /// What the first words of a buffer must be in the end, by its name.
    pub expected: BTreeMap<String, Vec<u32>>,
}

impl Case {
    /// Reads a case file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let header: String = text.lines().filter_map(|line| line.strip_prefix("//#")).flat_map(|l| [l, "\n"]).collect();
        let header: Header = toml::from_str(&header).map_err(|error| error.to_string())?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let annotations = annotations(&text);
        let is_ptx = path.extension().is_some_and(|end| end == "ptx");
        let usual = if is_ptx { vec![32] } else { vec![32, 4, 8, 64, 128] };
        let subgroups = header.subgroups.clone().unwrap_or(usual);
        let config = header.config(&subgroups);
        let expected = |(name, buffer): (&String, &BufferText)| Some((name.clone(), buffer.expect.clone()?));
        let expected = header.buffers.iter().filter_map(expected).collect();
        Ok(Self { launch: header.launch(name, &text, is_ptx)?, config, subgroups, annotations, expected })
    }
}

fn annotations(text: &str) -> Vec<Annotation> {
    let marked = (1..).zip(text.lines()).filter_map(|(number, line)| Some((number, line.split_once("//~")?.1)));
    marked.flat_map(|(number, rules)| rules.split_whitespace().map(move |rule| (number, rule.to_owned()))).collect()
}

impl Header {
    fn config(&self, subgroups: &[u32]) -> Config {
        let usual = Budget::default();
        let budget = Budget {
            instructions: self.budget.instructions.unwrap_or(usual.instructions),
            memory: self.budget.memory.unwrap_or(usual.memory),
            time: self.budget.milliseconds.map_or(usual.time, Duration::from_millis),
        };
        let subgroup_size = subgroups.first().copied().unwrap_or(32);
        Config { budget, subgroup_size, threads: 1, ..Config::default() }
    }

    fn launch(self, name: String, text: &str, is_ptx: bool) -> Result<Launch, String> {
        let mut launch = Launch::default();
        let source = if is_ptx { Source::Ptx(text.into()) } else { Source::Wgsl(text.into()) };
        let module = launch.add_module(Module::new(name, source));
        let mut arguments = Vec::new();
        for (name, buffer) in &self.buffers {
            let id = launch.add_buffer(buffer.buffer(name)?);
            arguments.extend(buffer.arguments(name, id, launch.buffers[id.0].range()));
        }
        arguments.extend(self.scalars.iter().map(|(name, scalar)| Argument {
            target: Target::Name(name.clone()),
            value: Value::Scalar(scalar.bytes()),
        }));
        let entries = self.entries.unwrap_or_else(|| vec![if is_ptx { "k" } else { "main" }.to_owned()]);
        for entry in entries {
            let mut dispatch = Dispatch::new(module, entry, self.grid);
            dispatch.workgroup = self.workgroup.or(is_ptx.then(one));
            dispatch.dynamic_workgroup_bytes = self.dynamic_workgroup_bytes;
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
