//! What is left of a long virtual buffer: the device looks for the pages that no longer hold what the buffer was filled
//! with, and only those come back. A pool of 17 GB of which a launch wrote two slots costs a few milliseconds so.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gridproof_launch::{Contents, Fill};

use super::context::Context;
use super::graph::{Graph, Node};
use super::memory::{Allocation, Staging};
use super::module::{Image, LoadedModule};
use crate::RunError;

/// The kernel that looks. Its text is old enough for every driver.
const PTX: &str = include_str!("pages.ptx");

/// Bytes of a page, as the kernel knows them.
const PAGE: u64 = 64 << 10;

/// Invocations of a workgroup.
const INVOCATIONS: u32 = 256;

/// A virtual buffer shorter than this comes back as a whole.
pub(super) const LONG: u64 = 64 << 20;

/// Reads back a buffer that was filled with `byte`. `length` is the buffer's own.
pub(super) fn read(
    context: &Rc<Context>,
    staging: &Staging,
    allocation: &Allocation,
    (length, byte): (u64, u8),
    limit: Duration,
) -> Result<Contents, RunError> {
    let marks = marks(context, staging, allocation, byte, limit)?;
    let mut patches = BTreeMap::new();
    for (start, end) in stretches(&marks, length) {
        let bytes: Arc<[u8]> = staging.download(allocation, (start, end), limit)?.into();
        patches.insert(start, bytes);
    }
    Ok(Contents::Virtual { fill: Fill::Byte(byte), patches })
}

/// A word for every page, 0 where it holds the byte everywhere.
fn marks(
    context: &Rc<Context>,
    staging: &Staging,
    allocation: &Allocation,
    byte: u8,
    limit: Duration,
) -> Result<Vec<u8>, RunError> {
    let pages = allocation.length().div_ceil(PAGE);
    let marks = Allocation::new(context, pages * 4)?;
    marks.fill(0)?;
    let module = LoadedModule::load(context, "pages.ptx", Image::Ptx(PTX))?;
    let kernel = module.kernel("changed_pages")?;
    let kernel = kernel.ok_or_else(|| RunError::Internal("`changed_pages` is not there".to_owned()))?;
    let groups = u32::try_from(pages).map_err(|_| RunError::Unsupported(format!("a buffer of {pages} pages")))?;
    let node = Node {
        kernel,
        grid: [groups, 1, 1],
        workgroup: [INVOCATIONS, 1, 1],
        dynamic_bytes: 0,
        parameters: vec![
            allocation.address().to_le_bytes().to_vec(),
            (allocation.length() / 4).to_le_bytes().to_vec(),
            [byte; 4].to_vec(),
            marks.address().to_le_bytes().to_vec(),
        ],
    };
    Graph::new(context, &[node])?.run(limit)?;
    staging.download(&marks, (0, pages * 4), limit)
}

/// The byte ranges of neighbouring marked pages, cut at the end of the buffer.
fn stretches(marks: &[u8], length: u64) -> Vec<(u64, u64)> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    let mut start = 0;
    for mark in marks.chunks_exact(4) {
        let end = length.min(start + PAGE);
        if mark.iter().any(|byte| *byte != 0) {
            match stretches.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => stretches.push((start, end)),
            }
        }
        start += PAGE;
    }
    stretches.retain(|(start, end)| start < end);
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_pages_come_back_together_and_the_last_one_is_cut() {
        let marks: Vec<u8> = [0_u32, 1, 1, 0, 1].into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(stretches(&marks, 4 * PAGE + 6), [(PAGE, 3 * PAGE), (4 * PAGE, 4 * PAGE + 6)]);
        assert_eq!(stretches(&[0; 20], 5 * PAGE), []);
        // Only the rounding of the length to words can differ there.
        assert_eq!(stretches(&marks, 4 * PAGE), [(PAGE, 3 * PAGE)]);
    }

    #[test]
    fn the_kernel_knows_the_page() {
        let words = PAGE / 4;
        assert!(PTX.contains(&format!("add.u64 %rd5, %rd4, {words};")));
        assert!(PTX.contains(&format!("shl.b64 %rd4, %rd4, {};", words.ilog2())));
        assert!(words.is_power_of_two());
    }
}
