//! The only renderer: human text, JSON, JUnit and SARIF.
#![forbid(unsafe_code)]

pub mod model;
