//! A loom model to run, as JSON between two processes of this program. Not a public format: both ends are the same binary.

use std::collections::BTreeMap;
use std::time::Duration;

use gridproof_launch::{
    Argument, Arithmetic, Buffer, BufferId, ByteRange, Change, Constant, Contents, Denormals, Dispatch, Edit, Fill,
    Launch, LaunchError, MayRace, Module, ModuleId, MultiplyAdd, Source, Target, Value,
};
use gridproof_simulator::explore::loom::{LoomOptions, Units};
use gridproof_simulator::{Budget, Config};
use serde::{Deserialize, Serialize};

/// What a child is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    modules: Vec<ModuleText>,
    buffers: Vec<BufferText>,
    dispatches: Vec<DispatchText>,
    config: ConfigText,
    options: OptionsText,
}

#[derive(Debug, Serialize, Deserialize)]
struct ModuleText {
    name: String,
    source: SourceText,
    files: Vec<(String, String)>,
    /// Sites, and whether the kernel stops there instead of going on without.
    edits: Vec<(String, bool)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum SourceText {
    Wgsl(String),
    SpirV(Vec<u32>),
    Glsl(String),
    Ptx(String),
    Cuda(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct BufferText {
    name: String,
    dtype: String,
    shape: Vec<u64>,
    length: u64,
    /// The byte that untouched ones have; `None` where they have no value.
    fill: Option<u8>,
    /// Whether `patches` is the whole contents.
    dense: bool,
    /// Bytes in hexadecimal, by offset.
    patches: BTreeMap<u64, String>,
    may_race: Vec<(u64, u64, String)>,
    output: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct DispatchText {
    module: usize,
    entry: String,
    grid: [u32; 3],
    workgroup: Option<[u32; 3]>,
    dynamic_workgroup_bytes: u32,
    arguments: Vec<(TargetText, ValueText)>,
    constants: BTreeMap<String, ConstantText>,
}

#[derive(Debug, Serialize, Deserialize)]
enum TargetText {
    Name(String),
    Slot(u32, u32),
    Parameter(u32),
}

#[derive(Debug, Serialize, Deserialize)]
enum ValueText {
    Buffer(usize, u64, u64),
    Scalar(Vec<u8>),
}

#[derive(Debug, Serialize, Deserialize)]
enum ConstantText {
    Bool(bool),
    Int(i64),
    /// Its bits.
    Float(u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct ConfigText {
    subgroup_size: u32,
    fused: bool,
    flush: bool,
    warp_lockstep: bool,
    instructions: u64,
    memory: u64,
    milliseconds: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct OptionsText {
    /// The workgroup whose subgroups are units; `None` where workgroups are.
    workgroup: Option<u32>,
    dispatch: Option<usize>,
    slots: u32,
    preemption_bound: Option<u32>,
    max_iterations: u64,
    milliseconds: u64,
    max_branches: usize,
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Job {
    /// Everything a child needs to know.
    pub fn new(launch: &Launch, config: &Config, options: &LoomOptions) -> Self {
        let arithmetic = config.arithmetic;
        Self {
            modules: launch.modules.iter().map(ModuleText::new).collect(),
            buffers: launch.buffers.iter().map(BufferText::new).collect(),
            dispatches: launch.dispatches.iter().map(DispatchText::new).collect(),
            config: ConfigText {
                subgroup_size: config.subgroup_size,
                fused: arithmetic.multiply_add == MultiplyAdd::Fused,
                flush: arithmetic.denormals == Denormals::Flush,
                warp_lockstep: config.warp_lockstep,
                instructions: config.budget.instructions,
                memory: config.budget.memory,
                milliseconds: milliseconds(config.budget.time),
            },
            options: OptionsText {
                workgroup: match options.units {
                    Units::Workgroups => None,
                    Units::Subgroups { workgroup } => Some(workgroup),
                },
                dispatch: options.dispatch,
                slots: options.slots,
                preemption_bound: options.preemption_bound,
                max_iterations: options.max_iterations,
                milliseconds: milliseconds(options.max_duration),
                max_branches: options.max_branches,
            },
        }
    }

    /// The launch, as far as it can be read: the simulator validates it.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn launch(&self) -> Result<Launch, String> {
        Ok(Launch {
            modules: self.modules.iter().map(ModuleText::module).collect::<Result<_, _>>()?,
            buffers: self.buffers.iter().map(BufferText::buffer).collect::<Result<_, _>>()?,
            dispatches: self.dispatches.iter().map(DispatchText::dispatch).collect(),
        })
    }

    /// How to simulate, on one thread.
    pub fn config(&self) -> Config {
        let text = &self.config;
        let multiply_add = if text.fused { MultiplyAdd::Fused } else { MultiplyAdd::Separate };
        let denormals = if text.flush { Denormals::Flush } else { Denormals::Keep };
        Config {
            subgroup_size: text.subgroup_size,
            arithmetic: Arithmetic { multiply_add, denormals },
            warp_lockstep: text.warp_lockstep,
            budget: Budget {
                instructions: text.instructions,
                memory: text.memory,
                time: Duration::from_millis(text.milliseconds),
            },
            threads: 1,
            ..Config::default()
        }
    }

    /// What to explore.
    pub fn options(&self) -> LoomOptions {
        let text = &self.options;
        LoomOptions {
            units: text.workgroup.map_or(Units::Workgroups, |workgroup| Units::Subgroups { workgroup }),
            dispatch: text.dispatch,
            slots: text.slots,
            preemption_bound: text.preemption_bound,
            max_iterations: text.max_iterations,
            max_duration: Duration::from_millis(text.milliseconds),
            max_branches: text.max_branches,
        }
    }
}

impl ModuleText {
    fn new(module: &Module) -> Self {
        let source = match &module.source {
            Source::Wgsl(text) => SourceText::Wgsl(text.to_string()),
            Source::SpirV(words) => SourceText::SpirV(words.to_vec()),
            Source::Glsl(text) => SourceText::Glsl(text.to_string()),
            Source::Ptx(text) => SourceText::Ptx(text.to_string()),
            Source::Cuda(text) => SourceText::Cuda(text.to_string()),
        };
        let files = module.files.iter().map(|(name, text)| (name.clone(), text.to_string())).collect();
        let edits = module.edits.iter().map(|edit| (edit.site.to_string(), edit.change == Change::Trap)).collect();
        Self { name: module.name.clone(), source, files, edits }
    }

    fn module(&self) -> Result<Module, String> {
        let source = match &self.source {
            SourceText::Wgsl(text) => Source::Wgsl(text.as_str().into()),
            SourceText::SpirV(words) => Source::SpirV(words.as_slice().into()),
            SourceText::Glsl(text) => Source::Glsl(text.as_str().into()),
            SourceText::Ptx(text) => Source::Ptx(text.as_str().into()),
            SourceText::Cuda(text) => Source::Cuda(text.as_str().into()),
        };
        let module = Module::new(self.name.clone(), source);
        let edit = |(site, traps): &(String, bool)| {
            let site = site.parse().map_err(|error: LaunchError| error.to_string())?;
            Ok(Edit { site, change: if *traps { Change::Trap } else { Change::Remove } })
        };
        let edits = self.edits.iter().map(edit).collect::<Result<_, String>>()?;
        let files = self.files.iter();
        let module = files.fold(module, |module, (name, text)| module.with_file(name.clone(), text.as_str()));
        Ok(Module { edits, ..module })
    }
}

impl BufferText {
    fn new(buffer: &Buffer) -> Self {
        let (fill, dense, patches) = match &buffer.contents {
            Contents::Dense(bytes) => (Some(0), true, BTreeMap::from([(0, hex(bytes))])),
            Contents::Virtual { fill, patches } => {
                let fill = if let Fill::Byte(byte) = fill { Some(*byte) } else { None };
                (fill, false, patches.iter().map(|(&offset, bytes)| (offset, hex(bytes))).collect())
            }
        };
        let declared = |may: &MayRace| (may.range.start, may.range.end, may.reason.clone());
        Self {
            name: buffer.name.clone(),
            dtype: buffer.dtype.to_string(),
            shape: buffer.shape.clone(),
            length: buffer.length,
            fill,
            dense,
            patches,
            may_race: buffer.may_race.iter().map(declared).collect(),
            output: buffer.output,
        }
    }

    fn buffer(&self) -> Result<Buffer, String> {
        let wrong = |what: &str| format!("buffer `{}`: {what}", self.name);
        let mut patches = BTreeMap::new();
        for (&offset, text) in &self.patches {
            patches.insert(offset, bytes(text).ok_or_else(|| wrong("contents that are not hexadecimal"))?);
        }
        let contents = if self.dense {
            Contents::Dense(patches.remove(&0).unwrap_or_default().into())
        } else {
            let patches = patches.into_iter().map(|(offset, bytes)| (offset, bytes.into())).collect();
            Contents::Virtual { fill: self.fill.map_or(Fill::Uninitialised, Fill::Byte), patches }
        };
        let declared = |(start, end, reason): &(u64, u64, String)| MayRace {
            range: ByteRange::new(*start, *end),
            reason: reason.clone(),
        };
        Ok(Buffer {
            name: self.name.clone(),
            dtype: self.dtype.parse().map_err(|error| wrong(&format!("{error}")))?,
            shape: self.shape.clone(),
            length: self.length,
            contents,
            may_race: self.may_race.iter().map(declared).collect(),
            output: self.output,
        })
    }
}

impl DispatchText {
    fn new(dispatch: &Dispatch) -> Self {
        let argument = |argument: &Argument| {
            let target = match &argument.target {
                Target::Name(name) => TargetText::Name(name.clone()),
                Target::Slot { group, binding } => TargetText::Slot(*group, *binding),
                Target::Parameter(position) => TargetText::Parameter(*position),
            };
            let value = match &argument.value {
                Value::Buffer { buffer, range } => ValueText::Buffer(buffer.0, range.start, range.end),
                Value::Scalar(bytes) => ValueText::Scalar(bytes.clone()),
            };
            (target, value)
        };
        let constant = |constant: &Constant| match *constant {
            Constant::Bool(value) => ConstantText::Bool(value),
            Constant::Int(value) => ConstantText::Int(value),
            Constant::Float(value) => ConstantText::Float(value.to_bits()),
        };
        Self {
            module: dispatch.module.0,
            entry: dispatch.entry.clone(),
            grid: dispatch.grid,
            workgroup: dispatch.workgroup,
            dynamic_workgroup_bytes: dispatch.dynamic_workgroup_bytes,
            arguments: dispatch.arguments.iter().map(argument).collect(),
            constants: dispatch.constants.iter().map(|(name, value)| (name.clone(), constant(value))).collect(),
        }
    }

    fn dispatch(&self) -> Dispatch {
        let argument = |(target, value): &(TargetText, ValueText)| Argument {
            target: match target {
                TargetText::Name(name) => Target::Name(name.clone()),
                TargetText::Slot(group, binding) => Target::Slot { group: *group, binding: *binding },
                TargetText::Parameter(position) => Target::Parameter(*position),
            },
            value: match value {
                ValueText::Buffer(buffer, start, end) => {
                    Value::Buffer { buffer: BufferId(*buffer), range: ByteRange::new(*start, *end) }
                }
                ValueText::Scalar(bytes) => Value::Scalar(bytes.clone()),
            },
        };
        let constant = |constant: &ConstantText| match *constant {
            ConstantText::Bool(value) => Constant::Bool(value),
            ConstantText::Int(value) => Constant::Int(value),
            ConstantText::Float(bits) => Constant::Float(f64::from_bits(bits)),
        };
        let mut dispatch = Dispatch::new(ModuleId(self.module), self.entry.clone(), self.grid);
        dispatch.workgroup = self.workgroup;
        dispatch.dynamic_workgroup_bytes = self.dynamic_workgroup_bytes;
        dispatch.arguments = self.arguments.iter().map(argument).collect();
        dispatch.constants = self.constants.iter().map(|(name, value)| (name.clone(), constant(value))).collect();
        dispatch
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let all = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    if rest.is_empty() { all } else { None }
}

#[cfg(test)]
mod tests {
    use gridproof_launch::{DType, Site};

    use super::*;

    #[test]
    fn a_launch_survives_the_way_to_the_child() {
        let mut launch = Launch::default();
        let mut edited = Module::new("k", Source::Ptx("text".into())).with_file("k.cu", "lines");
        let site: Site = "barrier@k.cu:3:1".parse().unwrap();
        edited.edits = [Change::Remove, Change::Trap].map(|change| Edit { site: site.clone(), change }).to_vec();
        let module = launch.add_module(edited);
        launch.add_module(Module::new("s", Source::SpirV([1, 2].as_slice().into())));
        let mut buffer = Buffer::filled("a", DType::F16, [8_u64], Fill::Uninitialised).unwrap();
        buffer.may_race = vec![MayRace { range: ByteRange::new(0, 2), reason: "null".to_owned() }];
        let Contents::Virtual { patches, .. } = &mut buffer.contents else { unreachable!() };
        patches.insert(4, [0, 255, 16].as_slice().into());
        let id = launch.add_buffer(buffer.as_output());
        let mut dense = Buffer::filled("b", DType::U8, [3_u64], Fill::Byte(0)).unwrap();
        dense.contents = Contents::Dense([1, 2, 3].as_slice().into());
        launch.add_buffer(dense);
        let mut dispatch = Dispatch::new(module, "k", [2, 1, 1]);
        dispatch.workgroup = Some([32, 1, 1]);
        dispatch.arguments.push(Argument::buffer("a", id, &launch.buffers[0]));
        let target = Target::Slot { group: 0, binding: 1 };
        dispatch.arguments.push(Argument { target, value: Value::Scalar(vec![1, 0]) });
        let constants = [("N", Constant::Int(3)), ("F", Constant::Float(0.1)), ("B", Constant::Bool(true))];
        dispatch.constants = constants.map(|(name, value)| (name.to_owned(), value)).into();
        launch.dispatches.push(dispatch);
        let config = Config { threads: 1, subgroup_size: 8, ..Config::default() };
        let units = Units::Subgroups { workgroup: 3 };
        let options = LoomOptions { units, preemption_bound: Some(2), ..LoomOptions::default() };
        let text = serde_json::to_string(&Job::new(&launch, &config, &options)).unwrap();
        let job: Job = serde_json::from_str(&text).unwrap();
        assert_eq!((job.launch(), job.config(), job.options()), (Ok(launch), config, options));
    }

    #[test]
    fn bytes_that_are_not_hexadecimal_are_refused() {
        assert_eq!(bytes("00fF10"), Some(vec![0, 255, 16]));
        assert_eq!((bytes("0"), bytes("0x")), (None, None));
    }
}
