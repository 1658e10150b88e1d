//! The loom engine on small launches: what it calls a race, what it explores, how it ends.

mod launches;
mod limits;
mod ordering;
mod progress;
mod subgroups;
mod workgroups;
