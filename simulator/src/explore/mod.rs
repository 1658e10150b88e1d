//! Answering for every schedule of a launch that is small enough for it.

pub mod loom;
