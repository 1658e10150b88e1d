//! Texts for the parsers: right ones with a few bytes changed, and bytes as they come.

use super::kernel;
use crate::draw::Draw;

/// A parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parser {
    /// Schedule strings.
    Schedule,
    /// Launch files.
    LaunchFile,
    /// PTX.
    Ptx,
    /// WGSL.
    Wgsl,
    /// Tensor files.
    Safetensors,
}

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParserText {
    /// Who reads it.
    pub parser: Parser,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A launch file that is right.
pub const LAUNCH_FILE: &str = r#"module = "kernel.wgsl"
entry = "main"
grid = [8, 1, 1]
slots = 4
[buffers.input]
dtype = "u32"
shape = [16]
init = { random = { seed = 1 } }
[buffers.output]
dtype = "f16"
shape = [4, 16]
output = true
init = "zeros"
[constants]
K = 5120
"#;

const SCHEDULE: &str = "gp1;slots=3;start=any;points=all;0*3,1,2.7*40/1*,0*/5";

/// Most changes to a text that is right.
const MOST_CHANGES: u32 = 6;

/// Draws a text.
pub fn draw(draw: &mut Draw<'_, '_>) -> ParserText {
    let all = [Parser::Schedule, Parser::LaunchFile, Parser::Ptx, Parser::Wgsl, Parser::Safetensors];
    let parser = draw.pick(&all);
    if draw.one_in(4) {
        return ParserText { parser, bytes: draw.rest(super::LONGEST) };
    }
    let mut changes = Vec::new();
    for _ in 0..draw.below(MOST_CHANGES) {
        changes.push((draw.word(), draw.below(4), draw.word()));
    }
    let mut bytes = valid(parser, draw);
    changes.into_iter().for_each(|(place, how, what)| change(&mut bytes, place, how, what));
    ParserText { parser, bytes }
}

/// A text that its parser takes.
fn valid(parser: Parser, draw: &mut Draw<'_, '_>) -> Vec<u8> {
    match parser {
        Parser::Schedule => SCHEDULE.as_bytes().to_vec(),
        Parser::LaunchFile => LAUNCH_FILE.as_bytes().to_vec(),
        Parser::Ptx => kernel::ptx::text(&kernel::draw(draw)).text.into_bytes(),
        Parser::Wgsl => kernel::wgsl::text(&kernel::draw(draw)).text.into_bytes(),
        Parser::Safetensors => tensors(draw),
    }
}

fn tensors(draw: &mut Draw<'_, '_>) -> Vec<u8> {
    let length = draw.below(8);
    let header = format!(r#"{{"x":{{"dtype":"F32","shape":[{length}],"data_offsets":[0,{}]}}}}"#, 4 * length);
    let mut bytes = u64::try_from(header.len()).unwrap_or(0).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend((0..length).flat_map(|at| (at + 1).to_le_bytes()));
    bytes
}

/// Words that stand in such texts, and numbers at their limits.
const WORDS: [&str; 12] =
    ["4294967296", "18446744073709551616", "-1", "0", "*", "[", "}", ";", "%r1", ".u64", "1e999", "\u{e9}"];

fn change(bytes: &mut Vec<u8>, place: u32, how: u32, what: u32) {
    let at = usize::try_from(place).unwrap_or(0) % bytes.len().max(1);
    let word = WORDS[usize::try_from(what).unwrap_or(0) % WORDS.len()];
    match how {
        0 if at < bytes.len() => bytes[at] = what.to_le_bytes()[0],
        1 if at < bytes.len() => {
            drop(bytes.drain(at..(at + 1 + usize::try_from(what % 16).unwrap_or(0)).min(bytes.len())))
        }
        2 => drop(bytes.splice(at..at, word.bytes())),
        _ => bytes.truncate(at),
    }
}
