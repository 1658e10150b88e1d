//! `--shape` for this kernel: sizes, which slots are used, and which sequences have an initial state.

use gridproof_reference::conv1d_qkv_split::{ElementType, Problem, ProblemError, Shape, Sizes};

use super::entry::KERNEL;
use super::variant::Variant;
use crate::catalogue::ShapeError;
use crate::shape_text::{Values, Wanted};

/// What is asked for: a shape, indices, and whether anybody checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The sizes.
    pub shape: Shape,
    /// The slot of each sequence.
    pub cache_indices: Vec<i32>,
    /// Whether each sequence has an initial state, 0 or 1.
    pub has_initial_state: Vec<i32>,
    /// Whether the caller checks its indices.
    pub check: bool,
    values: Vec<String>,
}

impl Request {
    /// All keys in catalogue order, with the values that were given or are the default.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        KERNEL.shape_keys.iter().map(|key| key.name).zip(self.values.iter().map(String::as_str))
    }

    /// The problem with data from a seed.
    ///
    /// # Errors
    /// Indices that the caller's check refuses, unless it is off.
    pub fn problem(&self, seed: u64) -> Result<Problem, ProblemError> {
        let make = if self.check { Problem::from_seed } else { Problem::from_seed_unchecked };
        make(self.shape.clone(), &self.cache_indices, &self.has_initial_state, seed)
    }
}

/// Most elements that a `--shape` text can ask for, in x, the weight and the states of all sequences together: they are
/// made in memory.
pub const MOST_ELEMENTS: u64 = 1 << 31;

/// What is wrong with a `--shape` text for this kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeTextError {
    /// The text.
    #[error(transparent)]
    Text(#[from] ShapeError),
    /// Too much data.
    #[error(
        "{tokens} tokens of {stride} elements, {sequences} sequences with states of {state} and {weights} weights are \
         more than the {MOST_ELEMENTS} elements whose data can be made"
    )]
    TooMuchData {
        /// Tokens.
        tokens: u32,
        /// Elements from one token of x to the next.
        stride: u64,
        /// Sequences.
        sequences: u32,
        /// Elements of a state.
        state: u64,
        /// Elements of the weight.
        weights: u64,
    },
    /// The sizes.
    #[error(transparent)]
    Problem(#[from] ProblemError),
}

/// The request in a `--shape` text; what is left out is taken from the variant's first shape, and what that leaves out
/// too from the catalogue's defaults.
///
/// # Errors
/// An unknown key (with the list of valid ones), a value that the key does not take, sizes out of range, more data than
/// can be made. Indices are checked when the problem is made.
pub fn parse_shape(text: &str, variant: Variant) -> Result<Request, ShapeTextError> {
    let values = Values::new(&KERNEL, text, variant.name())?;
    let sizes = Sizes {
        q: values.number("q")?,
        k: values.number("k")?,
        v: values.number("v")?,
        width: values.number("width")?,
        lengths: values.numbers("lens", "a number of tokens, or a list of them with + in between")?,
        slots: values.long("slots")?,
        stride: values.unless("stride", "dense", Values::long)?,
        element: values.word("dtype", "bf16 or f16", [("bf16", ElementType::Bf16), ("f16", ElementType::F16)])?,
        bias: values.flag("bias")?,
    };
    let shape = Shape::new(sizes)?;
    check_data(&shape)?;
    let wanted = Wanted { count: shape.sequences(), name: "lens", things: "sequences" };
    Ok(Request {
        cache_indices: values.indices("slot", wanted)?,
        has_initial_state: flags(&values, "init", wanted)?,
        check: values.flag("check")?,
        shape,
        values: values.into_texts(),
    })
}

fn check_data(shape: &Shape) -> Result<(), ShapeTextError> {
    let (tokens, sequences) = (shape.tokens(), shape.sequences());
    let (stride, state) = (shape.stride(), shape.state_elements());
    let weights = u64::from(shape.dim()) * u64::from(shape.width());
    let x = u64::from(tokens).saturating_mul(stride);
    let states = u64::from(sequences).saturating_mul(state);
    match x.saturating_add(states).saturating_add(weights) <= MOST_ELEMENTS {
        true => Ok(()),
        false => Err(ShapeTextError::TooMuchData { tokens, stride, sequences, state, weights }),
    }
}

/// A flag for each sequence, or one for all.
fn flags(values: &Values, key: &'static str, wanted: Wanted) -> Result<Vec<i32>, ShapeError> {
    let expected = "0 or 1, or a list of them with + in between";
    let listed: Vec<i32> = values.numbers(key, expected)?;
    if listed.iter().any(|flag| !matches!(flag, 0 | 1)) {
        return Err(values.not(key, expected));
    }
    match listed[..] {
        [flag] => Ok((0..wanted.count).map(|_| flag).collect()),
        _ => values.counted(key, listed, wanted),
    }
}
