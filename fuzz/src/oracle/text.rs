//! Parsers: they end, do not panic, say the same twice, and read what was printed as what it was printed from.

use std::path::Path;

use gridproof_conformance::launch_file::{self, Limits};
use gridproof_launch::{Dispatch, Launch, Module, Source};
use gridproof_simulator::{Schedule, uses_atomics};

use super::{Bench, Property, Trial, fails, skipped};
use crate::input::ParserText;
use crate::input::text::Parser;

/// Bytes of buffers that a launch file may ask for.
const MEMORY: u64 = 1 << 24;

pub(super) fn check(bench: &Bench, drawn: &ParserText) -> Result<(), Trial> {
    let lossy = String::from_utf8_lossy(&drawn.bytes);
    let taken = match drawn.parser {
        Parser::Schedule => schedule(&lossy)?,
        Parser::Ptx => module(Source::Ptx(lossy.as_ref().into()), "ptx")?,
        Parser::Wgsl => module(Source::Wgsl(lossy.as_ref().into()), "wgsl")?,
        Parser::LaunchFile => launch(bench, &drawn.bytes, None)?,
        Parser::Safetensors => launch(bench, TENSOR_LAUNCH.as_bytes(), Some(&drawn.bytes))?,
    };
    match taken {
        Ok(()) => Ok(()),
        Err(message) => {
            // A reason without its numbers is a branch of the parser.
            bench.mark(("refused", drawn.parser as u32, super::catalogue::without_numbers(&message)));
            Err(Trial::Rejected)
        }
    }
}

/// A launch whose buffer is in a tensor file.
const TENSOR_LAUNCH: &str = r#"module = "kernel.wgsl"
entry = "main"
grid = [1, 1, 1]
[buffers.x]
init = { file = "x.safetensors" }
"#;

const KERNEL: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main() { x[0] = 1u; }
";

/// What a parser said: the reason of a refusal is no failure.
type Taken = Result<(), String>;

fn schedule(text: &str) -> Result<Taken, Trial> {
    let Ok(read) = text.parse::<Schedule>() else { return Ok(Err("schedule".to_owned())) };
    let printed = read.to_string();
    match printed.parse::<Schedule>() {
        Ok(again) if again == read => Ok(Ok(())),
        Ok(_) => {
            Err(fails(Property::RoundTrip, "schedule", format!("`{text}` is printed as `{printed}`, which is another")))
        }
        Err(error) => {
            Err(fails(Property::RoundTrip, "schedule", format!("`{text}` is printed as `{printed}`: {error}")))
        }
    }
}

fn module(source: Source, language: &str) -> Result<Taken, Trial> {
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new(format!("kernel.{language}"), source));
    let mut dispatch = Dispatch::new(module, "main", [1, 1, 1]);
    dispatch.workgroup = (language == "ptx").then_some([1, 1, 1]);
    launch.dispatches.push(dispatch);
    let twice = [(); 2].map(|()| uses_atomics(&launch).map_err(|error| error.to_string()));
    let [one, other] = twice;
    match one == other {
        // A panic of the library that reads WGSL is caught where it happens.
        true if one.as_ref().is_err_and(|words| language != "ptx" && words.contains(": the front end failed: ")) => {
            Err(fails(Property::Panic, language, one.err().unwrap_or_default()))
        }
        true => Ok(one.map(drop)),
        false => Err(fails(Property::RoundTrip, language, format!("read twice: {one:?} and {other:?}"))),
    }
}

/// Reads a launch file twice, beside a kernel and a tensor file.
fn launch(bench: &Bench, text: &[u8], tensors: Option<&[u8]>) -> Result<Taken, Trial> {
    let Some(folder) = bench.scratch.as_deref() else { return Err(skipped("no folder for files")) };
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes);
    let files = [("launch.toml", text), ("kernel.wgsl", KERNEL.as_bytes())];
    let written = files.iter().try_for_each(|(name, bytes)| write(name, bytes));
    let written = written.and_then(|()| tensors.map_or(Ok(()), |bytes| write("x.safetensors", bytes)));
    if written.is_err() {
        return Err(skipped("no folder for files"));
    }
    let read = || read(&folder.join("launch.toml"));
    let (one, other) = (read(), read());
    match one == other {
        true => Ok(one.map(drop)),
        false => Err(fails(Property::RoundTrip, "launch file", format!("read twice: {one:?} and {other:?}"))),
    }
}

fn read(path: &Path) -> Result<launch_file::LaunchFile, String> {
    launch_file::read(None, path, &Limits { memory: MEMORY, seed: 1 }).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::text::LAUNCH_FILE;

    #[test]
    fn the_texts_that_are_changed_are_right_before() {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench { scratch: Some(folder.path().to_owned()), ..Bench::default() };
        assert_eq!(launch(&bench, LAUNCH_FILE.as_bytes(), None), Ok(Ok(())));
        let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let tensor = [&(header.len() as u64).to_le_bytes(), header.as_slice(), &[0; 4]].concat();
        assert_eq!(launch(&bench, TENSOR_LAUNCH.as_bytes(), Some(&tensor)), Ok(Ok(())));
    }
}
