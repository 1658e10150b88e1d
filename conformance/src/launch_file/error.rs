//! What can be wrong with a launch file and the files it names. Every error says where.

use std::fmt;

use gridproof_launch::LaunchError;

/// A launch that could not be read, with the place in the launch file that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchFileError {
    /// File name as it was given.
    pub file: String,
    /// Line, counted from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Column in characters, counted from 1; 0 when the whole file is meant.
    pub column: u32,
    /// What is wrong there.
    pub problem: Problem,
}

impl fmt::Display for LaunchFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, problem } = self;
        match line {
            0 => write!(f, "{file}: {problem}"),
            _ => write!(f, "{file}:{line}:{column}: {problem}"),
        }
    }
}

impl std::error::Error for LaunchFileError {}

/// What is wrong at a place of a launch file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The operating system does not give us the file.
    #[error("cannot read `{path}`: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The text is not TOML, or has a key or a type that the format does not have.
    #[error("{message}")]
    Format {
        /// The parser's words, on one line.
        message: String,
    },
    /// A value outside what its key allows.
    #[error("`{key}` = {value}: {limit}")]
    Value {
        /// The key.
        key: String,
        /// What was given.
        value: String,
        /// What it must be.
        limit: String,
    },
    /// A key that is needed here.
    #[error("`{key}` is missing: {why}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What it is needed for.
        why: String,
    },
    /// Keys that exclude each other.
    #[error("`{key}` cannot be given here: {why}")]
    Conflict {
        /// The key that is too much.
        key: String,
        /// The reason.
        why: String,
    },
    /// Contents that would take more memory than the check may use.
    #[error("`{name}` needs {bytes} bytes of contents, {held} are held already and the memory budget is {limit} bytes")]
    Budget {
        /// Buffer.
        name: String,
        /// Bytes it needs.
        bytes: u64,
        /// Bytes that buffers before it hold.
        held: u64,
        /// The budget.
        limit: u64,
    },
    /// A kernel file that is not what its name says.
    #[error("kernel `{path}`: {reason}")]
    Kernel {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor file that is broken, or lacks the tensor asked for.
    #[error("tensor file `{path}`: {reason}")]
    TensorFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The launch as a whole makes no sense.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}

/// The text of one launch file, to turn byte spans into places.
pub(super) struct Text<'a> {
    pub file: &'a str,
    pub source: &'a str,
}

impl Text<'_> {
    /// An error at the first byte of `span`.
    pub fn error(&self, span: std::ops::Range<usize>, problem: impl Into<Problem>) -> LaunchFileError {
        let before = self.source.get(..span.start).unwrap_or(self.source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        LaunchFileError {
            file: self.file.to_owned(),
            line: count(before.matches('\n').count()),
            column: count(before[line_start..].chars().count()),
            problem: problem.into(),
        }
    }

    /// An error about a value: its key, what was given, and what it must be.
    pub fn value(
        &self,
        span: std::ops::Range<usize>,
        key: impl Into<String>,
        value: impl fmt::Display,
        limit: impl Into<String>,
    ) -> LaunchFileError {
        self.error(span, Problem::Value { key: key.into(), value: value.to_string(), limit: limit.into() })
    }
}

/// An error about a file as a whole.
pub(super) fn whole_file(file: &str, problem: Problem) -> LaunchFileError {
    LaunchFileError { file: file.to_owned(), line: 0, column: 0, problem }
}
