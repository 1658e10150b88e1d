//! Matrix multiply-accumulate over the registers of a subgroup (`mma.sync`).

/// Type of the elements of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are PTX's types")]
pub enum Element {
    F16,
    Bf16,
    Tf32,
    F32,
    F64,
    E4m3,
    E5m2,
    S8,
    U8,
    S4,
    U4,
    B1And,
    B1Xor,
    S32,
}

/// One multiply-accumulate: D = A B + C with A of m x k, B of k x n, C and D of m x n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Rows of A, C and D.
    pub m: u32,
    /// Columns of B, C and D.
    pub n: u32,
    /// Columns of A, rows of B.
    pub k: u32,
    /// Elements of A.
    pub a: Element,
    /// Elements of B.
    pub b: Element,
    /// Elements of C.
    pub c: Element,
    /// Elements of D.
    pub d: Element,
    /// Integer results saturate.
    pub saturate: bool,
    /// A is column-major (only where PTX allows it).
    pub a_column: bool,
    /// B is row-major (only where PTX allows it).
    pub b_row: bool,
}
