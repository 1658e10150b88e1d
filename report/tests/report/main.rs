//! What each renderer makes of each finding and each status.

mod human;
mod json;
mod made;
mod schema;
