//! One worker's view of all buffers.
//!
//! In *isolated* mode a workgroup sees the memory as it was when the dispatch began, plus its own writes;
//! those are taken away when it ends and merged later. In *shared* mode writes go straight to the images.

use std::collections::BTreeMap;

use super::image::{Image, for_pages, set_bits};
use super::pages::{PAGE, page_of};
use crate::cast::{at64, wide};

/// Own bytes of one page, and which of them were written.
#[derive(Clone, Debug)]
pub struct DirtyPage {
    /// The page's bytes as the workgroup sees them.
    pub bytes: Box<[u8]>,
    /// Bit i of word i/64: byte i was written.
    pub written: Box<[u64]>,
    /// Bit i of word i/64: some write gave byte i another value than it had.
    pub changed: Box<[u64]>,
}

/// See the file's head.
#[derive(Debug)]
pub struct Storage {
    images: Vec<Image>,
    /// Own writes by buffer, then page; `None` in shared mode.
    overlay: Option<Vec<BTreeMap<u64, DirtyPage>>>,
}

impl Storage {
    /// A view in which each workgroup is alone.
    pub fn isolated(images: Vec<Image>) -> Self {
        let overlay = Some(images.iter().map(|_| BTreeMap::new()).collect());
        Self { images, overlay }
    }

    /// A view in which writes are seen by everyone.
    pub const fn shared(images: Vec<Image>) -> Self {
        Self { images, overlay: None }
    }

    /// The images, as the last write left them (shared mode).
    pub fn into_images(self) -> Vec<Image> {
        self.images
    }

    /// The bytes as one slice, where no own write can hide in them.
    #[inline(always)]
    pub fn slice(&self, buffer: usize, offset: u64, length: usize) -> Option<&[u8]> {
        if let Some(overlay) = &self.overlay
            && !overlay[buffer].is_empty()
        {
            return None;
        }
        let start = at64(offset);
        self.images[buffer].dense()?.get(start..start + length)
    }

    /// Copies bytes out.
    #[inline(always)]
    pub fn read(&self, buffer: usize, offset: u64, out: &mut [u8]) {
        match &self.overlay {
            Some(overlay) if !overlay[buffer].is_empty() => self.read_overlaid(&overlay[buffer], buffer, offset, out),
            _ => self.images[buffer].read(offset, out),
        }
    }

    fn read_overlaid(&self, own: &BTreeMap<u64, DirtyPage>, buffer: usize, offset: u64, out: &mut [u8]) {
        for_pages(offset, out.len(), |page, inside, range| match own.get(&page) {
            Some(own) => {
                let length = range.len();
                out[range].copy_from_slice(&own.bytes[inside..inside + length]);
            }
            None => {
                let start = offset + wide(range.start);
                self.images[buffer].read(start, &mut out[range]);
            }
        });
    }

    /// Writes bytes; the caller has checked the bounds.
    pub fn write(&mut self, buffer: usize, offset: u64, bytes: &[u8]) {
        let Some(overlay) = &mut self.overlay else { return self.images[buffer].write(offset, bytes) };
        let (image, own) = (&self.images[buffer], &mut overlay[buffer]);
        for_pages(offset, bytes.len(), |page, inside, range| {
            let dirty = own.entry(page).or_insert_with(|| {
                let mut copy = vec![0; PAGE].into_boxed_slice();
                image.read(page * wide(PAGE), &mut copy);
                DirtyPage { bytes: copy, written: vec![0; PAGE / 64].into(), changed: vec![0; PAGE / 64].into() }
            });
            let length = range.len();
            let old = &mut dirty.bytes[inside..inside + length];
            for (i, (old, new)) in old.iter().zip(&bytes[range.clone()]).enumerate() {
                dirty.changed[(inside + i) / 64] |= u64::from(old != new) << ((inside + i) % 64);
            }
            old.copy_from_slice(&bytes[range]);
            set_bits(&mut dirty.written, inside, length);
        });
    }

    /// Whether every byte of the range has a value.
    pub fn is_initialised(&self, buffer: usize, offset: u64, length: usize) -> bool {
        if self.images[buffer].is_initialised(offset, length) {
            return true;
        }
        let Some(overlay) = &self.overlay else { return false };
        (0..length).all(|i| {
            let (page, inside) = page_of(offset + wide(i));
            let own = overlay[buffer].get(&page).is_some_and(|own| own.written[inside / 64] >> (inside % 64) & 1 == 1);
            own || self.images[buffer].is_initialised(offset + wide(i), 1)
        })
    }

    /// Whether reads of this buffer must ask [`Self::is_initialised`].
    #[inline(always)]
    pub fn may_be_uninitialised(&self, buffer: usize) -> bool {
        self.images[buffer].may_be_uninitialised()
    }

    /// Takes the own writes away (isolated mode), leaving the view as at dispatch start.
    pub fn take_writes(&mut self) -> Vec<(usize, u64, DirtyPage)> {
        let Some(overlay) = &mut self.overlay else { return Vec::new() };
        let mut taken = Vec::new();
        for (buffer, pages) in overlay.iter_mut().enumerate() {
            if !pages.is_empty() {
                taken.extend(std::mem::take(pages).into_iter().map(|(page, own)| (buffer, page, own)));
            }
        }
        taken
    }

    /// Bytes the images hold in memory.
    pub fn footprint(&self) -> u64 {
        self.images.iter().map(Image::footprint).sum()
    }
}
