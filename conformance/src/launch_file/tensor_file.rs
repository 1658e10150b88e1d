//! safetensors files: the header is parsed and checked by the `safetensors` crate, and only the bytes of
//! the tensor asked for are read.
//!
//! A hostile file costs at most its header's length in memory, and that is limited. Nothing here trusts a
//! number of the header before it was compared with the file's real length.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use gridproof_launch::DType;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::error::Problem;
use crate::input;

/// Largest header in bytes; a header entry takes about a hundred.
const LONGEST_HEADER: u64 = 16 << 20;

/// One tensor of a file, not read yet.
pub(super) struct StoredTensor {
    path: String,
    file: File,
    start: u64,
    /// Element type of the bytes as stored.
    pub dtype: DType,
    /// Extents, outermost first.
    pub shape: Vec<u64>,
    /// Length in bytes.
    pub length: u64,
}

impl StoredTensor {
    /// Finds `tensor` in the file, or its only tensor when no name is given.
    pub fn find(path: &Path, tensor: Option<&str>) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| Problem::Unreadable { path: name.clone(), reason: error.to_string() };
        let refuse = |reason| Problem::TensorFile { path: name.clone(), reason };
        // Looked at before it is opened: opening a pipe waits for somebody to write it.
        input::regular(path).map_err(|error| match error.kind() {
            ErrorKind::InvalidInput => refuse(error.to_string()),
            _ => unreadable(error),
        })?;
        let mut file = File::open(path).map_err(unreadable)?;
        let data = file.metadata().map_err(unreadable)?;
        let (header, data_start) = read_header(&mut file, data.len(), &name)?;
        let metadata = parse_header(&header).map_err(refuse)?;
        let data_length = u64::try_from(metadata.data_len()).unwrap_or(u64::MAX);
        if data_start.checked_add(data_length) != Some(data.len()) {
            let held = data.len() - data_start;
            return Err(refuse(format!("its header describes {data_length} bytes of tensors, and {held} follow it")));
        }
        let info = choose(&metadata, tensor).map_err(refuse)?;
        let (start, end) = info.data_offsets;
        let dtype =
            dtype(info.dtype).ok_or_else(|| refuse(format!("elements of type {:?} are not supported", info.dtype)))?;
        let widen = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Ok(Self {
            file,
            start: data_start + widen(start),
            dtype,
            shape: info.shape.iter().copied().map(widen).collect(),
            length: widen(end - start),
            path: name.clone(),
        })
    }

    /// Reads the bytes. The caller has compared `length` with its budget.
    pub fn read(mut self) -> Result<Vec<u8>, Problem> {
        let unreadable =
            |error: std::io::Error| Problem::Unreadable { path: self.path.clone(), reason: error.to_string() };
        self.file.seek(SeekFrom::Start(self.start)).map_err(unreadable)?;
        let mut bytes = vec![0; usize::try_from(self.length).unwrap_or(usize::MAX)];
        self.file.read_exact(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }
}

fn read_header(file: &mut File, file_length: u64, name: &str) -> Result<(Vec<u8>, u64), Problem> {
    let refuse = |reason| Problem::TensorFile { path: name.to_owned(), reason };
    let unreadable = |error: std::io::Error| Problem::Unreadable { path: name.to_owned(), reason: error.to_string() };
    if file_length < 8 {
        return Err(refuse(format!("has {file_length} bytes, and the length of the header alone takes 8")));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(refuse(format!("its header has {length} bytes: the limit is {LONGEST_HEADER}")));
    }
    if length > file_length - 8 {
        return Err(refuse(format!("its header has {length} bytes, and only {} follow", file_length - 8)));
    }
    let mut header = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact(&mut header).map_err(unreadable)?;
    Ok((header, 8 + length))
}

fn parse_header(header: &[u8]) -> Result<Metadata, String> {
    let text = std::str::from_utf8(header)
        .map_err(|error| format!("its header is not UTF-8: byte {} is wrong", error.valid_up_to()))?;
    serde_json::from_str(text).map_err(|error| format!("its header is wrong: {error}"))
}

fn choose<'a>(metadata: &'a Metadata, tensor: Option<&str>) -> Result<&'a TensorInfo, String> {
    let mut names = metadata.offset_keys();
    match tensor {
        Some(name) => metadata.info(name).ok_or_else(|| {
            names.sort();
            names.truncate(20);
            format!("has no tensor `{name}`; it has {}", names.join(", "))
        }),
        None => match names.as_slice() {
            [only] => metadata.info(only).ok_or_else(|| "has no tensor".to_owned()),
            _ => Err(format!("has {} tensors: say which with `tensor`", names.len())),
        },
    }
}

const fn dtype(stored: Dtype) -> Option<DType> {
    Some(match stored {
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::Bf16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::I8 => DType::I8,
        Dtype::U8 => DType::U8,
        Dtype::I16 => DType::I16,
        Dtype::U16 => DType::U16,
        Dtype::I32 => DType::I32,
        Dtype::U32 => DType::U32,
        Dtype::I64 => DType::I64,
        Dtype::U64 => DType::U64,
        _ => return None,
    })
}
