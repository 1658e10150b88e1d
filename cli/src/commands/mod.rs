//! The commands: each runs one thing and writes one result.

mod bench;
mod check;
mod conform;
mod explain;
mod explore;
mod fuzz;
mod list;
mod main_job;
mod mutate;
mod probe;
mod replay;
mod stress;

use clap::CommandFactory;
use gridproof_conformance::explore::child;
use gridproof_conformance::matrix::cuda;

use crate::exit::Exit;
use crate::flags::{Command, Flags};
use crate::output::{Output, print};

/// Runs what the flags ask for.
pub fn run(flags: Flags) -> anyhow::Result<Exit> {
    let output = Output::new(&flags.common)?;
    match flags.command {
        None => main_job::run(&output),
        Some(Command::Check(flags)) => check::run(&flags, &output),
        Some(Command::Explore(flags)) => explore::run(&flags, &output),
        Some(Command::Mutate(flags)) => mutate::run(&flags, &output),
        Some(Command::Fuzz { command }) => fuzz::run(&command, &output),
        Some(Command::FuzzClient { folder, client, seed }) => fuzz::client(&folder, client, seed),
        Some(Command::Stress(flags)) => stress::run(&flags, &output),
        Some(Command::CudaStress { ordinal }) => cuda_stress(ordinal),
        Some(Command::Replay(flags)) => replay::run(&flags, &output),
        Some(Command::Conform(flags)) => conform::run(&flags, &output),
        Some(Command::Bench(flags)) => bench::run(&flags, &output),
        Some(Command::List) => list::run(&output),
        Some(Command::Explain(flags)) => explain::run(&flags, &output),
        Some(Command::Probe) => probe::run(&output),
        Some(Command::Completions { shell }) => completions(shell),
        Some(Command::LoomModel) => loom_model(),
        Some(Command::CudaCells { ordinal }) => cuda_cells(ordinal),
    }
}

/// A child of this program itself, which runs loom where it may panic and abort.
fn loom_model() -> anyhow::Result<Exit> {
    child::serve(std::io::stdin().lock(), std::io::stdout().lock()).map_err(anyhow::Error::msg)?;
    Ok(Exit::Clean)
}

/// A child of this program itself, which uses a device where it may be lost.
fn cuda_cells(ordinal: u32) -> anyhow::Result<Exit> {
    cuda::serve(ordinal, std::io::stdin().lock(), std::io::stdout().lock()).map_err(anyhow::Error::msg)?;
    Ok(Exit::Clean)
}

/// The same for runs with disturbed timing.
fn cuda_stress(ordinal: u32) -> anyhow::Result<Exit> {
    gridproof_conformance::stress::serve(ordinal, std::io::stdin().lock(), std::io::stdout().lock())
        .map_err(anyhow::Error::msg)?;
    Ok(Exit::Clean)
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Flags::command(), "gridproof", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Clean)
}
