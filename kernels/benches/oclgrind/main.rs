//! `cargo bench -p gridproof-kernels --bench oclgrind`: Gridproof beside Oclgrind (`--data-races`), one thread
//! each, on the same kernel and the same data, in turn.
//!
//! The OpenCL twin of `fused` stands beside this file. Oclgrind runs the workgroups one after the other, so it
//! must leave the very bytes of our serial schedule; a bench that compares different work fails. A time is that
//! of the whole check with its front end, in CPU seconds where the system counts them (machines are shared),
//! else in wall-clock seconds; instructions are the machine's own: each counts what its own compiler made.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use gridproof_kernels::resadd_norm_gemv_int4::{Options, Reduction, Variant, launch};
use gridproof_launch::Launch;
use gridproof_reference::resadd_norm_gemv_int4::{Path as Kernels, Problem, Shape};
use gridproof_simulator::{Config, Image, Outcome, Policy, prove, run};

const ROWS: u32 = 64;
const ELEMENTS: u32 = 2048;
/// Turns of each.
const TURNS: usize = 3;
/// Proofs in one turn, so that a turn is long enough to be timed.
const PROOFS: u32 = 20;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    if Command::new("oclgrind-kernel").arg("--version").output().is_err() {
        println!("oclgrind not found: apt-get install oclgrind (comparison SKIPPED)");
        return Ok(());
    }
    let shape = Shape::new(ROWS, ELEMENTS)?;
    let problem = Problem::from_seed(shape, 1);
    let launch = launch(&problem, Variant::Fused, Options { reduction: Reduction::Workgroup, ..Options::default() })?;
    let config = Config { threads: 1, ..Config::default() };
    let proof = prove(&launch, &config)?;
    let folder = std::env::temp_dir().join(format!("gridproof-oclgrind-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = write_simulation(&folder, shape, &launch).and_then(|()| compare(&folder, &launch, &config, &proof));
    std::fs::remove_dir_all(&folder)?;
    result
}

fn compare(folder: &Path, launch: &Launch, config: &Config, proof: &Outcome) -> Result<(), Error> {
    let counted = oclgrind(folder, &["--inst-counts"])?;
    let instructions = executed(&counted);
    check_outputs(&counted, launch, &run(launch, config, &Policy::Serial, &proof.hazards)?)?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut raced = false;
    for _ in 0..TURNS {
        let (output, seconds) = timed(|| oclgrind(folder, &["--data-races", "--max-errors", "1"]))?;
        raced |= output.contains("Read-write data race");
        theirs.push(seconds);
        let (_, seconds) =
            timed(|| (0..PROOFS).try_for_each(|_| prove(launch, config).map(drop)).map_err(Error::from))?;
        ours.push(seconds / f64::from(PROOFS));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let row = |name: &str, seconds: f64, instructions: u64, found: bool| {
        let rate = instructions as f64 / seconds;
        let race = if found { "found" } else { "missed" };
        println!("{name:<32} {seconds:>9.4} {instructions:>13} {rate:>12.3e} {race:>7}");
    };
    println!(
        "resadd_norm_gemv_int4:fused, n = {ROWS}, k = {ELEMENTS}, one thread, median of {TURNS} in turn; same outputs"
    );
    println!("{:<32} {:>9} {:>13} {:>12} {:>7}", "", "seconds", "instructions", "per second", "race");
    row("oclgrind-kernel --data-races", theirs, instructions, raced);
    row("gridproof, all detectors", ours, proof.stats.instructions, !proof.findings.is_empty());
    println!("ratio of seconds: {:.1} (goal: at least 50)", theirs / ours);
    Ok(())
}

/// The simulation file and the kernel that it names.
fn write_simulation(folder: &Path, shape: Shape, launch: &Launch) -> Result<(), Error> {
    let groups = Kernels::Fused.groups(shape);
    let reciprocal = shape.reciprocal_k().to_bits();
    let source = include_str!("resadd_norm_gemv_int4.cl");
    let kernel =
        format!("#define K {ELEMENTS}u\n#define GROUPS {groups}u\n#define RECIPROCAL_K {reciprocal}u\n{source}");
    std::fs::write(folder.join("kernel.cl"), kernel)?;

    let local = groups * 32;
    let mut file = format!("kernel.cl\nfused\n{} 1 1\n{local} 1 1\n", ROWS * local);
    for buffer in &launch.buffers {
        let bytes = Image::new(buffer).to_vec();
        let dump = if buffer.output { "dump" } else { "" };
        writeln!(file, "<size={} uint hex {dump}>", bytes.len())?;
        for words in bytes.as_chunks::<4>().0.chunks(16) {
            let words: Vec<String> = words.iter().map(|word| format!("{:x}", u32::from_le_bytes(*word))).collect();
            writeln!(file, "{}", words.join(" "))?;
        }
    }
    Ok(std::fs::write(folder.join("launch.sim"), file)?)
}

fn oclgrind(folder: &Path, options: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("oclgrind-kernel");
    let output = command.args(options).args(["--num-threads", "1", "launch.sim"]).current_dir(folder).output()?;
    let Output { status, stdout, stderr } = output;
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    if status.success() { Ok(text) } else { Err(io::Error::other(text).into()) }
}

/// The sum of the histogram: lines such as `  1,234 - load global (16 bytes)`.
fn executed(text: &str) -> u64 {
    let counts = text.lines().filter_map(|line| line.split_once(" - "));
    counts.filter_map(|(count, _)| count.replace(',', "").trim().parse::<u64>().ok()).sum()
}

/// Lines such as `  output[3] = 0x00001234`.
fn check_outputs(text: &str, launch: &Launch, serial: &Outcome) -> Result<(), Error> {
    for (buffer, image) in launch.buffers.iter().zip(&serial.buffers).filter(|(buffer, _)| buffer.output) {
        let words = text.lines().filter_map(|line| {
            let (name, value) = line.trim().split_once("] = 0x")?;
            let (name, _) = name.split_once('[')?;
            (name == buffer.name).then(|| u32::from_str_radix(value, 16)).and_then(Result::ok)
        });
        let theirs: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        if theirs != image.to_vec() {
            return Err(io::Error::other(format!("the twin leaves other bytes in `{}`", buffer.name)).into());
        }
    }
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<(T, f64), Error> {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let result = work()?;
    let seconds = cpu_seconds().zip(cpu).map_or_else(|| wall.elapsed().as_secs_f64(), |(end, start)| end - start);
    Ok((result, seconds))
}

/// CPU time of this process and of the children it waited for (Linux: clock ticks of 10 ms).
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(4).map(|ticks| ticks.parse::<f64>().ok());
    Some(ticks.sum::<Option<f64>>()? / 100.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
