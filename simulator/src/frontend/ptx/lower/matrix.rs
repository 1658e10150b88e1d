//! `mma.sync`: matrix multiply-accumulate by the invocations of a subgroup together.

use super::words::Words;
use super::{Lowered, Lowerer, written};
use crate::frontend::ptx::ast::{Instruction, Operand as Written, Type};
use crate::frontend::ptx::support::{PtxFamily, PtxOpcode, opcode};
use crate::ir::{Element, Matrix, Operand, WarpOp};
use crate::machine::semantics::register_counts;

/// What this file takes.
pub(super) const FAMILIES: &[PtxFamily] =
    &[PtxFamily { name: "Matrix multiply-accumulate", scalar: false, opcodes: OPCODES }];

const OPCODES: &[PtxOpcode] = &[opcode(
    "mma",
    &[
        ".sync.aligned.m16n8k8|m16n8k16.row.col.f16|f32.f16.f16.f16|f32 (C like D)",
        ".sync.aligned.m8n8k4.row|col.row|col.f16|f32.f16.f16.f16|f32 (C like D, or f16)",
        ".sync.aligned.m16n8k8|m16n8k16.row.col.f32.bf16.bf16.f32",
        ".sync.aligned.m16n8k4|m16n8k8.row.col.f32.tf32.tf32.f32",
        ".sync.aligned.m16n8k16|m16n8k32.row.col.f16|f32.e4m3|e5m2.e4m3|e5m2.f16|f32 (C like D)",
        ".sync.aligned.m8n8k4|m16n8k4|m16n8k8|m16n8k16.row.col{.rn}.f64.f64.f64.f64",
        ".sync.aligned.m8n8k16|m16n8k16|m16n8k32.row.col{.satfinite}.s32.s8|u8.s8|u8.s32",
        ".sync.aligned.m8n8k32|m16n8k32|m16n8k64.row.col{.satfinite}.s32.s4|u4.s4|u4.s32",
        ".sync.aligned.m8n8k128|m16n8k128|m16n8k256.row.col.s32.b1.b1.s32.and|xor.popc",
    ],
)];

const SHAPES: &[(&str, [u32; 3])] = &[
    ("m8n8k4", [8, 8, 4]),
    ("m8n8k16", [8, 8, 16]),
    ("m8n8k32", [8, 8, 32]),
    ("m8n8k128", [8, 8, 128]),
    ("m16n8k4", [16, 8, 4]),
    ("m16n8k8", [16, 8, 8]),
    ("m16n8k16", [16, 8, 16]),
    ("m16n8k32", [16, 8, 32]),
    ("m16n8k64", [16, 8, 64]),
    ("m16n8k128", [16, 8, 128]),
    ("m16n8k256", [16, 8, 256]),
];

impl<'t> Lowerer<'_, 't> {
    /// Lowers the instruction if it is one of these; whether it was.
    pub(super) fn matrix(&mut self, instruction: &Instruction<'t>) -> Lowered<bool> {
        if instruction.opcode.text != "mma" {
            return Ok(false);
        }
        let mut words = Words::new(instruction);
        let Some(matrix) = take_matrix(&mut words).filter(|matrix| is_known(*matrix)) else {
            return Err(self.unsupported(instruction.opcode.place, format!("`{}`", written(instruction))));
        };
        self.finish_words(&words, instruction)?;
        let [d, a, b, c] = self.operands::<4>(instruction)?;
        let counts = register_counts(matrix);
        let mut sources = Vec::new();
        for ((written, element), count) in [(a, matrix.a), (b, matrix.b), (c, matrix.c)].into_iter().zip(counts) {
            for part in self.fragment(written, count)? {
                let ty = register_type(element);
                sources.push(Operand { reg: self.read(part, ty)?, rows: super::rows_of(ty, 1) });
            }
        }
        let mut results = Vec::new();
        for part in self.fragment(d, counts[3])? {
            let ty = register_type(matrix.d);
            results.push(Operand { reg: self.write(part, ty)?, rows: super::rows_of(ty, 1) });
        }
        if matrix.d != Element::S32 {
            self.approximate(instruction);
        }
        self.emit_warp(WarpOp::MultiplyAccumulate(matrix), None, sources, results);
        Ok(true)
    }

    /// The registers of an operand.
    fn fragment<'i>(&self, written: &'i Written<'t>, count: u32) -> Lowered<&'i [Written<'t>]> {
        let parts = match written {
            Written::Vector { parts, .. } => parts.as_slice(),
            single => std::slice::from_ref(single),
        };
        if crate::cast::narrow(parts.len()) != count {
            let message = format!("this matrix takes {count} registers, and has {}", parts.len());
            return Err(self.invalid(written.place(), message));
        }
        Ok(parts)
    }
}

/// The shape, layouts and types. `.aligned` and the layouts are mandatory.
fn take_matrix(words: &mut Words<'_, '_>) -> Option<Matrix> {
    if !words.take("sync") || !words.take("aligned") {
        return None;
    }
    let shape = words.take_next()?.text;
    let &(_, [m, n, k]) = SHAPES.iter().find(|(name, _)| *name == shape)?;
    let a_column = words.take_any(&["row", "col"])? == "col";
    let b_row = words.take_any(&["row", "col"])? == "row";
    let saturate = words.take("satfinite");
    let nearest = words.take("rn");
    let d = accumulator(words.take_next()?.text)?;
    let (a, b) = (words.take_next()?.text, words.take_next()?.text);
    let c = accumulator(words.take_next()?.text)?;
    let (a, b) = match (a, b) {
        ("b1", "b1") => {
            let operation = words.take_any(&["and", "xor"])?;
            let element = if operation == "and" { Element::B1And } else { Element::B1Xor };
            if !words.take("popc") {
                return None;
            }
            (element, element)
        }
        (a, b) => (factor(a)?, factor(b)?),
    };
    let matrix = Matrix { m, n, k, a, b, c, d, saturate, a_column, b_row };
    (!nearest || a == Element::F64).then_some(matrix)
}

fn accumulator(word: &str) -> Option<Element> {
    Some(match word {
        "f16" => Element::F16,
        "f32" => Element::F32,
        "f64" => Element::F64,
        "s32" => Element::S32,
        _ => return None,
    })
}

fn factor(word: &str) -> Option<Element> {
    Some(match word {
        "f16" => Element::F16,
        "bf16" => Element::Bf16,
        "tf32" => Element::Tf32,
        "f64" => Element::F64,
        "e4m3" => Element::E4m3,
        "e5m2" => Element::E5m2,
        "s8" => Element::S8,
        "u8" => Element::U8,
        "s4" => Element::S4,
        "u4" => Element::U4,
        _ => return None,
    })
}

/// Whether PTX has the shape for the types.
fn is_known(matrix: Matrix) -> bool {
    use Element as E;
    let Matrix { m, k, a, b, c, d, .. } = matrix;
    let tall = m == 16;
    let (shape, alike, results) = match a {
        E::F16 if tall => (matches!(k, 8 | 16), a == b, c == d && is_float(d)),
        E::F16 => (k == 4, a == b, c == E::F16 && is_float(d) || c == E::F32 && d == E::F32),
        E::Bf16 => (tall && matches!(k, 8 | 16), a == b, c == E::F32 && d == E::F32),
        E::Tf32 => (tall && matches!(k, 4 | 8), a == b, c == E::F32 && d == E::F32),
        E::E4m3 | E::E5m2 => (tall && matches!(k, 16 | 32), matches!(b, E::E4m3 | E::E5m2), c == d && is_float(d)),
        E::F64 => (k == 4 || tall && matches!(k, 8 | 16), a == b, c == E::F64 && d == E::F64),
        E::S8 | E::U8 => (k == 16 || tall && k == 32, matches!(b, E::S8 | E::U8), c == E::S32 && d == E::S32),
        E::S4 | E::U4 => (k == 32 || tall && k == 64, matches!(b, E::S4 | E::U4), c == E::S32 && d == E::S32),
        _ => (k == 128 || tall && k == 256, a == b, c == E::S32 && d == E::S32),
    };
    let quads = a == E::F16 && !tall;
    let layouts = quads || !(matrix.a_column || matrix.b_row);
    let saturates = matches!(a, E::S8 | E::U8 | E::S4 | E::U4);
    shape && alike && results && layouts && (saturates || !matrix.saturate)
}

const fn is_float(element: Element) -> bool {
    matches!(element, Element::F16 | Element::F32)
}

const fn register_type(element: Element) -> Type {
    match element {
        Element::F64 => Type::F64,
        _ => Type::B32,
    }
}
