//! `--shape` for this kernel: sizes, and what the data is like.

use gridproof_reference::gdn_chunked::{Decay, Problem, ProblemError, Shape, Sizes, StateKind};

use super::entry::KERNEL;
use super::variant::Variant;
use crate::catalogue::ShapeError;
use crate::shape_text::Values;

/// What is asked for: a shape, and what the data is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The sizes.
    pub shape: Shape,
    /// How fast the states decay.
    pub decay: Decay,
    /// What the states are before the first token.
    pub state: StateKind,
    values: Vec<String>,
}

impl Request {
    /// All keys in catalogue order, with the values that were given or are the default.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        KERNEL.shape_keys.iter().map(|key| key.name).zip(self.values.iter().map(String::as_str))
    }

    /// The problem with data from a seed.
    pub fn problem(&self, seed: u64) -> Problem {
        Problem::from_seed(self.shape.clone(), self.decay, self.state, seed)
    }
}

/// Most sequences that a `--shape` text can ask for.
pub const MOST_SEQUENCES: u32 = 1 << 16;

/// Most elements that a `--shape` text can ask for, in all inputs together: they are made in memory.
pub const MOST_ELEMENTS: u64 = 1 << 30;

/// What is wrong with a `--shape` text for this kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeTextError {
    /// The text.
    #[error(transparent)]
    Text(#[from] ShapeError),
    /// A list of another length.
    #[error("shape key `seqs`: {seqs}, but `t` lists the tokens of {listed} sequences")]
    SequenceCount {
        /// Sequences asked for.
        seqs: u32,
        /// Sequences listed.
        listed: usize,
    },
    /// Too many sequences.
    #[error("shape key `seqs`: {seqs} is more than the {MOST_SEQUENCES} sequences whose data can be made")]
    TooManySequences {
        /// Sequences.
        seqs: u32,
    },
    /// Too much data.
    #[error(
        "{tokens} tokens of {each} elements, {sequences} sequences with states of {state} and {weights} weights are more \
         than the {MOST_ELEMENTS} elements whose data can be made"
    )]
    TooMuchData {
        /// Tokens.
        tokens: u32,
        /// Elements of a token: hidden, q, k, v and z.
        each: u64,
        /// Sequences.
        sequences: u32,
        /// Elements of both states of a sequence.
        state: u64,
        /// Elements of the weights.
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
/// An unknown key (with the list of valid ones), a value that the key does not take, a list of lengths with another number
/// of sequences, sizes out of range, more data than can be made.
pub fn parse_shape(text: &str, variant: Variant) -> Result<Request, ShapeTextError> {
    const DECAYS: [(&str, Decay); 2] = [("normal", Decay::Normal), ("strong", Decay::Strong)];
    const STATES: [(&str, StateKind); 2] = [("random", StateKind::Random), ("zero", StateKind::Zero)];
    let values = Values::new(&KERNEL, text, variant.name())?;
    let sizes = Sizes {
        lengths: lengths(&values)?,
        h: values.number("h")?,
        hv: values.number("hv")?,
        k: values.number("k")?,
        v: values.number("v")?,
        d: values.number("d")?,
        c: values.number("c")?,
    };
    let shape = Shape::new(sizes)?;
    check_data(&shape)?;
    Ok(Request {
        shape,
        decay: values.word("decay", "normal or strong", DECAYS)?,
        state: values.word("state", "random or zero", STATES)?,
        values: values.into_texts(),
    })
}

/// The tokens of each sequence: as they are listed, or the same for all.
fn lengths(values: &Values) -> Result<Vec<u32>, ShapeTextError> {
    let listed: Vec<u32> = values.numbers("t", "a number of tokens, or a list of them with + in between")?;
    let seqs = values.number("seqs")?;
    match listed[..] {
        [_] if seqs > MOST_SEQUENCES => Err(ShapeTextError::TooManySequences { seqs }),
        [length] => Ok((0..seqs).map(|_| length).collect()),
        _ if seqs == 1 || usize::try_from(seqs) == Ok(listed.len()) => Ok(listed),
        _ => Err(ShapeTextError::SequenceCount { seqs, listed: listed.len() }),
    }
}

fn check_data(shape: &Shape) -> Result<(), ShapeTextError> {
    let (tokens, sequences) = (shape.tokens(), shape.sequences());
    let (hidden, heads) = (u64::from(shape.d()), u64::from(shape.hv()));
    let each = hidden.saturating_add(shape.dim()).saturating_add(heads * 128);
    let state = shape.conv_state_elements().saturating_add(shape.state_elements());
    let weights = (4 * shape.dim()).saturating_add(hidden.saturating_mul(2 * heads));
    let inputs = [u64::from(tokens).saturating_mul(each), u64::from(sequences).saturating_mul(state), weights];
    match inputs.into_iter().fold(0, u64::saturating_add) <= MOST_ELEMENTS {
        true => Ok(()),
        false => Err(ShapeTextError::TooMuchData { tokens, each, sequences, state, weights }),
    }
}
