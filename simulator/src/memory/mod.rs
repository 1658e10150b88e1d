//! Device memory: contents of buffers ([`Image`]), one worker's view of them (`Storage`), and the shadow
//! that remembers who touched which byte (`shadow`; `history` and `messages` where atomics order accesses).

pub(crate) mod history;
mod image;
pub(crate) mod messages;
mod pages;
pub(crate) mod shadow;
mod storage;
pub(crate) mod versions;

pub use image::Image;
pub use pages::PAGE;
pub(crate) use pages::page_of;
pub(crate) use storage::{DirtyPage, Storage};
