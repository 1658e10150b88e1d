//! Hostile input from outside: whatever a file or a flag holds, the program ends by itself, with one of its exit codes, in
//! bounded memory, and never by a panic or a signal. A run is killed after a minute, which fails the test.
//!
//! Each run may map 8 GiB, so that memory that grows with a lying number is refused by the system and seen here as an abort.
#![cfg(target_os = "linux")]

#[path = "robustness/corpus.rs"]
mod corpus;
#[path = "robustness/program.rs"]
mod program;
#[path = "robustness/readers.rs"]
mod readers;
#[path = "robustness/special_files.rs"]
mod special_files;
#[path = "robustness/work.rs"]
mod work;
