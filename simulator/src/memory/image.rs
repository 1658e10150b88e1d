//! Contents of one buffer. A dense buffer is one allocation, shared with the launch until first written; a
//! virtual one keeps only the pages that differ from its fill, with a bit per byte where it starts uninitialised.

use std::sync::Arc;

use gridproof_launch::{Buffer, Contents, Fill};

use super::pages::{PAGE, PageTable, page_of};
use crate::cast::{at64, wide};

/// Bytes of one page and which of them have been written (bit i of word i/64).
#[derive(Clone, Debug)]
struct Page {
    bytes: Box<[u8]>,
    written: Option<Box<[u64]>>,
}

#[derive(Clone, Debug)]
enum Body {
    Dense(Arc<[u8]>),
    Sparse { fill: Fill, pages: Arc<PageTable<Page>> },
}

/// Contents of one buffer at one moment.
#[derive(Clone, Debug)]
pub struct Image {
    length: u64,
    body: Body,
}

impl Image {
    /// The initial contents of `buffer`.
    pub fn new(buffer: &Buffer) -> Self {
        let body = match &buffer.contents {
            Contents::Dense(bytes) => Body::Dense(bytes.clone()),
            Contents::Virtual { fill, .. } => Body::Sparse { fill: *fill, pages: Arc::default() },
        };
        let mut image = Self { length: buffer.length, body };
        if let Contents::Virtual { patches, .. } = &buffer.contents {
            for (&offset, bytes) in patches {
                image.write(offset, bytes);
            }
        }
        image
    }

    /// Length in bytes.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The whole contents as one slice, where they are one.
    #[inline(always)]
    pub(crate) fn dense(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Dense(bytes) => Some(bytes),
            Body::Sparse { .. } => None,
        }
    }

    /// Copies bytes from `offset` on into `out`; bytes past the end, and bytes nobody wrote, read as 0.
    pub fn read(&self, offset: u64, out: &mut [u8]) {
        match &self.body {
            Body::Dense(bytes) => {
                let from = bytes.get(at64(offset)..).unwrap_or(&[]);
                let have = from.len().min(out.len());
                out[..have].copy_from_slice(&from[..have]);
                out[have..].fill(0);
            }
            Body::Sparse { fill, pages } => {
                let blank = if let Fill::Byte(byte) = fill { *byte } else { 0 };
                for_pages(offset, out.len(), |page, inside, range| match pages.find(page) {
                    Some(page) => {
                        let length = range.len();
                        out[range].copy_from_slice(&page.bytes[inside..inside + length]);
                    }
                    None => out[range].fill(blank),
                });
            }
        }
    }

    /// Puts `bytes` there from `offset` on; what goes past the end is dropped.
    pub fn overwrite(&mut self, offset: u64, bytes: &[u8]) {
        let room = at64(self.length.saturating_sub(offset));
        self.write(offset.min(self.length), bytes.get(..room).unwrap_or(bytes));
    }

    /// Whether all of `length` bytes from `offset` on have a value: whether they were there from the start, or written.
    pub fn has_value(&self, offset: u64, length: usize) -> bool {
        self.is_initialised(offset, length)
    }

    /// Writes `bytes` from `offset` on. The caller has checked the bounds.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        match &mut self.body {
            Body::Dense(body) => {
                let start = at64(offset);
                Arc::make_mut(body)[start..start + bytes.len()].copy_from_slice(bytes);
            }
            Body::Sparse { fill, pages } => {
                let pages = Arc::make_mut(pages);
                for_pages(offset, bytes.len(), |page, inside, range| {
                    let page = pages.find_or_insert(page, || Page::blank(*fill));
                    let length = range.len();
                    page.bytes[inside..inside + length].copy_from_slice(&bytes[range]);
                    if let Some(written) = &mut page.written {
                        set_bits(written, inside, length);
                    }
                });
            }
        }
    }

    /// Whether all of `length` bytes from `offset` on have a value.
    pub(crate) fn is_initialised(&self, offset: u64, length: usize) -> bool {
        let Body::Sparse { fill: Fill::Uninitialised, pages } = &self.body else { return true };
        let mut all = true;
        for_pages(offset, length, |page, inside, range| {
            all &= pages
                .find(page)
                .is_some_and(|page| page.written.as_ref().is_none_or(|bits| all_bits(bits, inside, range.len())));
        });
        all
    }

    /// Whether any byte may be without a value.
    pub(crate) const fn may_be_uninitialised(&self) -> bool {
        matches!(&self.body, Body::Sparse { fill: Fill::Uninitialised, .. })
    }

    /// The whole contents as a vector. Meant for buffers that fit in memory.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; at64(self.length)];
        self.read(0, &mut out);
        out
    }

    /// Bytes that differ between two images of one buffer, and the first of them. A byte that only one of them has
    /// a value for differs.
    pub fn difference(&self, other: &Self) -> (u64, Option<u64>) {
        let (mut count, mut first) = (0, None);
        let mut note = |byte: u64| {
            first.get_or_insert(byte);
            count += 1;
        };
        if let (Some(ours), Some(theirs)) = (self.dense(), other.dense()) {
            if ours != theirs {
                ours.iter().zip(theirs).zip(0..).filter(|((a, b), _)| a != b).for_each(|(_, byte)| note(byte));
            }
            return (count, first);
        }
        let mut touched: Vec<u64> = [self, other].into_iter().flat_map(Self::page_numbers).collect();
        touched.sort_unstable();
        touched.dedup();
        let (mut ours, mut theirs) = ([0; PAGE], [0; PAGE]);
        for page in touched {
            let offset = page * wide(PAGE);
            let length = PAGE.min(at64(self.length.saturating_sub(offset)));
            self.read(offset, &mut ours);
            other.read(offset, &mut theirs);
            let (we, they) = (self.written(page), other.written(page));
            if ours[..length] == theirs[..length] && we == they {
                continue;
            }
            for byte in 0..length {
                let has = |bits: &[u64; PAGE / 64]| bits[byte / 64] >> (byte % 64) & 1;
                if ours[byte] != theirs[byte] || has(&we) != has(&they) {
                    note(offset + wide(byte));
                }
            }
        }
        (count, first)
    }

    /// Which bytes of a page have a value.
    fn written(&self, page: u64) -> [u64; PAGE / 64] {
        let Body::Sparse { fill: Fill::Uninitialised, pages } = &self.body else { return [u64::MAX; PAGE / 64] };
        let Some(page) = pages.find(page) else { return [0; PAGE / 64] };
        let mut all = [u64::MAX; PAGE / 64];
        if let Some(written) = &page.written {
            all.copy_from_slice(written);
        }
        all
    }

    /// Bytes this image holds in memory.
    pub(crate) fn footprint(&self) -> u64 {
        match &self.body {
            Body::Dense(bytes) => wide(bytes.len()),
            Body::Sparse { pages, .. } => wide(pages.iter().count() * PAGE),
        }
    }

    fn page_numbers(&self) -> Vec<u64> {
        match &self.body {
            Body::Dense(_) => (0..self.length.div_ceil(wide(PAGE))).collect(),
            Body::Sparse { pages, .. } => pages.iter().map(|(page, _)| page).collect(),
        }
    }
}

impl Page {
    fn blank(fill: Fill) -> Self {
        match fill {
            Fill::Byte(byte) => Self { bytes: vec![byte; PAGE].into(), written: None },
            Fill::Uninitialised => Self { bytes: vec![0; PAGE].into(), written: Some(vec![0; PAGE / 64].into()) },
        }
    }
}

/// Splits `length` bytes from `offset` on at page borders: page number, offset in it, range of the whole.
pub(super) fn for_pages(offset: u64, length: usize, mut body: impl FnMut(u64, usize, std::ops::Range<usize>)) {
    let mut done = 0;
    while done < length {
        let (page, inside) = page_of(offset + wide(done));
        let here = (PAGE - inside).min(length - done);
        body(page, inside, done..done + here);
        done += here;
    }
}

/// Whether `length` bits from `start` on are all set.
fn all_bits(words: &[u64], start: usize, length: usize) -> bool {
    let end = start + length;
    (start / 64..end.div_ceil(64)).all(|word| {
        let (from, to) = (start.max(word * 64) - word * 64, end.min(word * 64 + 64) - word * 64);
        let mask = u64::MAX >> (64 - (to - from)) << from;
        words[word] & mask == mask
    })
}

/// Sets `length` bits from `start` on.
pub(super) fn set_bits(words: &mut [u64], start: usize, length: usize) {
    for bit in start..start + length {
        words[bit / 64] |= 1 << (bit % 64);
    }
}

#[cfg(test)]
mod tests {
    use gridproof_launch::DType;

    use super::*;

    #[test]
    fn a_virtual_buffer_reads_its_fill_and_keeps_what_is_written() {
        let buffer = Buffer::filled("pool", DType::U8, [1_u64 << 40], Fill::Byte(7)).unwrap();
        let mut image = Image::new(&buffer);
        image.write((1 << 39) - 2, &[1, 2, 3, 4]);
        let mut out = [0; 6];
        image.read((1 << 39) - 3, &mut out);
        assert_eq!(out, [7, 1, 2, 3, 4, 7]);
        assert_eq!(image.footprint(), 2 * 4096);
        assert_eq!(image.difference(&Image::new(&buffer)), (4, Some((1 << 39) - 2)));
    }

    #[test]
    fn uninitialised_bytes_are_known_one_by_one() {
        let buffer = Buffer::filled("out", DType::U8, [100_u64], Fill::Uninitialised).unwrap();
        let mut image = Image::new(&buffer);
        assert!(!image.is_initialised(3, 1));
        image.write(3, &[9, 9]);
        assert!(image.is_initialised(3, 2));
        assert!(!image.is_initialised(3, 3));
        assert!(!image.is_initialised(2, 2));
        // A zero that was written is not the same as nothing, even where both read as zero.
        image.write(7, &[0]);
        let mut other = Image::new(&buffer);
        other.write(3, &[9, 9]);
        assert_eq!(image.difference(&other), (1, Some(7)));
        assert_eq!(image.difference(&image.clone()), (0, None));
        let dense = Buffer { contents: Contents::Dense(image.to_vec().into()), ..buffer };
        assert_eq!(image.difference(&Image::new(&dense)), (97, Some(0)));
    }
}
