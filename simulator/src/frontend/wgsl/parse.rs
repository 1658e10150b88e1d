//! Reading a module: text or words to a validated naga module, with located errors.
//!
//! naga limits how deeply it nests while parsing, but its later stages recurse over what was parsed, and a
//! chain of a million operators nests without a bracket. [`guard`] refuses such texts; the thread that runs
//! all this has a stack for everything else (see the parent module).

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

use super::locate::Source;
use crate::outcome::SimulateError;

/// Deepest nesting of brackets.
const NESTING: usize = 256;
/// Most operators in one expression.
const OPERATORS: usize = 8192;
/// Most `else` branches in one module.
const BRANCHES: usize = 16_384;

/// Parses and validates.
pub(super) fn parse(
    module: &gridproof_launch::Module,
    source: &Source,
) -> Result<(naga::Module, ModuleInfo), SimulateError> {
    if let Some(text) = &source.text {
        guard(text, source)?;
    }
    let parsed = match &module.source {
        gridproof_launch::Source::Wgsl(text) => parse_wgsl(text, source)?,
        gridproof_launch::Source::Glsl(text) => parse_glsl(text, source)?,
        gridproof_launch::Source::SpirV(words) => {
            let options = naga::front::spv::Options { adjust_coordinate_space: false, ..Default::default() };
            naga::front::spv::Frontend::new(words.iter().copied(), &options)
                .parse()
                .map_err(|error| source.error(naga::Span::UNDEFINED, lower_case(&error.to_string())))?
        }
        gridproof_launch::Source::Ptx(_) | gridproof_launch::Source::Cuda(_) => {
            return Err(source.unsupported(naga::Span::UNDEFINED, module.source.language()));
        }
    };
    let info = validate(&parsed, source)?;
    Ok((parsed, info))
}

fn parse_wgsl(text: &str, source: &Source) -> Result<naga::Module, SimulateError> {
    naga::front::wgsl::parse_str(text).map_err(|error| {
        let span = error.labels().map(|(span, _)| span).find(naga::Span::is_defined).unwrap_or_default();
        let labels = error.labels().map(|(_, label)| label).filter(|label| !label.is_empty());
        let message = labels.chain(error.notes()).fold(error.message().to_owned(), |all, part| all + ": " + part);
        source.error(span, lower_case(&message))
    })
}

fn parse_glsl(text: &str, source: &Source) -> Result<naga::Module, SimulateError> {
    let options = naga::front::glsl::Options::from(naga::ShaderStage::Compute);
    naga::front::glsl::Frontend::default().parse(&options, text).map_err(|errors| match errors.errors.first() {
        Some(error) => source.error(error.meta, lower_case(&error.kind.to_string())),
        None => source.error(naga::Span::UNDEFINED, "not a valid GLSL compute shader"),
    })
}

fn validate(module: &naga::Module, source: &Source) -> Result<ModuleInfo, SimulateError> {
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(module)
        .map_err(|error| invalid(&error, source))
}

/// A validation error, at its most exact place, with all its causes.
pub(super) fn invalid(error: &naga::WithSpan<naga::valid::ValidationError>, source: &Source) -> SimulateError {
    let narrowest =
        error.spans().map(|(span, _)| *span).min_by_key(|span| span.to_range().map_or(usize::MAX, |r| r.len()));
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error.as_inner());
    while let Some(inner) = cause {
        message = message + ": " + &inner.to_string();
        cause = inner.source();
    }
    source.error(narrowest.unwrap_or_default(), lower_case(&message))
}

/// naga's messages start with a capital and ours do not. Names in quotes and all-capital words stay.
pub(super) fn lower_case(message: &str) -> String {
    let mut characters = message.trim().chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(characters).collect(),
        _ => message.trim().to_owned(),
    }
}

/// Refuses texts that nest deeper than recursive code can follow.
fn guard(text: &str, source: &Source) -> Result<(), SimulateError> {
    let (mut depth, mut operators, mut branches) = (0_usize, 0_usize, 0_usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    let refuse = |at: usize, message: String| {
        let at = super::locate::saturating(at);
        Err(source.error(naga::Span::new(at, at.saturating_add(1)), message))
    };
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        if let Some(length) = comment(rest) {
            at += length;
            continue;
        }
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'e' if rest.starts_with(b"else") => branches += 1,
            _ => {}
        }
        match byte {
            b';' | b'{' | b'}' | b',' => operators = 0,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'<' | b'>' | b'=' | b'!' | b'~' | b'.' | b'['
            | b'(' | b'?' => operators += 1,
            _ => {}
        }
        if depth > NESTING {
            return refuse(at, format!("brackets nest deeper than {NESTING}"));
        }
        if operators > OPERATORS {
            return refuse(at, format!("an expression has more than {OPERATORS} operators"));
        }
        if branches > BRANCHES {
            return refuse(at, format!("the module has more than {BRANCHES} else branches"));
        }
        at += 1;
    }
    Ok(())
}

/// Length of the comment that `rest` starts with.
fn comment(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(text: &str) -> Result<(), SimulateError> {
        guard(text, &Source::new("t.wgsl", Some(text.into())))
    }

    #[test]
    fn deep_nesting_is_refused_where_it_gets_too_deep() {
        let text = format!("const a = {}1{};", "(".repeat(300), ")".repeat(300));
        let error = guarded(&text).unwrap_err();
        assert_eq!(error.to_string(), "t.wgsl:1:267: brackets nest deeper than 256");
    }

    #[test]
    fn long_chains_are_refused_and_comments_are_not_read() {
        assert!(guarded(&format!("const a = 1{};", "+1".repeat(10_000))).is_err());
        assert!(guarded(&format!("/* {} /* nested */ {} */", "(".repeat(999), "+".repeat(9999))).is_ok());
        assert!(guarded(&format!("// {}\nconst a = 1;", "(".repeat(999))).is_ok());
        assert!(guarded("/* open").is_ok());
    }

    #[test]
    fn long_tables_are_fine() {
        assert!(guarded(&format!("const a = array({});", "-1.5,".repeat(100_000))).is_ok());
    }
}
