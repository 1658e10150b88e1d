//! The command line as it was typed: the raw stage. What values mean together is decided in `resolve`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use gridproof_conformance::check::EngineChoice;
use gridproof_conformance::matrix::PartitionChoice;
use gridproof_launch::{Arithmetic, Language};
use gridproof_simulator::Detectors;
use gridproof_simulator::explore::Progress;

use crate::exit;
use crate::output::OutputFile;
use crate::values;

const ABOUT: &str = "Proves a GPU kernel launch race-free, or hands over the schedule that breaks it";
const LONG_ABOUT: &str = "\
Proves a GPU kernel launch race-free, or hands over the schedule that breaks it.

Runs real kernels (WGSL, SPIR-V, GLSL, PTX, CUDA C++) on a CPU model of a GPU, with detectors for data races, barrier divergence, \
out-of-bounds and misaligned accesses, wrapped offsets and uninitialised reads. Without a command it checks every \
kernel and variant of its catalogue and prints the verdict table.

Results go to standard output, progress and errors to standard error.";

/// `gridproof`.
#[derive(Debug, Parser)]
#[command(name = "gridproof", version, about = ABOUT, long_about = LONG_ABOUT, after_help = exit::HELP)]
#[command(disable_help_subcommand = true)]
pub struct Flags {
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonFlags,
    /// What to do; the main job where none is given.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct CommonFlags {
    /// Form of the result on standard output
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Write the result to a file as well; may be given several times
    #[arg(long, global = true, value_name = "FORMAT=PATH", value_parser = OutputFile::parse)]
    pub output: Vec<OutputFile>,
    /// Colours in the human form
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    /// Say only the verdict and one line per finding; no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Cut no list short
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// A form of result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for a person
    Human,
    /// JSON, version 1
    Json,
    /// JUnit XML
    Junit,
    /// SARIF 2.1.0
    Sarif,
    /// A page for a browser; as FILE.html one finding, in a folder one page each
    Html,
    /// The run of a finding, for chrome://tracing and ui.perfetto.dev
    Trace,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check one launch: a kernel of the catalogue, or your own
    Check(Box<CheckFlags>),
    /// Explore the schedules of one launch: all of them, or a sample
    Explore(Box<ExploreFlags>),
    /// Run the schedule of a finding again, bit for bit
    Replay(ReplayFlags),
    /// Leave out each barrier and each guard in turn: which are needed, by which race, and which are redundant
    Mutate(Box<MutateFlags>),
    /// Run a launch many times on a CUDA device, its timing disturbed where a race is predicted
    Stress(Box<StressFlags>),
    /// Compare the CPU model, the simulator, and this machine's adapters and CUDA devices on every case
    Conform(ConformFlags),
    /// Try launches, kernels, schedules and texts that nobody thought of, for as long as wanted
    Fuzz {
        /// What to do
        #[command(subcommand)]
        command: FuzzCommand,
    },
    /// Time launches on a CUDA device, beside the time that their bytes take to cross its memory bus
    Bench(BenchFlags),
    /// Show the kernels of the catalogue, their variants and shape keys
    List,
    /// Explain a rule
    Explain(ExplainFlags),
    /// Measure what the arithmetic of this machine's adapters and CUDA devices does
    Probe,
    /// Print a completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Try inputs for a parent process
    #[command(name = gridproof_fuzz::campaign::ARGUMENT, hide = true)]
    FuzzClient {
        /// The folder of the campaign
        folder: PathBuf,
        /// The client's number
        client: u32,
        /// The client's seed
        seed: u64,
    },
    /// Run a loom model that a parent process hands over, and answer it
    #[command(name = gridproof_conformance::explore::child::ARGUMENT, hide = true)]
    LoomModel,
    /// Run a launch many times on a device for a parent process
    #[command(name = gridproof_conformance::stress::ARGUMENT, hide = true)]
    CudaStress {
        /// The device's number.
        ordinal: u32,
    },
    /// Run cells of a CUDA leg that a parent process hands over
    #[command(name = gridproof_conformance::matrix::cuda::ARGUMENT, hide = true)]
    CudaCells {
        /// The device's number
        ordinal: u32,
    },
}

/// `gridproof check`.
#[derive(Args, Debug)]
pub struct CheckFlags {
    /// KERNEL or KERNEL:VARIANT of the catalogue, or a FILE (.wgsl, .spv, .comp, .glsl, .ptx, .cu)
    #[arg(value_name = "KERNEL[:VARIANT] | FILE")]
    pub target: String,
    /// The launch of a FILE: grid, buffers, constants
    #[arg(long, value_name = "FILE.toml")]
    pub launch: Option<PathBuf>,
    /// Shape of a KERNEL, as n=8704,k=5120; `gridproof list` shows the keys
    #[arg(long, value_name = "KEY=VALUE,...")]
    pub shape: Option<String>,
    /// Which source of a KERNEL: wgsl or cuda (compiled to PTX, for which NVRTC must be there)
    #[arg(long, value_name = "LANGUAGE", value_parser = values::language)]
    pub language: Option<Language>,
    /// Seed of the input data; for a FILE, of random contents without a seed of their own
    #[arg(long, value_name = "SEED", value_parser = values::whole_number)]
    pub data_seed: Option<u64>,
    /// How it is simulated.
    #[command(flatten)]
    pub simulation: SimulationFlags,
    /// What is accepted.
    #[command(flatten)]
    pub gate: GateFlags,
}

/// Which findings are accepted.
#[derive(Args, Debug)]
#[command(next_help_heading = "Gate")]
pub struct GateFlags {
    /// Accepted findings, each with a reason: they are shown and do not fail, all others do
    #[arg(long, value_name = "FILE.toml")]
    pub baseline: Option<PathBuf>,
    /// Fail where a finding of the baseline is not there any more, instead of warning
    #[arg(long, requires = "baseline")]
    pub baseline_strict: bool,
    /// Add the findings that are not in FILE.toml to it, for their reasons to be filled in; comments stay
    #[arg(long, value_name = "FILE.toml", conflicts_with = "baseline")]
    pub write_baseline: Option<PathBuf>,
}

impl GateFlags {
    /// Whether any of them was given.
    pub const fn is_asked(&self) -> bool {
        self.baseline.is_some() || self.baseline_strict || self.write_baseline.is_some()
    }
}

/// `gridproof explore`.
#[derive(Args, Debug)]
pub struct ExploreFlags {
    /// What to explore.
    #[command(flatten)]
    pub check: CheckFlags,
    /// How it is explored.
    #[command(flatten)]
    pub exploration: ExplorationFlags,
}

/// How schedules are explored.
#[derive(Args, Debug)]
#[command(next_help_heading = "Exploration")]
pub struct ExplorationFlags {
    /// exhaustive: every schedule, up to orders that cannot matter; loom: the same by an independent engine, for up to 4
    /// workgroups or subgroups; both: the two must agree; random: schedules drawn by priority, with --seed
    #[arg(long, value_name = "ENGINE", value_parser = values::engine)]
    pub engine: Option<EngineChoice>,
    /// Which workgroups are promised to advance: fair, obe, lobe, hsa or hsa+obe; obe, lobe and hsa+obe use --slots
    #[arg(long, value_name = "MODEL", value_parser = values::progress)]
    pub progress: Option<Progress>,
    /// Executions at most
    #[arg(long, value_name = "N", value_parser = values::whole_number)]
    pub executions: Option<u64>,
    /// With random: how many turns that must come in a certain order a bug may need
    #[arg(long, value_name = "D", value_parser = values::depth)]
    pub depth: Option<u32>,
    /// With loom: leave out executions with more preemptions than this
    #[arg(long, value_name = "P", value_parser = values::preemptions)]
    pub preemptions: Option<u32>,
    /// Run every order of turns, also those that cannot matter: to measure what is saved
    #[arg(long)]
    pub no_reduction: bool,
    /// Tell workgroups apart that the kernel cannot
    #[arg(long)]
    pub no_symmetry: bool,
}

/// How a check simulates.
#[derive(Args, Debug)]
#[command(next_help_heading = "Simulation")]
pub struct SimulationFlags {
    /// Workgroups resident at the same time, for schedules
    #[arg(long, value_name = "R", value_parser = values::slots)]
    pub slots: Option<u32>,
    /// What to run besides the proof: any (no schedule), in-order, lockstep, or a schedule as `gp1;slots=2;0*,1*`;
    /// by default every assumption is tried
    #[arg(long, value_name = "SCHEDULE", overrides_with = "schedule", value_parser = values::schedule)]
    pub schedule: Option<values::ScheduleChoice>,
    /// How many in-order schedules are drawn
    #[arg(long, value_name = "N", value_parser = values::whole_number)]
    pub schedules: Option<u64>,
    /// Seed of the schedules drawn
    #[arg(long, value_parser = values::whole_number)]
    pub seed: Option<u64>,
    /// Do not search for the smallest launch that fails
    #[arg(long)]
    pub no_threshold: bool,
    /// Search for the smallest value of this shape key (or of grid.x, grid.y or grid.z of a file's launch) that fails;
    /// by default the kernel's first key, or the longest axis, only where right outputs lean on a schedule, and as far as a
    /// second or two is enough
    #[arg(long, value_name = "KEY", conflicts_with = "no_threshold")]
    pub threshold: Option<String>,
    /// Run failing schedules of a catalogue kernel to their end, and print how far outputs are from the f64 oracle
    #[arg(long)]
    pub output_errors: bool,
    /// How a multiply-add rounds: fused or separate; `,flush` added flushes denormals
    #[arg(long, value_name = "PROFILE", value_parser = values::arithmetic)]
    pub arithmetic: Option<Arithmetic>,
    /// Invocations per subgroup: a power of two from 4 to 128
    #[arg(long, value_name = "N", value_parser = values::subgroup_size)]
    pub subgroup_size: Option<u32>,
    /// Take the invocations of a subgroup to advance in lock step: NOT SOUND, no device since sm_70 does
    #[arg(long)]
    pub warp_lockstep: bool,
    /// all, none, or names with commas; `-name` leaves one out (race, barrier, bounds, offset, uninitialised, alignment)
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true, value_parser = values::detectors)]
    pub detectors: Option<Detectors>,
    /// Worker threads; 0 for one per core; results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Invocation-instructions of the launch, as 500M or 2G, shared out to its workgroups; none gets less than 16M; by default 2^40
    #[arg(long, value_name = "N", value_parser = values::instructions)]
    pub budget_instructions: Option<u64>,
    /// Memory for buffers and their shadows, as 512MiB or 8GiB, which is the default
    #[arg(long, value_name = "BYTES", value_parser = values::bytes)]
    pub budget_memory: Option<u64>,
    /// Wall-clock time, as 500ms, 90s or 10m; by default 10m, which is also what stops an endless kernel
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub budget_time: Option<std::time::Duration>,
}

/// `gridproof mutate`.
#[derive(Args, Debug)]
pub struct MutateFlags {
    /// KERNEL or KERNEL:VARIANT of the catalogue, or a FILE (.wgsl, .spv, .comp, .glsl, .ptx, .cu); the whole catalogue
    /// where none is given
    #[arg(value_name = "KERNEL[:VARIANT] | FILE")]
    pub target: Option<String>,
    /// A launch of a FILE: grid, buffers, constants; may be given several times
    #[arg(long, value_name = "FILE.toml")]
    pub launch: Vec<PathBuf>,
    /// A shape of a KERNEL; may be given several times; by default those of the main job
    #[arg(long, value_name = "KEY=VALUE,...")]
    pub shape: Vec<String>,
    /// Which source of a KERNEL: wgsl or cuda (compiled to PTX, for which NVRTC must be there)
    #[arg(long, value_name = "LANGUAGE", value_parser = values::language)]
    pub language: Option<Language>,
    /// Seed of the input data; for a FILE, of random contents without a seed of their own
    #[arg(long, value_name = "SEED", value_parser = values::whole_number)]
    pub data_seed: Option<u64>,
    /// Invocations per subgroup: powers of two from 4 to 128 with commas, each tried with every launch; 32 by default
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = values::subgroup_size)]
    pub subgroup_size: Vec<u32>,
    /// Only barriers and guards whose name contains this text, as `barrier` or `kernel.wgsl:12:5`
    #[arg(long, value_name = "TEXT")]
    pub site: Option<String>,
    /// How a multiply-add rounds: fused or separate; `,flush` added flushes denormals
    #[arg(long, value_name = "PROFILE", value_parser = values::arithmetic)]
    pub arithmetic: Option<Arithmetic>,
    /// Memory for buffers and their shadows of each launch, as 512MiB or 8GiB
    #[arg(long, value_name = "BYTES", value_parser = values::bytes)]
    pub budget_memory: Option<u64>,
    /// Wall-clock time of each launch, as 500ms, 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub budget_time: Option<std::time::Duration>,
}

/// `gridproof stress`.
#[derive(Args, Debug)]
pub struct StressFlags {
    /// KERNEL or KERNEL:VARIANT of the catalogue (its CUDA C++), or a FILE (.ptx, .cu)
    #[arg(value_name = "KERNEL[:VARIANT] | FILE")]
    pub target: String,
    /// A launch of a FILE: grid, buffers, constants; may be given several times
    #[arg(long, value_name = "FILE.toml")]
    pub launch: Vec<PathBuf>,
    /// A shape of a KERNEL; may be given several times; by default those of the main job
    #[arg(long, value_name = "KEY=VALUE,...")]
    pub shape: Vec<String>,
    /// The device, as cuda:0
    #[arg(long, value_name = "cuda:N", value_parser = values::cuda_leg, default_value = "cuda:0")]
    pub leg: u32,
    /// Runs of each launch in each way of disturbing it
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub runs: u32,
    /// The longest that a workgroup is held up at a line, in nanoseconds
    #[arg(long, value_name = "NS", default_value_t = 2000)]
    pub delay: u32,
    /// Ask compute-sanitizer's tools as well, once each; `--sanitizer=PROGRAM` names another one
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, require_equals = true, default_missing_value = "compute-sanitizer")]
    pub sanitizer: Option<PathBuf>,
    /// Seed of the input data; for a FILE, of random contents without a seed of their own
    #[arg(long, value_name = "SEED", value_parser = values::whole_number)]
    pub data_seed: Option<u64>,
    /// How a multiply-add rounds: fused or separate
    #[arg(long, value_name = "PROFILE", value_parser = values::arithmetic)]
    pub arithmetic: Option<Arithmetic>,
}

/// `gridproof replay`.
#[derive(Args, Debug)]
pub struct ReplayFlags {
    /// A JSON report of `gridproof check`; - for standard input
    pub file: PathBuf,
    /// Which finding, counted from 1; by default the first with a schedule
    #[arg(long, value_name = "N")]
    pub finding: Option<usize>,
}

/// `gridproof conform`.
#[derive(Args, Debug)]
pub struct ConformFlags {
    /// Only legs whose name contains this text (oracle, sim-wgsl, sim-ptx, wgpu, cuda); may be given several times
    #[arg(long, value_name = "TEXT")]
    pub leg: Vec<String>,
    /// Only cells whose name contains this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Only one of several shares of the cells: slice:1/4, or auto for the one that the variables of GitLab, Buildkite,
    /// CircleCI, a Slurm array or a Kubernetes indexed Job name (auto/4 where they do not say how many there are)
    #[arg(long, value_name = "SHARE", value_parser = values::partition)]
    pub partition: Option<PartitionChoice>,
    /// Write each finished cell to FILE at once, and take over those that are in it: a run that was killed goes on
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Run nothing: put the JSON reports of all shares together
    #[arg(long, value_name = "FILE.json", num_args = 1..)]
    #[arg(conflicts_with_all = ["leg", "filter", "partition", "resume", "require_adapter", "require_nvrtc", "require_cuda"])]
    pub merge: Vec<PathBuf>,
    /// Fail where no adapter can run the cells of wgpu legs, instead of skipping them
    #[arg(long)]
    pub require_adapter: bool,
    /// Fail where no CUDA compiler (NVRTC) can make the PTX for the cells of sim-ptx, instead of skipping them
    #[arg(long)]
    pub require_nvrtc: bool,
    /// Fail where no CUDA device can run the cells of cuda legs, instead of skipping them
    #[arg(long)]
    pub require_cuda: bool,
    /// What is accepted.
    #[command(flatten)]
    pub gate: GateFlags,
}

/// `gridproof bench`.
#[derive(Args, Debug)]
pub struct BenchFlags {
    /// A kernel of the catalogue; all of them where none is given
    #[arg(value_name = "KERNEL[:VARIANT]")]
    pub target: Option<String>,
    /// Sizes, as b=64,h=16,hv=64; may be given several times. Those of production where there are none
    #[arg(long, value_name = "KEY=VALUE,..")]
    pub shape: Vec<String>,
    /// The device
    #[arg(long, value_name = "cuda[:N]", default_value = "cuda:0", value_parser = values::cuda_leg)]
    pub leg: u32,
    /// Only one or two of the usual sizes of each kernel
    #[arg(long, conflicts_with = "shape")]
    pub quick: bool,
    /// Rounding of multiply-adds: fused or separate
    #[arg(long, value_name = "PROFILE", value_parser = values::arithmetic)]
    pub arithmetic: Option<Arithmetic>,
    /// Seed of the data
    #[arg(long, value_name = "SEED", value_parser = values::whole_number)]
    pub data_seed: Option<u64>,
}

/// `gridproof fuzz`.
#[derive(Debug, Subcommand)]
pub enum FuzzCommand {
    /// Begin a campaign
    Run(FuzzRunFlags),
    /// Go on with a campaign, with the settings it began with
    Resume(FuzzResumeFlags),
    /// Make the input of a finding smaller
    Minimize {
        /// The folder of the finding
        folder: PathBuf,
        /// Inputs to try at most
        #[arg(long, value_name = "N", default_value_t = 2000)]
        tries: u32,
    },
    /// Show what a campaign has found
    List {
        /// The folder of the campaign
        #[arg(default_value = FUZZ_FOLDER)]
        folder: PathBuf,
    },
    /// Try the input of a finding again
    Replay {
        /// The folder of the finding
        folder: PathBuf,
    },
}

/// Where a campaign is kept where nobody says otherwise.
const FUZZ_FOLDER: &str = "gridproof-fuzz";

/// How long, and on how many cores.
#[derive(Args, Debug)]
pub struct FuzzTimeFlags {
    /// How long, as 90s, 10m or 8h; until it is stopped (Ctrl-C) where none is given
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub time: Option<std::time::Duration>,
    /// Processes that try inputs; one per core where none is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
}

/// `gridproof fuzz run`.
#[derive(Args, Debug)]
pub struct FuzzRunFlags {
    /// Where inputs and findings are kept; several machines may share it
    #[arg(long, value_name = "FOLDER", default_value = FUZZ_FOLDER)]
    pub folder: PathBuf,
    /// How long, and on how many cores.
    #[command(flatten)]
    pub time: FuzzTimeFlags,
    /// Seed of the first process, the others follow; in a folder that somebody has begun with, others are drawn
    #[arg(long, value_parser = values::whole_number, default_value_t = 1)]
    pub seed: u64,
    /// Draw from this generator: a kernel of the catalogue, kernels, litmus or texts; may be given several times
    #[arg(long, value_name = "GENERATOR")]
    pub only: Vec<String>,
    /// Switch a wrong variant on, take the kernel to be right, and see how long it takes to find out
    #[arg(long, value_name = "KERNEL:VARIANT", conflicts_with = "only")]
    pub switch_on: Option<String>,
    /// An input that takes more processor time is a finding, and so is one that takes ten times that on the clock
    #[arg(long, value_name = "TIME", value_parser = values::time, default_value = "30s")]
    pub limit: std::time::Duration,
    /// Leave out launches in CUDA C++, also where a compiler is there
    #[arg(long)]
    pub no_cuda: bool,
}

/// `gridproof fuzz resume`.
#[derive(Args, Debug)]
pub struct FuzzResumeFlags {
    /// The folder of the campaign
    #[arg(default_value = FUZZ_FOLDER)]
    pub folder: PathBuf,
    /// How long, and on how many cores.
    #[command(flatten)]
    pub time: FuzzTimeFlags,
    /// Seed of the first process; another one than before where none is given
    #[arg(long, value_parser = values::whole_number)]
    pub seed: Option<u64>,
}

/// `gridproof explain`.
#[derive(Args, Debug)]
pub struct ExplainFlags {
    /// Code of the rule, as GP0001; all rules in one line each where none is given
    pub code: Option<String>,
}
