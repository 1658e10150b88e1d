//! What [`super::Extended`] computes: pure functions of one invocation's own registers.

/// The operation. Operands and results are bits, low bits first, zero-extended to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedOp {
    /// Three-input logic: bit `a << 2 | b << 1 | c` of the table, for each bit of 32-bit operands.
    Lop3(u8),
}
