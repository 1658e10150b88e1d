//! What each renderer makes of each finding and each status.

mod benches;
mod human;
mod json;
mod machines;
mod made;
mod mutants;
mod pages;
mod runs;
mod schema;
mod stressed;
mod trace;
