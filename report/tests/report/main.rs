//! What each renderer makes of each finding and each status.

mod human;
mod made;
