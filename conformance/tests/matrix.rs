//! The matrix as tests: one cell, one test. Skipped cells are counted and named at the end; they do not pass.
//!
//! With `GRIDPROOF_REQUIRE_ADAPTER=1` a missing adapter fails every cell that wants one, and with
//! `GRIDPROOF_REQUIRE_NVRTC=1` a missing CUDA compiler does, with `GRIDPROOF_REQUIRE_CUDA=1` a missing CUDA device.
//!
//! The cells of CUDA devices run in processes of their own: this very program, started with the hidden argument.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use gridproof_conformance::matrix::{Cell, CellResult, MatrixOptions, Requirements, cells, cuda};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Leg and reason of each skip, with its number of cells.
type Skips = Arc<Mutex<BTreeMap<(String, String), usize>>>;

fn main() -> ExitCode {
    if let Some(ordinal) = worker() {
        return match cuda::serve(ordinal, std::io::stdin().lock(), std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                eprintln!("error: {reason}");
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::from_args();
    let required = |name| std::env::var_os(name).is_some_and(|value| value == "1");
    let require = Requirements {
        adapter: required("GRIDPROOF_REQUIRE_ADAPTER"),
        nvrtc: required("GRIDPROOF_REQUIRE_NVRTC"),
        cuda: required("GRIDPROOF_REQUIRE_CUDA"),
    };
    let options = MatrixOptions { require, ..MatrixOptions::default() };
    let cells = match cells(&options) {
        Ok(cells) => cells,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(error.exit_code());
        }
    };
    let skips = Skips::default();
    let trials = cells.into_iter().map(|cell| trial(cell, skips.clone())).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    for ((leg, reason), count) in skips.lock().unwrap().iter() {
        println!("{count} cells of {leg} skipped: {reason}");
    }
    conclusion.exit_code()
}

/// The device's number, where this process is a worker.
fn worker() -> Option<u32> {
    let mut arguments = std::env::args().skip(1);
    arguments.next().filter(|first| first == cuda::ARGUMENT)?;
    arguments.next()?.parse().ok()
}

fn trial(cell: Cell, skips: Skips) -> Trial {
    Trial::ignorable_test(cell.name().to_owned(), move || match cell.run().result {
        CellResult::Agreed => Ok(Completion::Completed),
        CellResult::Disagreed(reason) => Err(Failed::from(reason)),
        CellResult::Skipped(reason) => {
            *skips.lock().unwrap().entry((cell.leg().to_owned(), reason.clone())).or_default() += 1;
            Ok(Completion::ignored_with(reason))
        }
    })
}
