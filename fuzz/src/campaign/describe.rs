//! An input for a person: what it is, and how to run it without a fuzzer.

use std::fmt::Write;

use gridproof_launch::{Arithmetic, Language};
use gridproof_simulator::Policy;

use super::finding::Record;
use crate::input::kernel::{INPUTS, OUTPUTS, ptx, wgsl};
use crate::input::text::Parser;
use crate::input::{CatalogueLaunch, Input, Kernel};

/// The files that describe an input beside its bytes, by name.
pub fn files(input: &Input, record: &Record) -> Vec<(&'static str, String)> {
    let mut files = match input {
        Input::Kernel(kernel) => vec![
            ("kernel.wgsl", wgsl::text(kernel).text),
            ("kernel.ptx", ptx::text(kernel).text),
            ("wgsl.toml", launch_file(kernel, "")),
            ("ptx.toml", launch_file(kernel, &format!("workgroup = [{}, 1, 1]\n", kernel.size))),
        ],
        Input::Text(text) => {
            let name = match text.parser {
                Parser::Schedule => "schedule.txt",
                Parser::LaunchFile => "launch.toml",
                Parser::Ptx => "kernel.ptx",
                Parser::Wgsl => "kernel.wgsl",
                // Bytes, which `input` has.
                Parser::Safetensors => "tensors.txt",
            };
            vec![(name, String::from_utf8_lossy(&text.bytes).into_owned())]
        }
        Input::Litmus(litmus) => {
            let drawn = gridproof_conformance::litmus::random(litmus.seed, litmus.syntax, litmus.kind);
            let launch = drawn.launch(litmus.syntax).ok();
            let text = launch.and_then(|launch| launch.modules.first()?.text().map(str::to_owned));
            vec![("kernel.txt", text.unwrap_or_default())]
        }
        Input::Catalogue(_) => Vec::new(),
    };
    files.push(("README.md", readme(input, record)));
    files
}

fn readme(input: &Input, record: &Record) -> String {
    let Record { property, subject, message, .. } = record;
    let mut text =
        format!("# {property}: {subject}\n\n{message}\n\nIn this folder:\n\n    gridproof fuzz replay .\n\n");
    let more = match input {
        Input::Catalogue(launch) => format!("The launch alone:\n\n    {}\n\n{}", command(launch), catalogue(launch)),
        Input::Kernel(kernel) => format!(
            "The launch alone, in either language:\n\n    gridproof check kernel.wgsl --launch wgsl.toml --subgroup-size {}\n    \
             gridproof check kernel.ptx --launch ptx.toml\n\nPlanted race: {:?}.\n",
            kernel.subgroup_size, kernel.plant
        ),
        Input::Litmus(litmus) => format!("{litmus:?}; its text is in kernel.txt.\n"),
        Input::Text(text) => format!("For the parser: {:?}, {} bytes.\n", text.parser, text.bytes.len()),
    };
    let written = text.write_str(&more);
    debug_assert!(written.is_ok(), "writing to a string succeeds");
    text
}

/// The command that checks the launch, with the variant that runs.
pub fn command(launch: &CatalogueLaunch) -> String {
    let CatalogueLaunch { kernel, variant, shape, data_seed, subgroup_size, .. } = launch;
    let language = if launch.language == Language::Cuda { " --language cuda" } else { "" };
    let arithmetic = if launch.arithmetic == Arithmetic::SEPARATE { " --arithmetic separate" } else { "" };
    format!(
        "gridproof check {kernel}:{variant} --shape {shape} --data-seed {data_seed} --subgroup-size \
         {subgroup_size}{arithmetic}{language}"
    )
}

fn catalogue(launch: &CatalogueLaunch) -> String {
    let policy = match &launch.policy {
        Policy::Serial => "one workgroup after the other".to_owned(),
        Policy::Waves { slots } => format!("waves of {slots} slots"),
        Policy::Bounded { slots, seed } => format!("{slots} slots, drawn with seed {seed}"),
        Policy::Replay(schedule) => schedule.to_string(),
    };
    let believed = match launch.believed == launch.variant {
        true => String::new(),
        false => format!("The oracle takes it to be `{}`.\n", launch.believed),
    };
    format!("Schedule that was drawn: {policy}. Threads of the second proof: {}.\n{believed}", launch.threads)
}

fn launch_file(kernel: &Kernel, workgroup: &str) -> String {
    let input: Vec<String> = kernel.input.iter().map(u32::to_string).collect();
    format!(
        "entry = \"main\"
grid = [{}, 1, 1]
{workgroup}
[buffers.input]
dtype = \"u32\"
shape = [{INPUTS}]
init = {{ values = [{}] }}

[buffers.output]
dtype = \"u32\"
shape = [{}]
init = \"zeros\"
output = true

[buffers.meeting]
dtype = \"u32\"
shape = [1]
init = \"zeros\"
",
        kernel.groups,
        input.join(", "),
        kernel.groups * kernel.size * OUTPUTS
    )
}
