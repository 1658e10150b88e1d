//! The only renderer: human text, JSON, JUnit, SARIF, HTML and trace.
//!
//! `conformance` fills [`model`]; everything here turns it into text and never looks at anything else: no
//! files, no terminal, no clock. Where output goes, whether it has colour and how wide it is are options.
#![forbid(unsafe_code)]

pub mod bench;
pub mod explain;
pub mod fingerprint;
pub mod fuzz;
pub mod html;
pub mod human;
pub mod json;
pub mod junit;
pub mod matrix;
pub mod model;
pub mod mutation;
pub mod sarif;
pub mod source;
pub mod steps;
pub mod stress;
pub mod table;
pub mod text;
pub mod trace;
pub mod turns;
pub mod verdict;
pub mod words;

/// A format's library refused to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{format} cannot be written: {message}")]
pub struct RenderError {
    /// The format.
    pub format: &'static str,
    /// What its library says.
    pub message: String,
}
