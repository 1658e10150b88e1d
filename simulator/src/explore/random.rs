//! Schedules drawn by priority: probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi and Nagarakatte,
//! ASPLOS 2010).
//!
//! Every unit gets a random priority, and the ready unit of highest priority takes the next turn. At d - 1 turns drawn
//! beforehand the unit about to run falls below all others. A bug that shows itself whenever d turns come in a certain
//! order is then found with a chance that the number of schedules does not enter.

use std::collections::BTreeMap;

use super::MissBound;
use super::world::{Choice, UnitId};
use crate::cast::wide;

/// The draws of all executions.
#[derive(Debug)]
pub struct Random {
    seed: u64,
    depth: u32,
    /// Executions begun.
    begun: u64,
    /// Most turns seen in one execution.
    longest: u64,
    /// Most units seen in one execution.
    units: u64,
    state: u64,
    turn: u64,
    changes: Vec<u64>,
    priorities: BTreeMap<UnitId, u64>,
}

/// Priorities below this were given at a change.
const CHANGED: u64 = 1 << 16;

impl Random {
    /// Draws from a seed. `depth`: ordering constraints that a bug may need, at least 1.
    pub const fn new(seed: u64, depth: u32) -> Self {
        Self {
            seed,
            depth,
            begun: 0,
            longest: 1,
            units: 1,
            state: 0,
            turn: 0,
            changes: Vec::new(),
            priorities: BTreeMap::new(),
        }
    }

    /// Before the first turn of an execution.
    pub fn begin(&mut self) {
        self.end();
        self.state = self.seed ^ self.begun.wrapping_mul(0xd134_2543_de82_ef95);
        self.begun += 1;
        self.turn = 0;
        self.priorities.clear();
        let changes = self.depth.saturating_sub(1).min(1 << 15);
        self.changes = (0..changes).map(|_| self.below(self.longest)).collect();
    }

    /// After the last turn of an execution.
    pub fn end(&mut self) {
        self.longest = self.longest.max(self.turn);
        self.units = self.units.max(wide(self.priorities.len()));
    }

    /// Who takes the next turn.
    pub fn next(&mut self, choices: &[Choice]) -> Option<UnitId> {
        for choice in choices {
            if !self.priorities.contains_key(&choice.unit) {
                let priority = CHANGED + self.below(u64::MAX - CHANGED);
                self.priorities.insert(choice.unit, priority);
            }
        }
        let highest = |priorities: &BTreeMap<UnitId, u64>| {
            let priority = |choice: &&Choice| priorities.get(&choice.unit).copied().unwrap_or(0);
            choices.iter().max_by_key(priority).map(|choice| choice.unit)
        };
        for (change, turn) in (0..).zip(&self.changes) {
            if *turn == self.turn
                && let Some(unit) = highest(&self.priorities)
            {
                self.priorities.insert(unit, change);
            }
        }
        self.turn += u64::from(!choices.is_empty());
        highest(&self.priorities)
    }

    /// What so many executions promise.
    pub fn bound(&self, executions: u64) -> MissBound {
        let exponent = f64::from(self.depth.saturating_sub(1));
        let (units, turns) = (crate::cast::u64_to_f64(self.units), crate::cast::u64_to_f64(self.longest));
        let found = 1.0 / (units * libm::pow(turns, exponent));
        // ln((1 - p)^m) = m ln(1 - p), so that a small p is not lost.
        let chance = libm::exp(crate::cast::u64_to_f64(executions) * libm::log1p(-found));
        MissBound { units: self.units, turns: self.longest, depth: self.depth, executions, chance }
    }

    /// A number below `limit` (`SplitMix64`, Steele, Lea and Flood, OOPSLA 2014).
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let scaled = u128::from(mixed) * u128::from(limit);
        u64::try_from(scaled >> 64).unwrap_or(0)
    }
}
