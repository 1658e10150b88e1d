//! Files from outside, read whole: regular files only, and no more bytes than a limit.
//!
//! A pipe that nobody writes would be waited for without end, and a device such as `/dev/zero` never ends, so neither is
//! opened. The limit is kept while reading as well: files of `/proc` say that they are empty, and others may grow.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// What the system says, and `InvalidInput` for what is no regular file or is longer.
pub fn bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let length = regular(path)?.len();
    if length > limit {
        return Err(refused(format!("has {length} bytes: the limit is {limit}")));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(read) if read <= limit => Ok(bytes),
        _ => Err(refused(format!("has more than {limit} bytes, which is the limit"))),
    }
}

/// Reads a regular file of at most `limit` bytes as UTF-8.
///
/// # Errors
/// As [`bytes`], and `InvalidData` with the first byte that is no UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(bytes(path, limit)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(ErrorKind::InvalidData, format!("is not UTF-8 text: byte {at} is wrong"))
    })
}

/// What the system knows about a file that can be opened without waiting for anybody.
///
/// # Errors
/// What the system says, and `InvalidInput` for what is no regular file.
pub fn regular(path: &Path) -> io::Result<fs::Metadata> {
    let data = fs::metadata(path)?;
    match (data.is_file(), data.is_dir()) {
        (true, _) => Ok(data),
        (false, true) => Err(refused("is a folder, expected a file".to_owned())),
        (false, false) => Err(refused("is a pipe or a device, expected a regular file".to_owned())),
    }
}

fn refused(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_longest_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("four");
        fs::write(&path, "four").unwrap();
        assert_eq!(text(&path, 4).unwrap(), "four");
        assert_eq!(text(&path, 3).unwrap_err().to_string(), "has 4 bytes: the limit is 3");
        assert!(bytes(folder.path(), 4).unwrap_err().to_string().contains("is a folder"));
    }

    #[test]
    fn text_says_where_it_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latin");
        fs::write(&path, b"ab\xff").unwrap();
        assert_eq!(text(&path, 9).unwrap_err().to_string(), "is not UTF-8 text: byte 2 is wrong");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_never_ends_is_not_opened() {
        assert!(bytes(Path::new("/dev/zero"), 9).unwrap_err().to_string().contains("a pipe or a device"));
        let message = bytes(Path::new("/proc/self/maps"), 9).unwrap_err().to_string();
        assert_eq!(message, "has more than 9 bytes, which is the limit");
    }
}
