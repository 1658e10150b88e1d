//! The `gridproof` binary: arguments in, exit code out.
//!
//! The command line is read in two stages: `flags` holds what was typed, `resolve` decides what it means together.
//! Each command gives a result that can be rendered in several forms; `output` is the only place that prints
//! results. Nothing here checks, simulates or words a finding.
#![forbid(unsafe_code)]

mod commands;
mod exit;
mod flags;
mod output;
mod progress;
mod resolve;
mod values;

use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;

use clap::Parser;
use gridproof_conformance::check::CheckError;

use exit::Exit;
use flags::Flags;
use output::tell;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panic| tell(&format!("error: {}", internal_error(panic)))));
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => return usage(&error),
    };
    let done = panic::catch_unwind(|| commands::run(flags));
    match done {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            tell(&format!("error: {error:#}"));
            exit_of(&error).into()
        }
        Err(_) => Exit::Error.into(),
    }
}

/// Help and version are printed and succeed; everything else is bad input.
fn usage(error: &clap::Error) -> ExitCode {
    // A reader that went away is no reason to fail.
    let _ = error.print();
    if error.use_stderr() { Exit::Error.into() } else { Exit::Clean.into() }
}

fn exit_of(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<CheckError>().map(CheckError::exit_code) {
        Some(4) => Exit::Nothing,
        Some(3) => Exit::Incomplete,
        _ => Exit::Error,
    }
}

fn internal_error(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    let text = panic.payload().downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    format!("this is a fault of gridproof itself{place}: {text}; please report it with the command line")
}
