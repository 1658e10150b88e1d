//! What identifies a finding from one run to the next: the key of baselines and of SARIF's `partialFingerprints`.
//!
//! It is made of the rule, the kernel (with its variant and language, or the module and entry point), and of each access its
//! buffer, its file and the texts of its line and of the lines with text before and after it, without the blanks around
//! them: one `workgroupBarrier();` is not another. It does not depend on line numbers, so that code may move up and down;
//! nor on shapes, seeds, schedules, times and threads. Which of two accesses comes first does not matter either. A line that
//! is edited makes a new finding, and so does its neighbour: somebody should look at it again. Where no text is at hand (SPIR-V
//! without debug information), the number of the instruction stands for it.

use gridproof_launch::Language;
use gridproof_simulator::finding::Finding;
use gridproof_simulator::ir::{SourceFile, Span};

use crate::model::Subject;
use crate::source;

/// The fingerprint of a finding in the kernel that [`kernel`] names: 16 hexadecimal digits.
pub fn fingerprint(kernel: &str, finding: &Finding, files: &[SourceFile]) -> String {
    let mut hash = Fnv::default();
    hash.add(finding.rule.code());
    hash.add(&path(kernel));
    let mut sites: Vec<[String; 3]> = std::iter::once(&finding.first)
        .chain(&finding.second)
        .map(|site| {
            let file = source::file(site.span, files).map_or("", |file| file.name.as_str());
            let lines = lines(site.span, files).unwrap_or_else(|| format!("instruction {}", site.pc));
            [site.buffer.clone(), path(file), lines]
        })
        .collect();
    sites.sort();
    sites.iter().flatten().for_each(|part| hash.add(part));
    hash.digits()
}

/// A fingerprint of texts.
pub(crate) fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Fnv::default();
    texts.into_iter().for_each(|text| hash.add(text));
    hash.digits()
}

/// The kernel without its shape: the same finding at another shape is the same finding.
pub fn kernel(subject: &Subject) -> String {
    match subject {
        Subject::Catalogue { kernel, variant, language: Language::Wgsl, .. } => format!("{kernel}:{variant}"),
        Subject::Catalogue { kernel, variant, language, .. } => format!("{kernel}:{variant}:{language}"),
        Subject::File { module, entry, .. } => format!("{}:{entry}", path(module)),
    }
}

/// A path as every shell writes it.
fn path(name: &str) -> String {
    let name = name.replace('\\', "/");
    name.trim_start_matches("./").to_owned()
}

/// The line of a place, between the nearest ones before and after it that have text.
fn lines(span: Span, files: &[SourceFile]) -> Option<String> {
    let text = source::file(span, files).and_then(|file| file.text.as_deref())?;
    let number = usize::try_from(span.line).ok().and_then(|line| line.checked_sub(1))?;
    let all: Vec<&str> = text.lines().map(str::trim).collect();
    let own = all.get(number)?;
    let has_text = |line: &&&str| !line.is_empty();
    let before = all[..number].iter().rev().find(has_text).unwrap_or(&"");
    let after = all[number + 1..].iter().find(has_text).unwrap_or(&"");
    Some(format!("{before}\n{own}\n{after}"))
}

/// FNV-1a of 64 bits.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// A text and its end, so that `ab`, `c` is not `a`, `bc`.
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn digits(&self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        let mut hash = Fnv::default();
        for byte in b"foobar" {
            hash.0 = (hash.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        assert_eq!(hash.0, 0x8594_4171_f739_67e8, "the published value for `foobar`");
        assert_ne!(of_texts(["ab", "c"]), of_texts(["a", "bc"]));
    }

    #[test]
    fn a_line_is_known_by_its_neighbours_and_not_by_its_number() {
        let line = |text: &str, line: u32| {
            let files = [SourceFile { name: "a.wgsl".to_owned(), text: Some(text.into()) }];
            lines(Span { line, ..Span::default() }, &files)
        };
        let text = "a();\nbarrier();\nb();\nbarrier();\nc();\n";
        assert_ne!(line(text, 2), line(text, 4));
        assert_eq!(line(text, 4), line("// moved\na();\nbarrier();\nb();\n\n  barrier();\n\nc();\n", 6));
        assert_eq!(line("barrier();", 1).as_deref(), Some("\nbarrier();\n"));
        assert_eq!(line("", 0), None);
        assert_eq!(lines(Span { line: 1, ..Span::default() }, &[]), None);
    }

    #[test]
    fn a_path_is_the_same_in_every_spelling() {
        let file = |module: &str| Subject::File {
            module: module.to_owned(),
            entry: "main".to_owned(),
            launch: String::new(),
            seed: 0,
        };
        assert_eq!(kernel(&file("./a/b.wgsl")), kernel(&file("a\\b.wgsl")));
        assert_ne!(kernel(&file("b.wgsl")), kernel(&file("a/b.wgsl")));
    }
}
