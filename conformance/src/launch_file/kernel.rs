//! Kernel files: WGSL, SPIR-V, GLSL, PTX and CUDA C++ by the end of their name.
//!
//! Only what makes a file unusable as such is refused here (text that is not UTF-8, words that are not
//! SPIR-V). Whether the module is valid is the front end's business.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use gridproof_launch::{Module, Source};

use super::error::Problem;
use crate::input;

/// Largest kernel file in bytes.
const LONGEST: u64 = 64 << 20;

/// First word of every SPIR-V module.
const SPIRV_MAGIC: u32 = 0x0723_0203;

/// Words of a SPIR-V header.
const SPIRV_HEADER: usize = 5;

/// Reads a kernel. `path` is opened, and printed in reports.
pub(super) fn read(path: &Path) -> Result<Module, Problem> {
    let name = path.display().to_string();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    let source: fn(&str, Vec<u8>) -> Result<Source, Problem> = match extension {
        "wgsl" => |name, bytes| text(name, bytes).map(Source::Wgsl),
        "comp" | "glsl" => |name, bytes| text(name, bytes).map(Source::Glsl),
        "spv" => |name, bytes| words(name, &bytes).map(Source::SpirV),
        "ptx" => |name, bytes| text(name, bytes).map(Source::Ptx),
        "cu" => |name, bytes| text(name, bytes).map(Source::Cuda),
        _ => {
            let reason = "its name must end in .wgsl, .spv, .comp, .glsl, .ptx or .cu".to_owned();
            return Err(Problem::Kernel { path: name, reason });
        }
    };
    let source = source(&name, bounded(path, &name)?)?;
    Ok(Module::new(name, source))
}

fn bounded(path: &Path, name: &str) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: std::io::Error| Problem::Unreadable { path: name.to_owned(), reason: error.to_string() };
    input::bytes(path, LONGEST).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Problem::Kernel { path: name.to_owned(), reason: error.to_string() },
        _ => unreadable(error),
    })
}

fn text(name: &str, bytes: Vec<u8>) -> Result<Arc<str>, Problem> {
    String::from_utf8(bytes).map(Arc::from).map_err(|error| Problem::Kernel {
        path: name.to_owned(),
        reason: format!("is not UTF-8 text: byte {} is wrong", error.utf8_error().valid_up_to()),
    })
}

fn words(name: &str, bytes: &[u8]) -> Result<Arc<[u32]>, Problem> {
    let refuse = |reason| Problem::Kernel { path: name.to_owned(), reason };
    let (chunks, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(refuse(format!("has {} bytes, and SPIR-V is whole words of 4 bytes", bytes.len())));
    }
    if chunks.len() < SPIRV_HEADER {
        return Err(refuse(format!("has {} words, and a SPIR-V header alone has {SPIRV_HEADER}", chunks.len())));
    }
    let words: Arc<[u32]> = chunks.iter().map(|word| u32::from_le_bytes(*word)).collect();
    match words[0] {
        SPIRV_MAGIC => Ok(words),
        swapped if swapped == SPIRV_MAGIC.swap_bytes() => {
            Err(refuse("is big-endian SPIR-V: only little-endian is read".to_owned()))
        }
        other => Err(refuse(format!("starts with word {other:#010x}, and SPIR-V starts with {SPIRV_MAGIC:#010x}"))),
    }
}
