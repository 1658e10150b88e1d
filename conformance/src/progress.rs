//! How far a long job is: told to the caller, who may show it.

/// One step of a long job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// What is being done now; empty at the end.
    pub current: &'a str,
}
