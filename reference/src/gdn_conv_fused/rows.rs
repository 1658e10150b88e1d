//! The main loop: rows of the state as the 8 lanes of a team hold them, taken through a token.
//!
//! ```text
//! s_i    = alpha * s_i
//! d      = (v - sum s_i k^_i) * beta
//! s_i    = d * k^_i + s_i            one multiply-add
//! output = sum s_i q^_i
//! ```
//!
//! Lane l owns elements 16 l to 16 l + 15. A sum starts at 0, goes by multiply-adds through the elements of a lane and by
//! a butterfly through the lanes.

use crate::delta_rule::ELEMENTS;
use crate::delta_rule::butterfly::butterfly;
use crate::delta_rule::preparation::{Token, Vector};
use crate::numerics::{Numerics, Profile};

/// Lanes of a team.
pub(super) const LANES: usize = 8;

/// Elements of a lane.
pub(super) const SHARE: usize = ELEMENTS / LANES;

/// One row of the state, or a key or query: `[element of the share][lane]`, so that lanes are neighbours.
pub(super) type Row = [[f32; LANES]; SHARE];

/// `x`, shared out.
pub(super) fn row(x: &Vector) -> Row {
    let mut row = [[0.0; LANES]; SHARE];
    for lane in 0..LANES {
        for p in 0..SHARE {
            row[p][lane] = x[lane * SHARE + p];
        }
    }
    row
}

/// The elements of a row in their order.
pub(super) fn elements(row: &Row) -> Vector {
    let mut x = [0.0; ELEMENTS];
    for lane in 0..LANES {
        for p in 0..SHARE {
            x[lane * SHARE + p] = row[p][lane];
        }
    }
    x
}

/// A token with its key and query shared out like the state.
pub(super) struct SharedOut {
    q: Row,
    k: Row,
    v: Vector,
    alpha: f32,
    beta: f32,
}

impl SharedOut {
    pub(super) fn new(token: &Token) -> Self {
        Self { q: row(&token.q), k: row(&token.k), v: token.v, alpha: token.alpha, beta: token.beta }
    }

    /// Takes row `v` of the state through the token; returns its output.
    pub(super) fn advance<P: Profile>(&self, n: Numerics<P>, row: &mut Row, v: usize) -> f32 {
        for s in row.as_flattened_mut() {
            *s = n.mul(self.alpha, *s);
        }
        let d = n.mul(n.sub(self.v[v], sum(n, row, &self.k)), self.beta);
        for (s, &k) in row.as_flattened_mut().iter_mut().zip(self.k.as_flattened()) {
            *s = n.multiply_add(d, k, *s);
        }
        sum(n, row, &self.q)
    }
}

/// The sum of products over all lanes.
fn sum<P: Profile>(n: Numerics<P>, row: &Row, x: &Row) -> f32 {
    let mut lanes = [0.0; LANES];
    for (row, x) in row.iter().zip(x) {
        for lane in 0..LANES {
            lanes[lane] = n.multiply_add(row[lane], x[lane], lanes[lane]);
        }
    }
    butterfly(n, lanes)
}
