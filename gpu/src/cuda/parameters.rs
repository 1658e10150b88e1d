//! What a PTX kernel takes, read from its signature, and the bytes that a launch's arguments make of it.
//!
//! The rules are the simulator's: an argument is found by the parameter's name or position; a buffer is the address of
//! its range's first byte, in a parameter of 8 bytes; a scalar has just as many bytes as its parameter. Machine code
//! knows no names, which is why the PTX it was made from stands beside it.

use gridproof_launch::{Argument, BufferId, Dispatch, Target, Value};

use crate::RunError;
use crate::limits::count_u64;

/// A parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// The parameters of a kernel; `None` where the module has no such kernel.
///
/// # Errors
/// The declaration that cannot be read.
pub(super) fn signature(ptx: &str, entry: &str) -> Result<Option<Vec<Parameter>>, String> {
    let code = without_comments(ptx);
    let Some(list) = entries(&code).find(|(name, _)| *name == entry).map(|(_, list)| list) else { return Ok(None) };
    let declarations = list.split(',').filter(|declaration| !declaration.trim().is_empty());
    declarations.map(parameter).collect::<Result<_, _>>().map(Some)
}

/// The names of a module's kernels.
pub(super) fn entry_names(ptx: &str) -> Vec<String> {
    entries(&without_comments(ptx)).map(|(name, _)| name.to_owned()).collect()
}

/// Every kernel's name, and what stands between the parentheses behind it.
fn entries(code: &str) -> impl Iterator<Item = (&str, &str)> {
    code.split(".entry").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
        let end = rest.find(|character: char| !is_name(character)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let list = behind.trim_start().strip_prefix('(').and_then(|list| list.split(')').next());
        (!name.is_empty()).then(|| (name, list.unwrap_or_default()))
    })
}

const fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$' | '%')
}

/// `.param [.align N] .TYPE [.ptr [.SPACE] [.align N]] NAME [[EXTENT]]`.
fn parameter(declaration: &str) -> Result<Parameter, String> {
    let wrong =
        || format!("the parameter `{}` cannot be read", declaration.split_whitespace().collect::<Vec<_>>().join(" "));
    let spaced = declaration.replace('[', " [ ").replace(']', " ] ");
    let mut words = spaced.split_whitespace();
    let (mut element, mut name, mut bytes) = (None, None, None);
    while let Some(word) = words.next() {
        match word {
            ".align" => drop(words.next()),
            ".param" | ".ptr" | ".global" | ".shared" | ".const" | ".local" => {}
            "[" => {
                let extent = words.next().and_then(|word| word.parse::<u64>().ok());
                bytes = Some(
                    bytes.or(element).zip(extent).and_then(|(a, b): (u64, u64)| a.checked_mul(b)).ok_or_else(wrong)?,
                );
                words.next().filter(|word| *word == "]").ok_or_else(wrong)?;
            }
            _ if word.starts_with('.') => element = Some(type_bytes(word).ok_or_else(wrong)?),
            _ => name = Some(word.to_owned()),
        }
    }
    let (name, element) = name.zip(element).ok_or_else(wrong)?;
    Ok(Parameter { name, bytes: bytes.unwrap_or(element) })
}

/// Bytes of `.u32` and the like.
fn type_bytes(word: &str) -> Option<u64> {
    let bits: u64 = match word {
        ".bf16" | ".f16" => 16,
        ".f16x2" | ".bf16x2" => 32,
        _ => word.strip_prefix(".").filter(|rest| rest.starts_with(['b', 'u', 's', 'f']))?.get(1..)?.parse().ok()?,
    };
    matches!(bits, 8 | 16 | 32 | 64 | 128).then_some(bits / 8)
}

/// The text with a space in the place of every comment.
fn without_comments(ptx: &str) -> String {
    let mut code = String::with_capacity(ptx.len());
    let mut rest = ptx;
    while let Some(at) = rest.find(['/', '"']) {
        let (before, from) = rest.split_at(at);
        code.push_str(before);
        let length = if let Some(line) = from.strip_prefix("//") {
            2 + line.find('\n').unwrap_or(line.len())
        } else if let Some(block) = from.strip_prefix("/*") {
            2 + block.find("*/").map_or(block.len(), |end| end + 2)
        } else if let Some(string) = from.strip_prefix('"') {
            // A string may look like anything, and says nothing here.
            1 + string.find('"').map_or(string.len(), |end| end + 1)
        } else {
            1
        };
        code.push(' ');
        rest = from.get(length..).unwrap_or_default();
    }
    code + rest
}

/// The bytes of every parameter; `address` gives where a buffer lies on the device.
pub(super) fn bytes(
    position: usize,
    dispatch: &Dispatch,
    parameters: &[Parameter],
    address: impl Fn(BufferId) -> u64,
) -> Result<Vec<Vec<u8>>, RunError> {
    refuse_unknown(position, dispatch, parameters)?;
    let value = |(at, parameter): (usize, &Parameter)| {
        let mut given = dispatch.arguments.iter().filter(|argument| is_for(argument, at, parameter));
        let described = || format!("parameter {at}, `{}`", parameter.name);
        let Some(argument) = given.next() else {
            let (entry, variable) = (dispatch.entry.clone(), described());
            return Err(RunError::MissingArgument { dispatch: position, entry, variable });
        };
        if given.next().is_some() {
            return Err(RunError::DuplicateArgument { dispatch: position, variable: described() });
        }
        let bytes = match &argument.value {
            Value::Buffer { buffer, range } => address(*buffer).saturating_add(range.start).to_le_bytes().to_vec(),
            Value::Scalar(bytes) => bytes.clone(),
        };
        let given = count_u64(bytes.len());
        if given == parameter.bytes {
            return Ok(bytes);
        }
        let expected = parameter.bytes.to_string();
        Err(RunError::ArgumentSize { dispatch: position, variable: described(), expected, given })
    };
    parameters.iter().enumerate().map(value).collect()
}

fn refuse_unknown(position: usize, dispatch: &Dispatch, parameters: &[Parameter]) -> Result<(), RunError> {
    let known = |argument: &&Argument| parameters.iter().enumerate().any(|(at, p)| is_for(argument, at, p));
    match dispatch.arguments.iter().find(|argument| !known(argument)) {
        None => Ok(()),
        Some(argument) => Err(RunError::UnknownTarget {
            dispatch: position,
            module: dispatch.entry.clone(),
            target: argument.target.clone(),
            available: parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect(),
        }),
    }
}

fn is_for(argument: &Argument, at: usize, parameter: &Parameter) -> bool {
    match &argument.target {
        Target::Name(name) => *name == parameter.name,
        Target::Parameter(position) => usize::try_from(*position) == Ok(at),
        Target::Slot { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use gridproof_launch::{ByteRange, ModuleId};

    use super::*;

    const PTX: &str = r#"
.version 9.5 // .entry not(this)
.file 1 "/* .entry nor(.param .u32 this)"
.visible .entry first(
	.param .u64 .ptr .global .align 4 first_param_0,
	.param .align 8 .b8 first_param_1[24], /* a struct */
	.param .u32 n,
	.param .f16 h
)
.maxntid 128
{ ret; }
.entry second { ret; }
.entry third() { ret; }
.entry fourth(.param .texref t) { ret; }
"#;

    fn parameter(name: &str, bytes: u64) -> Parameter {
        Parameter { name: name.to_owned(), bytes }
    }

    fn argument(target: Target, value: Value) -> Argument {
        Argument { target, value }
    }

    #[test]
    fn signatures_are_read_and_comments_are_not() {
        let first =
            vec![parameter("first_param_0", 8), parameter("first_param_1", 24), parameter("n", 4), parameter("h", 2)];
        assert_eq!(signature(PTX, "first"), Ok(Some(first)));
        assert_eq!(signature(PTX, "second"), Ok(Some(vec![])));
        assert_eq!(signature(PTX, "third"), Ok(Some(vec![])));
        assert_eq!(signature(PTX, "not"), Ok(None));
        assert_eq!(signature(PTX, "fourth"), Err("the parameter `.param .texref t` cannot be read".to_owned()));
        assert_eq!(entry_names(PTX), ["first", "second", "third", "fourth"]);
    }

    #[test]
    fn buffers_are_addresses_and_scalars_their_own_bytes() {
        let parameters = [parameter("x", 8), parameter("n", 4)];
        let buffer = Value::Buffer { buffer: BufferId(1), range: ByteRange::new(0x1_0000_0010, 0x1_0000_0020) };
        let mut dispatch = Dispatch::new(ModuleId(0), "k", [1, 1, 1]);
        dispatch.arguments.push(argument(Target::Name("n".into()), Value::Scalar(vec![7, 0, 0, 0])));
        let given = |dispatch: &Dispatch| {
            bytes(2, dispatch, &parameters, |BufferId(id)| 0x7F00_0000_0000 + u64::try_from(id).unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            given(&dispatch),
            Err("dispatch 2: `k` uses parameter 0, `x`, but no argument is given for it".into())
        );
        dispatch.arguments.push(argument(Target::Parameter(0), buffer.clone()));
        let address = 0x7F01_0000_0011_u64.to_le_bytes().to_vec();
        assert_eq!(given(&dispatch), Ok(vec![address, vec![7, 0, 0, 0]]));
        let twice = Dispatch {
            arguments: [&dispatch.arguments[..], &[argument(Target::Name("x".into()), buffer.clone())]].concat(),
            ..dispatch.clone()
        };
        assert_eq!(given(&twice), Err("dispatch 2: two arguments go to parameter 0, `x`".into()));
        dispatch.arguments[0].value = buffer;
        assert_eq!(given(&dispatch), Err("dispatch 2: parameter 1, `n` takes 4 bytes, but 8 are given".into()));
        dispatch.arguments[0].target = Target::Slot { group: 0, binding: 1 };
        let unknown = "dispatch 2: nothing in `k` is called @group(0) @binding(1); it has: `x`, `n`";
        assert_eq!(given(&dispatch), Err(unknown.into()));
    }
}
