//! Reading the values of `--shape`: numbers, words, flags and lists of indices.

use crate::catalogue::{Kernel, ShapeError};

/// The values of all shape keys of a kernel, in catalogue order.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    kernel: &'static Kernel,
    values: Vec<String>,
}

/// How many indices a list must have, and of what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The number.
    pub(crate) count: u32,
    /// What it is called, `b` for instance.
    pub(crate) name: &'static str,
    /// What has one index each, `requests` for instance.
    pub(crate) things: &'static str,
}

impl Values {
    /// What is left out is taken from the variant's first shape, and what that leaves out too from the catalogue's
    /// defaults.
    ///
    /// # Errors
    /// An unknown key (with the list of valid ones), a key without a value, a key given twice.
    pub(crate) fn new(kernel: &'static Kernel, text: &str, variant: &str) -> Result<Self, ShapeError> {
        let defaults = kernel.variant(variant).and_then(|entry| entry.shapes.first()).copied().unwrap_or("");
        Ok(Self { kernel, values: kernel.shape_values(text, defaults)? })
    }

    /// The values alone.
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.values
    }

    pub(crate) fn text(&self, key: &'static str) -> &str {
        let position = self.kernel.shape_keys.iter().position(|known| known.name == key);
        position.and_then(|position| self.values.get(position)).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, key: &'static str) -> Result<u32, ShapeError> {
        let value = self.text(key);
        value.parse().map_err(|_| ShapeError::NotANumber { key, value: value.to_owned() })
    }

    pub(crate) fn long(&self, key: &'static str) -> Result<u64, ShapeError> {
        let value = self.text(key);
        value.parse().map_err(|_| self.not(key, "a whole number from 0 to 18446744073709551615"))
    }

    /// 0 or 1.
    pub(crate) fn flag(&self, key: &'static str) -> Result<bool, ShapeError> {
        self.word(key, "0 or 1", [("0", false), ("1", true)])
    }

    /// One of two words.
    pub(crate) fn word<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        words: [(&str, T); 2],
    ) -> Result<T, ShapeError> {
        let value = self.text(key);
        let found = words.into_iter().find(|(word, _)| *word == value);
        found.map(|(_, meaning)| meaning).ok_or_else(|| self.not(key, expected))
    }

    /// `None` for the word, else what `read` makes of the value.
    pub(crate) fn unless<T>(
        &self,
        key: &'static str,
        word: &str,
        read: impl Fn(&Self, &'static str) -> Result<T, ShapeError>,
    ) -> Result<Option<T>, ShapeError> {
        if self.text(key) == word { Ok(None) } else { read(self, key).map(Some) }
    }

    /// Numbers with `+` in between.
    pub(crate) fn numbers<T: std::str::FromStr>(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Vec<T>, ShapeError> {
        let listed: Result<Vec<T>, _> = self.text(key).split('+').map(|number| number.trim().parse()).collect();
        listed.map_err(|_| self.not(key, expected))
    }

    /// One index each: a list with `+` in between; or the first, which the others follow; or a negative one for all.
    pub(crate) fn indices(&self, key: &'static str, wanted: Wanted) -> Result<Vec<i32>, ShapeError> {
        let listed: Vec<i32> = self.numbers(key, "a slot number, or a list of them with + in between")?;
        let first = match listed[..] {
            [first] => first,
            _ => return self.counted(key, listed, wanted),
        };
        let last = wanted.count.checked_sub(1).and_then(|others| i32::try_from(others).ok());
        match last.and_then(|others| first.checked_add(others)) {
            _ if first < 0 => Ok((0..wanted.count).map(|_| first).collect()),
            Some(last) => Ok((first..=last).collect()),
            None => Err(ShapeError::IndexRange { key, first, name: wanted.name, count: wanted.count }),
        }
    }

    /// A list that has to have a certain length.
    ///
    /// # Errors
    /// When it has another one.
    pub(crate) fn counted<T>(&self, key: &'static str, listed: Vec<T>, wanted: Wanted) -> Result<Vec<T>, ShapeError> {
        let Wanted { count, name, things } = wanted;
        match u32::try_from(listed.len()) == Ok(count) {
            true => Ok(listed),
            false => Err(ShapeError::IndexCount { key, given: listed.len(), name, count, things }),
        }
    }

    /// The error of a value that the key does not take.
    pub(crate) fn not(&self, key: &'static str, expected: &'static str) -> ShapeError {
        ShapeError::Word { key, value: self.text(key).to_owned(), expected }
    }
}
