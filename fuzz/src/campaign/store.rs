//! The directory of a campaign: the only state there is.
//!
//! ```text
//! campaign.toml               what is drawn and for how long
//! corpus/HASH                 an input that came across something new, as bytes
//! findings/PROPERTY-HASH/     a failure: input, finding.toml, launch files, README.md
//! clients/ID                  the input that client ID is executing; ID.files is its own folder
//! ```
//!
//! Names are hashes of contents, files are written under another name, synchronised and renamed: whoever is killed leaves
//! whole files only, and any number of processes and machines may share the directory without asking each other. Two that
//! find the same write the same file.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::{as_toml, format_error, from_toml, names, read, refused, write};
use super::finding::{Findings, RECORD, Record, read_all, write_finding};
use crate::input::Scope;
use crate::oracle::Failure;

/// What a campaign draws, and how long an input may take. Kept as `campaign.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Seed of the first client; the others follow.
    pub seed: u64,
    /// Milliseconds of processor time after which an input is a finding.
    pub limit_milliseconds: u64,
    /// Mebibytes of address space that a client may take; 8,192 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mebibytes: Option<u64>,
    /// What is drawn.
    #[serde(default)]
    pub scope: Scope,
}

/// Milliseconds of [`Settings::limit_milliseconds`] for a finding that is in no campaign.
const USUAL_LIMIT: u64 = 30_000;

impl Settings {
    /// Those of the campaign that the folder of a finding is in, or the usual ones.
    pub fn of_finding(folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let campaign = folder.parent().and_then(Path::parent).and_then(|campaign| Store::open(campaign).ok());
        let settings = campaign.and_then(|campaign| campaign.settings().ok());
        settings.unwrap_or_else(|| Self { limit_milliseconds: USUAL_LIMIT, ..Self::default() })
    }

    /// Bytes of address space that a client may take.
    pub fn memory(&self) -> u64 {
        self.memory_mebibytes.unwrap_or(USUAL_MEMORY).saturating_mul(1 << 20)
    }
}

/// The settings for a client over this folder: of a campaign, or of a finding.
///
/// # Errors
/// A campaign whose settings cannot be read.
pub fn settings(folder: &Path) -> Result<Settings, StoreError> {
    if folder.join(RECORD).exists() { Ok(Settings::of_finding(folder)) } else { Store::open(folder)?.settings() }
}

/// What is wrong with a directory.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refuses.
    #[error("{}: {reason}", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        reason: io::Error,
    },
    /// A file that cannot be read as what it should be.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No campaign there.
    #[error("{}: there is no campaign in this folder (campaign.toml is missing)", path.display())]
    NoCampaign {
        /// The folder.
        path: PathBuf,
    },
    /// Another campaign there.
    #[error("{}: there is a campaign with other settings; `gridproof fuzz resume` goes on with it", path.display())]
    OtherCampaign {
        /// The folder.
        path: PathBuf,
    },
}

/// See the file's head.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// Mebibytes of address space of a client: several times what the budgets of one launch allow.
pub const USUAL_MEMORY: u64 = 8192;

const SETTINGS: &str = "campaign.toml";

impl Store {
    /// Makes the folders of a campaign, or finds the same campaign there.
    ///
    /// # Errors
    /// What the system refuses; a campaign with other settings.
    pub fn create(folder: &Path, settings: &Settings) -> Result<Self, StoreError> {
        let store = Self { folder: folder.to_owned() };
        for name in ["corpus", "findings", "clients"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(|reason| refused(&path, reason))?;
        }
        let path = folder.join(SETTINGS);
        if path.exists() {
            return match store.settings()? == *settings {
                true => Ok(store),
                false => Err(StoreError::OtherCampaign { path: folder.to_owned() }),
            };
        }
        write(&path, as_toml(&path, settings)?.as_bytes())?;
        Ok(store)
    }

    /// The campaign in a folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        match folder.join(SETTINGS).is_file() {
            true => Ok(Self { folder: folder.to_owned() }),
            false => Err(StoreError::NoCampaign { path: folder.to_owned() }),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the campaign draws.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        let path = self.folder.join(SETTINGS);
        let settings: Settings = from_toml(&path)?;
        settings.scope.validate().map_err(|error| format_error(&path, error))?;
        Ok(settings)
    }

    /// Keeps an input. Whether it was new.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn keep(&self, bytes: &[u8]) -> Result<bool, StoreError> {
        let path = self.folder.join("corpus").join(hash(bytes));
        if path.exists() {
            return Ok(false);
        }
        write(&path, bytes)?;
        Ok(true)
    }

    /// Names of kept inputs, in order.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn corpus(&self) -> Result<BTreeSet<String>, StoreError> {
        names(&self.folder.join("corpus"))
    }

    /// A kept input.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn input(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        read(&self.folder.join("corpus").join(name))
    }

    /// Keeps a failure: as a folder that appears as a whole. Gives the folder.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn report(
        &self,
        bytes: &[u8],
        failure: &Failure,
        after_milliseconds: u64,
        scope: &Scope,
    ) -> Result<PathBuf, StoreError> {
        let folder = self.folder.join("findings").join(format!("{}-{}", failure.property, hash(bytes)));
        let record = Record {
            property: failure.property.to_string(),
            subject: failure.subject.clone(),
            message: failure.message.clone(),
            after_milliseconds,
            scope: scope.clone(),
        };
        write_finding(&folder, bytes, &record)?;
        Ok(folder)
    }

    /// Keeps a failure unless one with the same signature is there. Whether it was new.
    ///
    /// Two that find it at the same moment may both keep theirs: asking each other would cost more than a second folder.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn report_new(
        &self,
        bytes: &[u8],
        failure: &Failure,
        after_milliseconds: u64,
        scope: &Scope,
    ) -> Result<bool, StoreError> {
        let signature = failure.signature();
        if self.findings()?.read.iter().any(|(_, record)| record.signature() == signature) {
            return Ok(false);
        }
        self.report(bytes, failure, after_milliseconds, scope).map(|_| true)
    }

    /// What was found. See [`Findings`] for those that cannot be read.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn findings(&self) -> Result<Findings, StoreError> {
        read_all(&self.folder.join("findings"))
    }

    /// Where a client says what it is executing.
    pub fn current(&self, client: u32) -> PathBuf {
        self.folder.join("clients").join(client.to_string())
    }

    /// Where a client has files for readers of files.
    pub fn scratch(&self, client: u32) -> PathBuf {
        self.current(client).with_extension("files")
    }
}

/// The first 128 bits of SHA-256, as hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
