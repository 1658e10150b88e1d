//! Who runs: names and seeds that no two runs over one folder share, on whatever machines they are.
//!
//! A run is one parent with its clients. Its identity is drawn from the time, the process, the name of the machine and
//! the system's random numbers. It goes into names and into seeds of runs that are not the folder's first, and into
//! nothing that is printed. Numbers of clients are claimed by making their folder, which only one can: that two identities
//! are equal would be no harm either.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::files::refused;
use super::store::{Store, StoreError};

/// What the folder's first run leaves in `clients`, so that later ones know that they are not.
const FIRST: &str = "first";

/// One run over a folder. What it claimed is removed with it.
#[derive(Debug)]
pub struct Run {
    identity: String,
    first: bool,
    claimed: Vec<(PathBuf, PathBuf)>,
}

impl Run {
    /// Begins a run.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn begin(store: &Store) -> Result<Self, StoreError> {
        let path = store.folder().join("clients").join(FIRST);
        let first = match File::create_new(&path) {
            Ok(_) => true,
            Err(reason) if reason.kind() == ErrorKind::AlreadyExists => false,
            Err(reason) => return Err(refused(&path, reason)),
        };
        Ok(Self { identity: identity(), first, claimed: Vec::new() })
    }

    /// The seed of this run's first client: as given in the folder's first run, another one in every later run.
    pub fn seed(&self, given: u64) -> u64 {
        if self.first { given } else { number(&[&given.to_string(), &self.identity]) }
    }

    /// The number of a new client, with its folder for files.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn claim(&mut self, store: &Store) -> Result<u32, StoreError> {
        for attempt in self.claimed.len().. {
            let drawn = number(&[&self.identity, &attempt.to_string()]);
            let client = u32::try_from(drawn >> 32).unwrap_or(u32::MAX);
            let files = store.scratch(client);
            match fs::create_dir(&files) {
                Ok(()) => {
                    self.claimed.push((store.current(client), files));
                    return Ok(client);
                }
                Err(reason) if reason.kind() == ErrorKind::AlreadyExists => {}
                Err(reason) => return Err(refused(&files, reason)),
            }
        }
        Err(refused(store.folder(), ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for (current, files) in &self.claimed {
            // What is left is nobody's: the names are not drawn again. Where nothing was executed there is no file.
            drop(fs::remove_file(current));
            drop(fs::remove_dir_all(files));
        }
    }
}

/// The name of this process among all machines, for unfinished files.
pub(super) fn process() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(identity)
}

/// Another one in every call.
fn identity() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let random = RandomState::new().build_hasher().finish();
    let words = [since.as_nanos().to_string(), std::process::id().to_string(), machine(), random.to_string()];
    format!("{:016x}", number(&words.each_ref().map(String::as_str)))
}

/// A number from words: the first 64 bits of SHA-256.
fn number(words: &[&str]) -> u64 {
    let digest = Sha256::digest(words.join("\n"));
    digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}

#[cfg(unix)]
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn machine() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::campaign::Settings;

    #[test]
    fn runs_over_one_folder_share_neither_clients_nor_seeds() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { seed: 7, limit_milliseconds: 1000, ..Settings::default() };
        let stores = [(); 3].map(|()| Store::create(folder.path(), &settings).unwrap());
        let mut runs = stores.each_ref().map(|store| Run::begin(store).unwrap());
        let seeds = runs.each_ref().map(|run| run.seed(7));
        assert_eq!(seeds[0], 7, "the first run draws what its seed says");
        assert_eq!(BTreeSet::from(seeds).len(), 3, "{seeds:?}");
        let mut claim = |run: usize| (0..4).map(|_| runs[run].claim(&stores[run]).unwrap()).collect::<BTreeSet<u32>>();
        let clients: BTreeSet<u32> = [claim(0), claim(1), claim(2)].into_iter().flatten().collect();
        assert_eq!(clients.len(), 12);
        drop(runs);
        let left: Vec<_> = fs::read_dir(folder.path().join("clients")).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(left.len(), 1, "what was claimed is removed: {left:?}");
    }

    #[test]
    fn a_number_that_somebody_has_is_not_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path(), &Settings::default()).unwrap();
        // The same identity, as if two machines had drawn it.
        let run = || Run { identity: "same".to_owned(), first: false, claimed: Vec::new() };
        let (mut one, mut other) = (run(), run());
        assert_ne!(one.claim(&store).unwrap(), other.claim(&store).unwrap());
    }
}
