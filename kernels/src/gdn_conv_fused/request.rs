//! `--shape` for this kernel: sizes, which slots are used, and what the gates are like.

use gridproof_reference::gdn_conv_fused::{Inputs, Layout, Problem, ProblemError, Shape, Sizes};

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
    /// The slot of each request.
    pub slots: Vec<i32>,
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
            true => Problem::from_seed(self.shape, &self.slots, seed)?,
            false => Problem::from_seed_unchecked(self.shape, &self.slots, seed)?,
        };
        match self.gates {
            Gates::Normal => Ok(problem),
            Gates::Extreme => Problem::unchecked(self.shape, extreme(self.shape, problem.inputs().clone())),
        }
    }
}

/// Puts the sums where [`Gates::Extreme`] says.
fn extreme(shape: Shape, mut inputs: Inputs) -> Inputs {
    // f16 bits of -100, 20, 88, 89 and 100, and of 0, -0.01 and 0.01.
    const SUMS: [u16; 5] = [0xd640, 0x4d00, 0x5580, 0x5590, 0x5640];
    const BIASES: [u16; 3] = [0x0000, 0xa11f, 0x211f];
    let mut sums = SUMS.into_iter().cycle();
    let width = usize::try_from(shape.ba_columns()).unwrap_or(usize::MAX);
    for row in inputs.ba.chunks_exact_mut(width) {
        for (head, sum) in (0..shape.hv()).zip(&mut sums) {
            let column = usize::try_from(shape.a_column(head)).unwrap_or(usize::MAX);
            if let Some(a) = row.get_mut(column) {
                *a = sum;
            }
        }
    }
    let heads = inputs.dt_bias.len();
    Inputs { dt_bias: BIASES.into_iter().cycle().take(heads).collect(), ..inputs }
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
    #[error("shape key `n`: {n} is more than the {MOST_REQUESTS} requests whose data can be made")]
    TooManyRequests {
        /// Requests.
        n: u32,
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
    const LAYOUTS: [(&str, Layout); 2] = [("sequential", Layout::Sequential), ("interleaved", Layout::Interleaved)];
    let values = Values::new(&KERNEL, text, variant.name())?;
    let n = values.number("n")?;
    let given = values.unless("pool", "auto", Values::long)?;
    let sizes = Sizes {
        n,
        h: values.number("h")?,
        hv: values.number("hv")?,
        k: values.number("k")?,
        v: values.number("v")?,
        pool: given.unwrap_or(1),
        layout: values.word("layout", "sequential or interleaved", LAYOUTS)?,
    };
    // Before the indices, so that no list is made for a shape that is refused.
    let shape = Shape::new(sizes)?;
    if n > MOST_REQUESTS {
        return Err(ShapeTextError::TooManyRequests { n });
    }
    let slots = values.indices("slot", Wanted { count: n, name: "n", things: "requests" })?;
    let last = slots.iter().filter_map(|slot| u64::try_from(*slot).ok()).max().unwrap_or(0);
    Ok(Request {
        shape: if given.is_some() { shape } else { Shape::new(Sizes { pool: last + 1, ..sizes })? },
        slots,
        check: values.flag("check")?,
        gates: values.word("gates", "normal or extreme", [("normal", Gates::Normal), ("extreme", Gates::Extreme)])?,
        values: values.into_texts(),
    })
}
