//! What the operations of the table mean.

use crate::ir::ExtendedOp;

/// The results of an operation on up to four operands.
#[inline]
pub fn extended(op: ExtendedOp, sources: [u64; 4]) -> [u64; 2] {
    let [a, b, c, _] = sources;
    match op {
        ExtendedOp::Lop3(table) => [lop3(table, a, b, c), 0],
    }
}

fn lop3(table: u8, a: u64, b: u64, c: u64) -> u64 {
    (0..8_u32).filter(|row| table >> row & 1 == 1).fold(0, |bits, row| {
        let pick = |value: u64, bit: u32| if row >> bit & 1 == 1 { value } else { !value };
        bits | pick(a, 2) & pick(b, 1) & pick(c, 0)
    }) & 0xffff_ffff
}
