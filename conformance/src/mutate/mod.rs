//! Mutation of a kernel: each barrier and each guard left out in turn, and what is noticed then.
//!
//! A mutant runs on every launch until one notices: by a finding that is not there with the kernel as it is, by
//! outputs that are not the same, or by not coming to an end. What survives all launches is redundant for them, and
//! since each of those verdicts holds for every schedule, so does this one. A kernel that is wrong before anything is
//! left out has nothing to compare with, and is skipped with the reason.

mod case;
mod judged;
mod select;
mod study;

pub use select::{MutateOptions, mutate_catalogue, mutate_files};
