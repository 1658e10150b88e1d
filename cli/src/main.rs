//! The `gridproof` binary: arguments in, exit code out.
//!
//! The command line is read in two stages: `flags` holds what was typed, `resolve` decides what it means together.
//! Each command gives a result that can be rendered in several forms; `output` is the only place that prints
//! results. Nothing here checks, simulates or words a finding.
#![forbid(unsafe_code)]

mod commands;
mod exit;
mod flags;
mod gate;
mod output;
mod progress;
mod resolve;
mod values;

use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;

use clap::Parser;
use gridproof_conformance::check::CheckError;
use gridproof_simulator::frontend::wgsl::THREAD as FRONTEND_THREAD;

use exit::Exit;
use flags::Flags;
use output::tell;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        // A panic of the front end becomes an error that names the module.
        if std::thread::current().name() != Some(FRONTEND_THREAD) {
            tell(&format!("error: {}", internal_error(panic)));
        }
    }));
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => return usage(&error),
    };
    let done = panic::catch_unwind(|| commands::run(flags));
    match done {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            tell(&format!("error: {}", shortened(format!("{error:#}"))));
            exit_of(&error).into()
        }
        Err(_) => Exit::Error.into(),
    }
}

/// Longest message about an error, in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// A message without its middle where it is too long to be read: errors quote what they found, and that may be megabytes.
/// Its beginning names the place; its end is often the limit.
fn shortened(message: String) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message;
    }
    let end = message.floor_char_boundary(LONGEST_MESSAGE * 3 / 4);
    let start = message.ceil_char_boundary(message.len() - LONGEST_MESSAGE / 4);
    format!("{} [{} bytes left out] {}", &message[..end], start - end, &message[start..])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_keep_both_ends() {
        let short = "é".repeat(LONGEST_MESSAGE / 2);
        assert_eq!(shortened(short.clone()), short);
        let long = shortened(format!("k.wgsl:1:1: {}: the limit is 5", "é".repeat(1 << 20)));
        assert!(long.starts_with("k.wgsl:1:1: é") && long.ends_with("é: the limit is 5"), "{long}");
        assert!(long.len() < LONGEST_MESSAGE + 64, "{}", long.len());
    }
}
