//! A two-level table of pages that costs 8 bytes per two megabytes of untouched address space.

use crate::cast::at64;

/// Bytes per page.
pub const PAGE: usize = 4096;

const SHIFT: u32 = 12;
const DIRECTORY: usize = 512;

/// The page that holds `offset`, and the offset in it.
#[inline(always)]
pub fn page_of(offset: u64) -> (u64, usize) {
    (offset >> SHIFT, at64(offset & (crate::cast::wide(PAGE) - 1)))
}

/// Pages by number.
#[derive(Clone, Debug)]
pub struct PageTable<T> {
    directories: Vec<Option<Box<[Option<T>]>>>,
}

impl<T> Default for PageTable<T> {
    fn default() -> Self {
        Self { directories: Vec::new() }
    }
}

impl<T> PageTable<T> {
    /// The page, if it exists.
    #[inline(always)]
    pub fn find(&self, page: u64) -> Option<&T> {
        let page = at64(page);
        self.directories.get(page / DIRECTORY)?.as_ref()?[page % DIRECTORY].as_ref()
    }

    /// The page, made by `make` where it does not exist yet.
    pub fn find_or_insert(&mut self, page: u64, make: impl FnOnce() -> T) -> &mut T {
        let page = at64(page);
        if self.directories.len() <= page / DIRECTORY {
            self.directories.resize_with(page / DIRECTORY + 1, || None);
        }
        let directory = self.directories[page / DIRECTORY]
            .get_or_insert_with(|| std::iter::repeat_with(|| None).take(DIRECTORY).collect());
        directory[page % DIRECTORY].get_or_insert_with(make)
    }

    /// All pages in order of their number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.directories.iter().enumerate().flat_map(|(upper, directory)| {
            directory.iter().flat_map(move |pages| {
                pages.iter().enumerate().filter_map(move |(lower, page)| {
                    page.as_ref().map(|page| (crate::cast::wide(upper * DIRECTORY + lower), page))
                })
            })
        })
    }

    /// All pages in order of their number, by value.
    pub fn into_pages(self) -> impl Iterator<Item = (u64, T)> {
        self.directories.into_iter().enumerate().flat_map(|(upper, directory)| {
            directory.into_iter().flat_map(move |pages| {
                pages.into_iter().enumerate().filter_map(move |(lower, page)| {
                    page.map(|page| (crate::cast::wide(upper * DIRECTORY + lower), page))
                })
            })
        })
    }

    /// Forgets all pages.
    pub fn clear(&mut self) {
        self.directories.clear();
    }
}
