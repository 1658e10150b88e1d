//! Products of matrices, and transpose, determinant and inverse. A matrix is its columns, one after the other.

use std::rc::Rc;

use super::Lowering;
use super::layout::TypeId;
use crate::ir::{BinaryOp, Reg, Scalar, UnaryOp};
use crate::outcome::SimulateError;

/// A square matrix in registers.
#[derive(Clone)]
struct Square {
    size: usize,
    columns: Vec<Reg>,
}

impl Square {
    fn at(&self, column: usize, row: usize) -> Option<Reg> {
        self.columns.get(column * self.size + row).copied()
    }

    /// The matrix without one column and one row.
    fn minor(&self, column: usize, row: usize) -> Self {
        let keep = (0..self.columns.len()).filter(|at| at / self.size != column && at % self.size != row);
        let columns = keep.filter_map(|at| self.columns.get(at).copied()).collect();
        Self { size: self.size - 1, columns }
    }
}

/// Every `step`-th register from `from` on, `count` of them.
fn strided(data: &[Reg], from: usize, step: usize, count: usize) -> Vec<Reg> {
    data.iter().skip(from).step_by(step.max(1)).take(count).copied().collect()
}

impl Lowering<'_> {
    /// A product in which a matrix takes part; `None` for component-wise ones (a scalar factor, too).
    pub(super) fn matrix_product(
        &mut self,
        (left, a): (TypeId, &[Reg]),
        (right, b): (TypeId, &[Reg]),
        ty: Scalar,
    ) -> Option<Rc<[Reg]>> {
        let (left, right) = (self.types.matrix(left), self.types.matrix(right));
        if a.len() == 1 || b.len() == 1 {
            return None;
        }
        // A vector on the left is a row, one on the right a column.
        let (inner, rows, columns) = match (left, right) {
            (Some((inner, rows)), Some((columns, _))) => (inner, rows, columns),
            (Some((inner, rows)), None) => (inner, rows, 1),
            (None, Some((columns, inner))) => (inner, 1, columns),
            (None, None) => return None,
        };
        let places = (0..columns).flat_map(|column| (0..rows).map(move |row| (column, row)));
        let pairs: Vec<_> =
            places.map(|(column, row)| (strided(a, row, rows, inner), strided(b, column * inner, 1, inner))).collect();
        Some(self.dots(ty, &pairs))
    }

    /// Sums of products, term by term, so that the results' registers are adjacent.
    fn dots(&mut self, ty: Scalar, pairs: &[(Vec<Reg>, Vec<Reg>)]) -> Rc<[Reg]> {
        let terms = pairs.first().map_or(0, |(a, _)| a.len());
        let mut sums: Option<Vec<Reg>> = None;
        for term in 0..terms {
            let factors = pairs.iter().filter_map(|(a, b)| Some((*a.get(term)?, *b.get(term)?)));
            let products: Vec<_> = factors.map(|(a, b)| self.asm.binary(BinaryOp::Mul, ty, a, b)).collect();
            sums = Some(match sums {
                Some(sums) => self.each2(BinaryOp::Add, ty, &sums, &products).to_vec(),
                None => products,
            });
        }
        sums.unwrap_or_default().into()
    }

    /// The matrix with rows and columns exchanged.
    pub(super) fn transpose(&self, ty: TypeId, data: &[Reg]) -> Rc<[Reg]> {
        let (columns, rows) = self.types.matrix(ty).unwrap_or((1, data.len()));
        (0..rows).flat_map(|row| strided(data, row, rows, columns)).collect()
    }

    pub(super) fn determinant(&mut self, ty: TypeId, scalar: Scalar, data: &[Reg]) -> Result<Reg, SimulateError> {
        let size = self.types.matrix(ty).map_or(1, |(columns, _)| columns);
        self.expand(scalar, &Square { size, columns: data.to_vec() })
    }

    /// Laplace expansion along the first row.
    fn expand(&mut self, ty: Scalar, matrix: &Square) -> Result<Reg, SimulateError> {
        let first = matrix.at(0, 0).ok_or_else(|| self.internal("an empty matrix"))?;
        if matrix.size == 1 {
            return Ok(first);
        }
        let mut sum = None;
        for column in 0..matrix.size {
            let factor = matrix.at(column, 0).ok_or_else(|| self.internal("a matrix without a column"))?;
            let minor = self.expand(ty, &matrix.minor(column, 0))?;
            let product = self.asm.binary(BinaryOp::Mul, ty, factor, minor);
            let op = if column % 2 == 0 { BinaryOp::Add } else { BinaryOp::Sub };
            sum = Some(match sum {
                Some(sum) => self.asm.binary(op, ty, sum, product),
                None => product,
            });
        }
        sum.ok_or_else(|| self.internal("an empty matrix"))
    }

    /// The adjugate divided by the determinant.
    pub(super) fn inverse(&mut self, ty: TypeId, scalar: Scalar, data: &[Reg]) -> Result<Rc<[Reg]>, SimulateError> {
        let size = self.types.matrix(ty).map_or(1, |(columns, _)| columns);
        let matrix = Square { size, columns: data.to_vec() };
        let determinant = self.expand(scalar, &matrix)?;
        let mut cofactors = Vec::with_capacity(data.len());
        for (column, row) in (0..size).flat_map(|column| (0..size).map(move |row| (column, row))) {
            let minor = self.expand(scalar, &matrix.minor(row, column))?;
            let odd = (row + column) % 2 == 1;
            cofactors.push(if odd { self.asm.unary(UnaryOp::Neg, scalar, minor) } else { minor });
        }
        Ok(self.each2(BinaryOp::Div, scalar, &cofactors, &[determinant]))
    }

    /// The matrix of all products of `a`'s components (rows) with `b`'s (columns).
    pub(super) fn outer_product(&mut self, ty: Scalar, a: &[Reg], b: &[Reg]) -> Rc<[Reg]> {
        let pairs: Vec<_> = b.iter().flat_map(|&b| a.iter().map(move |&a| (a, b))).collect();
        pairs.into_iter().map(|(a, b)| self.asm.binary(BinaryOp::Mul, ty, a, b)).collect()
    }
}
