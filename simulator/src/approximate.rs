//! Which places of a program devices may compute differently, so that equal bits cannot be promised.

use crate::ir::{BinaryOp, Extent, Instr, Pc, Program, Span, SubgroupOp};
use crate::machine::semantics;

/// Each place with the operation's name, in program order, once per source place.
pub fn places(program: &Program) -> Vec<(String, Span)> {
    let mut places: Vec<(String, Span)> = Vec::new();
    if let Some(named) = &program.approximations {
        for (operation, span) in named {
            let mut span = program.spans.get(crate::cast::at(span.0)).copied().unwrap_or_default();
            span.inlined_at = None;
            let place = (operation.clone(), span);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        return places;
    }
    for (pc, instr) in program.code.iter().enumerate() {
        let Some(operation) = name(instr) else { continue };
        let mut span = program.span(Pc(crate::cast::narrow(pc)));
        span.inlined_at = None;
        let place = (operation, span);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

fn name(instr: &Instr) -> Option<String> {
    let lower = |debug: String| debug.to_lowercase();
    match *instr {
        Instr::Unary { op, ty, .. } if semantics::unary_is_approximate(op, ty) => Some(lower(format!("{op:?}"))),
        Instr::Binary { op: BinaryOp::Div, ty, .. } if semantics::binary_is_approximate(BinaryOp::Div, ty) => {
            Some("division".to_owned())
        }
        Instr::Binary { op, ty, .. } if semantics::binary_is_approximate(op, ty) => Some(lower(format!("{op:?}"))),
        Instr::Subgroup { op: SubgroupOp::Combine(reduction, extent), ty, .. } if ty.is_float() => {
            let extent = if extent == Extent::Reduce { "reduction" } else { "scan" };
            Some(format!("subgroup {} {extent} of floats", lower(format!("{reduction:?}"))))
        }
        _ => None,
    }
}
