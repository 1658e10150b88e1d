//! The names in the `.file` lines of PTX.
//!
//! NVRTC puts the folder that it happens to run in before every name it was given. A report must not depend on that
//! folder, so the names are put back, and paths into it are made relative again.

use std::path::Path;

/// `ptx`, with the names of the program and its headers as they were given, and other paths relative to `folder` where
/// they lead into it.
pub(super) fn restored<'a>(ptx: &str, names: impl Iterator<Item = &'a String>, folder: Option<&Path>) -> String {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    // `sub/a.cuh` before `a.cuh`.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut text = String::with_capacity(ptx.len());
    for line in ptx.split_inclusive('\n') {
        match named(line) {
            Some((before, path, after)) => {
                let name = given(path, &names).or_else(|| inside(path, folder)).unwrap_or(path);
                text.extend([before, name, after]);
            }
            None => text.push_str(line),
        }
    }
    text
}

/// The parts of a line `.file N "path"`: up to the path, the path, the rest.
fn named(line: &str) -> Option<(&str, &str, &str)> {
    line.trim_start().strip_prefix(".file")?;
    let start = line.find('"')? + 1;
    let end = line.rfind('"').filter(|end| *end >= start)?;
    Some((&line[..start], &line[start..end], &line[end..]))
}

fn given<'a>(path: &str, names: &[&'a str]) -> Option<&'a str> {
    let is = |name: &&&str| path.strip_suffix(**name).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'));
    names.iter().find(is).copied()
}

fn inside<'a>(path: &'a str, folder: Option<&Path>) -> Option<&'a str> {
    Path::new(path).strip_prefix(folder?).ok()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_file_lines_lose_the_folder() {
        let ptx = "\t.file\t1 \"/a/b/k.cu\"\n\t.file\t2 \"/a/b/sub/n.cuh\"\n.file 3 \"/usr/x.h\", 1, 2\n// \"/a/b/k.cu\"\n.file 4 \"/a/b/c/d.h\"\n";
        let names = ["k.cu", "n.cuh", "sub/n.cuh", "bk.cu"].map(str::to_owned);
        let expected = "\t.file\t1 \"k.cu\"\n\t.file\t2 \"sub/n.cuh\"\n.file 3 \"/usr/x.h\", 1, 2\n// \"/a/b/k.cu\"\n.file 4 \"c/d.h\"\n";
        assert_eq!(restored(ptx, names.iter(), Some(Path::new("/a/b"))), expected);
    }
}
