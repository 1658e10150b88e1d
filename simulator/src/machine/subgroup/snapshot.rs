//! The whole state of a subgroup, to find out whether it comes back to it.

use super::{Parked, Subgroup, Waiting};
use crate::machine::registers::Registers;

/// Everything that decides what a subgroup does next, besides the memory it shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    registers: Registers,
    private: Vec<u32>,
    pc: u32,
    running: u128,
    live: u128,
    ready: Vec<(u32, u128)>,
    waiting: Vec<Waiting>,
    parked: Vec<Parked>,
    rounds: u32,
}

impl Subgroup {
    /// Its state now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            registers: self.registers.clone(),
            private: self.private.clone(),
            pc: self.pc,
            running: self.mask.bits,
            live: self.live,
            ready: self.ready.clone(),
            waiting: self.waiting.clone(),
            parked: self.parked.clone(),
            rounds: self.rounds,
        }
    }

    /// Whether its state is this one.
    pub fn is_as(&self, snapshot: &Snapshot) -> bool {
        (self.pc, self.mask.bits, self.live, self.rounds)
            == (snapshot.pc, snapshot.running, snapshot.live, snapshot.rounds)
            && self.ready == snapshot.ready
            && self.waiting == snapshot.waiting
            && self.parked == snapshot.parked
            && self.registers == snapshot.registers
            && self.private == snapshot.private
    }
}
