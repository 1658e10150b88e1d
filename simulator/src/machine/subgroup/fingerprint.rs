//! A subgroup's state as one number, to notice that it has come back to where it was.
//!
//! Everything that decides what it does next is in it: registers, private memory, where its groups stand and wait, and
//! copies on their way. Clocks and what only the detectors keep are not. Two different states have the same number with a
//! chance of about 2^-128; the number says nothing outside of one process.

use super::{ParkedAt, Subgroup};
use crate::machine::registers::Chunk;

impl Subgroup {
    /// See the file's head.
    pub fn fingerprint(&self) -> u128 {
        let mut digest = Digest { first: 0x243f_6a88_85a3_08d3, second: 0x1319_8a2e_0370_7344 };
        for Chunk(words) in self.registers.chunks() {
            digest.words(words);
        }
        digest.words(&self.private);
        digest.words(&[self.pc, self.rounds, self.meeting_point, u32::from(self.mask.whole)]);
        digest.lanes(self.mask.bits);
        digest.lanes(self.live);
        for &(pc, lanes) in &self.ready {
            digest.words(&[1, pc]);
            digest.lanes(lanes);
        }
        for waiting in &self.waiting {
            digest.words(&[2, waiting.pc]);
            digest.lanes(waiting.lanes);
        }
        for parked in &self.parked {
            digest.words(&[3, parked.pc]);
            digest.lanes(parked.lanes);
            match parked.place {
                ParkedAt::Warp { members, .. } => digest.lanes(members),
                ParkedAt::Rendezvous { barrier, .. } => digest.words(&[barrier]),
            }
        }
        digest.words(&self.committed);
        for copy in &self.copies {
            let (bytes, addresses, lanes) = copy.cargo();
            bytes.iter().for_each(|&byte| digest.word(u64::from(byte)));
            addresses.iter().for_each(|&address| digest.word(address));
            digest.lanes(lanes);
        }
        u128::from(digest.first) << 64 | u128::from(digest.second)
    }

    /// Whether some of its invocations can go on.
    pub fn can_run(&self) -> bool {
        self.mask.bits != 0 || !self.ready.is_empty()
    }
}

/// Two multiplicative hashes with different odd factors.
struct Digest {
    first: u64,
    second: u64,
}

impl Digest {
    #[inline(always)]
    const fn word(&mut self, word: u64) {
        self.first = (self.first ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.first ^= self.first >> 32;
        self.second = (self.second.rotate_left(23) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.second ^= self.second >> 29;
    }

    fn words(&mut self, words: &[u32]) {
        words.iter().for_each(|&word| self.word(u64::from(word)));
    }

    fn lanes(&mut self, lanes: u128) {
        bytemuck::cast::<u128, [u64; 2]>(lanes).into_iter().for_each(|word| self.word(word));
    }
}
