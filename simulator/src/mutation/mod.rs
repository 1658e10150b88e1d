//! Programs without one of their barriers or guards: what mutation testing of a kernel needs.
//!
//! [`sites`] lists what can be left out, and an [`Edit`] of a launch's module leaves it out (or stops the kernel there)
//! whenever the module is lowered, so that proofs, schedules and exploration all run the edited program. Whatever was
//! inlined several times from one place of the source is one site.
//!
//! Instructions keep their program counters; what is left out becomes a jump to the next one.

mod guards;

use std::collections::BTreeMap;

use gridproof_launch::{Change, Construct, Edit, Launch, Site};

use crate::cast::{at, narrow};
use crate::frontend;
use crate::ir::{Instr, Pc, Program, RendezvousKind, SourceFile, Span, Transfer, WarpOp};
use crate::outcome::SimulateError;
use guards::{Branch, branches};

/// What can be left out of a launch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sites {
    /// In order of their files and lines.
    pub sites: Vec<Found>,
    /// What spans point into.
    pub files: Vec<SourceFile>,
}

/// One thing that can be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The place.
    pub site: Site,
    /// The same place for quoting. The file index is into [`Sites::files`].
    pub span: Span,
    /// The entry points that it was inlined into, in order of the dispatches.
    pub entries: Vec<String>,
}

/// What can be left out of the programs of a launch.
///
/// # Errors
/// When the launch or its modules are wrong, or a construct is unsupported.
pub fn sites(launch: &Launch) -> Result<Sites, SimulateError> {
    launch.validate()?;
    let mut files: Vec<SourceFile> = Vec::new();
    let mut found: BTreeMap<(usize, u32, u32, Construct), Found> = BTreeMap::new();
    let mut seen: Vec<&gridproof_launch::Dispatch> = Vec::new();
    for dispatch in &launch.dispatches {
        let same = |other: &&gridproof_launch::Dispatch| {
            other.module == dispatch.module && other.entry == dispatch.entry && other.constants == dispatch.constants
        };
        if seen.iter().any(same) {
            continue;
        }
        seen.push(dispatch);
        let program = frontend::lower(launch, dispatch)?;
        for (span, construct) in places(&program) {
            let Some(file) = program.files.get(at(span.file)) else { continue };
            let number = files.iter().position(|known| known == file).unwrap_or_else(|| {
                files.push(file.clone());
                files.len() - 1
            });
            let entry = found.entry((number, span.line, span.column, construct)).or_insert_with(|| Found {
                site: site(&program, span, construct),
                span: Span { file: narrow(number), inlined_at: None, ..span },
                entries: Vec::new(),
            });
            if !entry.entries.contains(&dispatch.entry) {
                entry.entries.push(dispatch.entry.clone());
            }
        }
    }
    Ok(Sites { sites: found.into_values().collect(), files })
}

/// The places of a program where something can be left out. Those without a line cannot be named.
fn places(program: &Program) -> Vec<(Span, Construct)> {
    let barriers = program.code.iter().enumerate().filter(|(_, instr)| is_barrier(program, instr));
    let barriers = barriers.map(|(pc, _)| (program.span(Pc(narrow(pc))), Construct::Barrier));
    let guards = guards(program).into_iter().map(|(pc, _)| (program.span(pc), Construct::Guard));
    barriers.chain(guards).filter(|(span, _)| span.line != 0).collect()
}

/// The guards of a program, and whether the accesses are where they jump to. A place where some copy is the test of a
/// loop is no guard: without it, the loop would not end.
fn guards(program: &Program) -> Vec<(Pc, bool)> {
    let place = |pc: Pc| {
        let span = program.span(pc);
        (span.file, span.line, span.column)
    };
    let all = branches(program);
    let loops: Vec<_> = all.iter().filter(|(_, branch)| *branch == Branch::Loop).map(|(pc, _)| place(*pc)).collect();
    let guard = |&(pc, branch): &(Pc, Branch)| match branch {
        Branch::Guard { jumps } if !loops.contains(&place(pc)) => Some((pc, jumps)),
        _ => None,
    };
    all.iter().filter_map(guard).collect()
}

fn is_barrier(program: &Program, instr: &Instr) -> bool {
    let tables = &program.tables;
    match *instr {
        Instr::Barrier { .. } | Instr::Fence { .. } => true,
        Instr::Warp(id) => tables.warps.get(at(id.0)).is_some_and(|warp| warp.op == WarpOp::Barrier),
        Instr::Rendezvous(id) => {
            tables.rendezvous.get(at(id.0)).is_some_and(|entry| entry.kind == RendezvousKind::Wait)
        }
        Instr::Transfer(id) => {
            matches!(tables.transfers.get(at(id.0)), Some(Transfer::Wait { .. } | Transfer::WaitAll))
        }
        _ => false,
    }
}

fn site(program: &Program, span: Span, construct: Construct) -> Site {
    let file = program.files.get(at(span.file)).map(|file| file.name.clone()).unwrap_or_default();
    Site { file, line: span.line, column: span.column, construct }
}

/// Changes a program as the edits of its module say. An edit of another entry point's code changes nothing.
pub(crate) fn apply(program: &mut Program, edits: &[Edit]) {
    let change = |program: &Program, pc: Pc, construct| {
        let here = site(program, program.span(pc), construct);
        edits.iter().find(|edit| edit.site == here).map(|edit| edit.change)
    };
    if edits.is_empty() {
        return;
    }
    let guards = guards(program);
    for pc in 0..program.code.len() {
        if is_barrier(program, &program.code[pc]) {
            match change(program, Pc(narrow(pc)), Construct::Barrier) {
                Some(Change::Remove) => program.code[pc] = Instr::Jump { target: Pc(narrow(pc + 1)) },
                Some(Change::Trap) => program.code[pc] = Instr::Trap,
                None => {}
            }
        }
    }
    for (pc, jumps) in guards {
        let Some(change) = change(program, pc, Construct::Guard) else { continue };
        let Instr::JumpIf { condition, when, target } = program.code[at(pc.0)] else { continue };
        let guarded = if jumps { target } else { Pc(pc.0 + 1) };
        program.code[at(pc.0)] = match change {
            Change::Remove => Instr::Jump { target: guarded },
            Change::Trap => {
                let detour = Pc(narrow(program.code.len()));
                program.code.push(Instr::JumpIf { condition, when: when == jumps, target: guarded });
                program.code.push(Instr::Trap);
                let span = program.span_of[at(pc.0)];
                program.span_of.extend([span, span]);
                Instr::Jump { target: detour }
            }
        };
    }
}
