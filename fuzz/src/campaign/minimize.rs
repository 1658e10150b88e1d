//! Smaller inputs that fail in the same way.
//!
//! Fewer bytes, and smaller choices: a choice of 0 is the smallest or most usual one, so the input gets simpler for a person,
//! too. Every step keeps the signature of the failure. What is slow or aborts cannot be tried in this process.

use std::path::{Path, PathBuf};

use super::finding::{Record, read_finding, write_finding};
use super::replay::replay_bytes;
use super::store::{StoreError, hash};
use crate::oracle::{Bench, Property, Trial};

/// What came of making a finding smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimized {
    /// Where the smaller one is.
    pub folder: PathBuf,
    /// Bytes before and after.
    pub bytes: [usize; 2],
    /// Inputs that were tried.
    pub tries: u32,
    /// Whether the finding failed at all; nothing was changed where it did not.
    pub fails: bool,
}

/// Makes the input of a finding smaller, trying at most so many inputs. The smaller finding is a new folder beside the old
/// one, which stays.
///
/// # Errors
/// A folder that is no finding, or that cannot be written beside.
pub fn minimize(folder: &Path, bench: &Bench, most: u32) -> Result<Minimized, StoreError> {
    let (bytes, record) = read_finding(folder)?;
    let before = bytes.len();
    let in_process = ![Property::Slow.name(), Property::Abort.name()].contains(&record.property.as_str());
    let mut search = Search { bench, record: &record, best: bytes, message: String::new(), tries: 0, most };
    let best = search.best.clone();
    if !in_process || !search.fails(&best) {
        let bytes = [before, before];
        return Ok(Minimized { folder: folder.to_owned(), bytes, tries: search.tries, fails: false });
    }
    search.run();
    let Search { best, message, tries, .. } = search;
    let name = format!("{}-{}", record.property, hash(&best));
    let smaller = match folder.file_name() {
        Some(_) => folder.with_file_name(name),
        // `.`, the folder that the command is given in.
        None => folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).with_file_name(name),
    };
    write_finding(&smaller, &best, &Record { message, ..record })?;
    Ok(Minimized { folder: smaller, bytes: [before, best.len()], tries, fails: true })
}

struct Search<'a> {
    bench: &'a Bench,
    record: &'a Record,
    best: Vec<u8>,
    message: String,
    tries: u32,
    most: u32,
}

impl Search<'_> {
    fn fails(&mut self, bytes: &[u8]) -> bool {
        self.tries += 1;
        match replay_bytes(self.bench, bytes, &self.record.scope) {
            Trial::Fails(failure) if failure.signature() == self.record.signature() => {
                self.message = failure.message;
                true
            }
            _ => false,
        }
    }

    /// Keeps a candidate that is smaller and fails.
    fn offer(&mut self, candidate: Vec<u8>) -> bool {
        let better = size(&candidate) < size(&self.best) && self.tries < self.most && self.fails(&candidate);
        if better {
            self.best = candidate;
        }
        better
    }

    fn run(&mut self) {
        loop {
            let before = size(&self.best);
            self.shorter();
            self.without_choices();
            self.smaller_choices();
            if size(&self.best) == before || self.tries >= self.most {
                return;
            }
        }
    }

    /// Cuts bytes off the end: half of what is there, a quarter, and so on.
    fn shorter(&mut self) {
        let mut cut = self.best.len();
        while cut > 0 {
            while cut <= self.best.len() && cut > 0 && self.offer(self.best[..self.best.len() - cut].to_vec()) {}
            cut /= 2;
        }
    }

    /// Leaves single choices out.
    fn without_choices(&mut self) {
        let mut start = 0;
        while start + 4 <= self.best.len() {
            let mut candidate = self.best.clone();
            candidate.drain(start..start + 4);
            if !self.offer(candidate) {
                start += 4;
            }
        }
    }

    /// Makes choices 0, or half of what they are, or one less.
    fn smaller_choices(&mut self) {
        for start in (0..self.best.len()).step_by(4) {
            let end = (start + 4).min(self.best.len());
            let mut word = [0; 4];
            word[..end - start].copy_from_slice(&self.best[start..end]);
            let mut value = u32::from_le_bytes(word);
            for smaller in SMALLER {
                while smaller(value) < value {
                    let mut candidate = self.best.clone();
                    candidate[start..end].copy_from_slice(&smaller(value).to_le_bytes()[..end - start]);
                    if !self.offer(candidate) {
                        break;
                    }
                    value = smaller(value);
                }
            }
        }
    }
}

/// Smaller values of a choice, the smallest first.
const SMALLER: [fn(u32) -> u32; 4] = [|_| 0, |value| value % 256, |value| value / 2, |value| value.saturating_sub(1)];

/// Length first, then the sum of all bytes weighed by their place in a choice.
fn size(bytes: &[u8]) -> (usize, u64) {
    let words = bytes.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from(u32::from_le_bytes(word))
    });
    (bytes.len(), words.sum())
}
