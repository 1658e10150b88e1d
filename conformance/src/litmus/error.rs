//! Litmus tests that cannot be written.

use gridproof_launch::LaunchError;

use super::Syntax;

/// Why a litmus test is no launch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LitmusError {
    /// The language has no words for it.
    #[error("litmus test `{name}`: {syntax} has no {what}")]
    Unsayable {
        /// The test.
        name: String,
        /// The language.
        syntax: Syntax,
        /// What it lacks.
        what: &'static str,
    },
    /// It breaks a rule of litmus tests.
    #[error("litmus test `{name}`: {what} = {value}: {limit}")]
    Malformed {
        /// The test.
        name: String,
        /// What is wrong.
        what: &'static str,
        /// Its value.
        value: usize,
        /// What it must be.
        limit: &'static str,
    },
    /// The launch cannot be made.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}
