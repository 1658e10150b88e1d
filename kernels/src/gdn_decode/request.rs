//! `--shape` for this kernel: sizes, which slots are used, and what the gates are like.

use gridproof_reference::gdn_decode::{Inputs, Problem, ProblemError, Shape, Sizes, StateType};

use super::entry::KERNEL;
use super::variant::Variant;
use crate::catalogue::ShapeError;
use crate::shape_text::{Values, Wanted};

/// What the sums `a + dt_bias` are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gates {
    /// As the seed has them.
    #[default]
    Normal,
    /// Sums at which softplus formulas go wrong: -100, 20, 88, 89 and 100, in every third value head 0.01 less and in
    /// every third 0.01 more.
    Extreme,
}

/// What is asked for: a shape, indices, and how to launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The sizes.
    pub shape: Shape,
    /// The slot each request reads.
    pub read: Vec<i32>,
    /// The slot each request writes.
    pub write: Vec<i32>,
    /// Rows of V for one workgroup; `None`: what the dispatcher's rules say.
    pub tile_v: Option<u32>,
    /// Whether the caller checks its indices.
    pub check: bool,
    /// What the gates are like.
    pub gates: Gates,
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
        let problem = match self.check {
            true => Problem::from_seed(self.shape, &self.read, &self.write, seed)?,
            false => Problem::from_seed_unchecked(self.shape, &self.read, &self.write, seed)?,
        };
        match self.gates {
            Gates::Normal => Ok(problem),
            Gates::Extreme => Problem::unchecked(self.shape, extreme(self.shape, problem.inputs().clone())),
        }
    }
}

/// Puts the sums where [`Gates::Extreme`] says.
fn extreme(shape: Shape, inputs: Inputs) -> Inputs {
    // bf16 bits of -100, 20, 88, 89 and 100.
    const SUMS: [u16; 5] = [0xc2c8, 0x41a0, 0x42b0, 0x42b2, 0x42c8];
    let a = SUMS.into_iter().cycle().take(shape.gates()).collect();
    let heads = usize::try_from(shape.hv()).unwrap_or(usize::MAX);
    let dt_bias = [0.0, -0.01, 0.01].into_iter().cycle().take(heads).collect();
    Inputs { a, dt_bias, ..inputs }
}

/// Most requests that a `--shape` text can ask for: their data is made in memory.
pub const MOST_REQUESTS: u32 = 1 << 16;

/// What is wrong with a `--shape` text for this kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeTextError {
    /// The text.
    #[error(transparent)]
    Text(#[from] ShapeError),
    /// Too many requests.
    #[error("shape key `b`: {b} is more than the {MOST_REQUESTS} requests whose data can be made")]
    TooManyRequests {
        /// Requests.
        b: u32,
    },
    /// The sizes.
    #[error(transparent)]
    Problem(#[from] ProblemError),
}

/// The request in a `--shape` text; what is left out is taken from the variant's first shape, and what that leaves out
/// too from the catalogue's defaults.
///
/// # Errors
/// An unknown key (with the list of valid ones), a value that the key does not take, sizes out of range. Indices are
/// checked when the problem is made.
pub fn parse_shape(text: &str, variant: Variant) -> Result<Request, ShapeTextError> {
    let values = Values::new(&KERNEL, text, variant.name())?;
    let b = values.number("b")?;
    let t = values.number("t")?;
    let sizes = Sizes {
        b,
        t,
        h: values.number("h")?,
        hv: values.number("hv")?,
        k: values.number("k")?,
        v: values.number("v")?,
        pool: values.long("pool")?,
        stride: values.unless("stride", "dense", Values::long)?,
        steps: values.unless("steps", "same", Values::number)?,
        state: values.word("state", "bf16 or f32", [("bf16", StateType::Bf16), ("f32", StateType::F32)])?,
        update: values.flag("update")?,
        cache_intermediate: values.flag("cache")?,
    };
    // Before the indices, so that no list is made for a shape that is refused.
    let shape = Shape::new(sizes)?;
    if b > MOST_REQUESTS {
        return Err(ShapeTextError::TooManyRequests { b });
    }
    let wanted = Wanted { count: b, name: "b", things: "requests" };
    let read = values.indices("slot", wanted)?;
    let write = values.unless("write", "same", |values, key| values.indices(key, wanted))?;
    Ok(Request {
        shape,
        write: write.unwrap_or_else(|| read.clone()),
        read,
        tile_v: values.unless("tile", "auto", Values::number)?,
        check: values.flag("check")?,
        gates: values.word("gates", "normal or extreme", [("normal", Gates::Normal), ("extreme", Gates::Extreme)])?,
        values: values.into_texts(),
    })
}
