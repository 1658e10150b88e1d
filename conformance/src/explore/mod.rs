//! Exploring a launch: the engines as the rest of the program calls them.

pub mod child;
mod job;
mod reply;
