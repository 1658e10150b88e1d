//! What each renderer makes of each finding and each status.

mod benches;
mod cells;
mod human;
mod json;
mod junit_format;
mod machines;
mod made;
mod matrix;
mod mutants;
mod pages;
mod runs;
mod sarif_schema;
mod schema;
mod stressed;
mod trace;
