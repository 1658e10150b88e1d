//! Shapes, indices, schedules and kernels nobody thought of.
//!
//! [`input`] makes something to try out of any bytes, and [`oracle`] says whether what happened is right; neither knows of
//! a fuzz engine. [`campaign`] is the glue: `LibAFL` in child processes that share a directory.
#![forbid(unsafe_code)]

pub mod campaign;
pub mod draw;
pub mod input;
pub mod oracle;
