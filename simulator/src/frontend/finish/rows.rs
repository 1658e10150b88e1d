//! Lets values that are never needed at the same time share a row, so that the rows of a subgroup fit in a
//! core's first cache, and finds the rows that may be read before they are written.
//!
//! Liveness is solved over the control-flow graph; a value then holds its row from its first definition to its last
//! use in code order, and rows are handed out in one scan (Poletto and Sarkar, TOPLAS 1999). Rows that some
//! instruction needs side by side move as one *bundle*. Diverged invocations do no harm: a row holds a word
//! for each of them, and every invocation takes its own path.
//!
//! Rows that can reach an address, and rows that an atomic's result can reach, keep to themselves: the analyses that
//! ask for them do not follow control flow, so a shared row would mean a false answer. Programs for which the
//! solution would take more than 32 MiB keep their rows.

use std::collections::BTreeMap;

use super::operands::{Role, visit};
use super::{Finished, index};
use crate::analysis::{address_rows, atomic_rows};
use crate::ir::{Instr, Reg};

/// Bits of all live sets together, at most.
const MOST_BITS: usize = 1 << 28;

/// Reads and writes of one instruction: first row and number of rows.
struct Touches {
    reads: Vec<(u32, u32)>,
    writes: Vec<(u32, u32)>,
}

/// Renumbers the rows of a program. Returns those that must be zero at the start.
pub(super) fn share(program: &mut Finished) -> Vec<Reg> {
    let touches = touches(program);
    let blocks = blocks(&program.code);
    let rows = index(program.rows);
    if rows.saturating_mul(blocks.len()).saturating_mul(2) > MOST_BITS {
        let constant = |row: &u32| program.constants.iter().any(|(reg, _)| reg.0 == *row);
        return (0..program.rows).filter(|row| !constant(row)).map(Reg).collect();
    }
    let live = live_sets(&program.code, &touches, &blocks, rows);
    let spans = live_ranges(&program.code, &touches, &blocks, &live, rows);
    let unwritten = unwritten(program, live.first());
    let bundles = bundles(program, &touches, &spans, &unwritten);
    let (place, count) = hand_out(bundles, rows);
    rename(program, &place);
    program.rows = count;
    unwritten.iter().enumerate().filter(|(_, unwritten)| **unwritten).map(|(row, _)| place[row]).collect()
}

fn touches(program: &mut Finished) -> Vec<Touches> {
    let accesses = &mut program.accesses;
    program
        .code
        .iter_mut()
        .map(|instr| {
            let mut touches = Touches { reads: Vec::new(), writes: Vec::new() };
            visit(instr, accesses, &mut |first, rows, role| match role {
                Role::Read => touches.reads.push((first.0, rows)),
                Role::Write => touches.writes.push((first.0, rows)),
            });
            touches
        })
        .collect()
}

/// Start of each basic block, and one past the end of the last.
fn blocks(code: &[Instr]) -> Vec<usize> {
    let mut starts = vec![0, code.len()];
    for (pc, instr) in code.iter().enumerate() {
        match instr {
            Instr::Jump { target } | Instr::JumpIf { target, .. } => starts.extend([index(target.0), pc + 1]),
            Instr::Exit | Instr::Trap => starts.push(pc + 1),
            _ => {}
        }
    }
    starts.retain(|&start| start <= code.len());
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// A set of rows.
#[derive(Clone, PartialEq, Eq)]
struct Rows(Vec<u64>);

impl Rows {
    fn empty(rows: usize) -> Self {
        Self(vec![0; rows.div_ceil(64)])
    }

    fn set(&mut self, row: u32, live: bool) {
        let (word, bit) = (index(row) / 64, 1 << (row % 64));
        if let Some(word) = self.0.get_mut(word) {
            *word = if live { *word | bit } else { *word & !bit };
        }
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(word, &bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        })
    }
}

fn set_all(set: &mut Rows, operands: &[(u32, u32)], live: bool) {
    for &(first, rows) in operands {
        (first..first.saturating_add(rows)).for_each(|row| set.set(row, live));
    }
}

/// Rows live at the start of each block.
fn live_sets(code: &[Instr], touches: &[Touches], blocks: &[usize], rows: usize) -> Vec<Rows> {
    let count = blocks.len().saturating_sub(1);
    let mut live = vec![Rows::empty(rows); count];
    loop {
        let mut changed = false;
        for block in (0..count).rev() {
            let mut now = live_at_end(code, blocks, block, &live, rows);
            for touch in touches[blocks[block]..blocks[block + 1]].iter().rev() {
                set_all(&mut now, &touch.writes, false);
                set_all(&mut now, &touch.reads, true);
            }
            changed |= now != live[block];
            live[block] = now;
        }
        if !changed {
            return live;
        }
    }
}

fn live_at_end(code: &[Instr], blocks: &[usize], block: usize, live: &[Rows], rows: usize) -> Rows {
    let mut end = Rows::empty(rows);
    let Some(last) = blocks[block + 1].checked_sub(1).and_then(|pc| code.get(pc)) else { return end };
    let mut follow = |start: usize| {
        if let Some(next) = blocks.binary_search(&start).ok().and_then(|next| live.get(next)) {
            end.add(next);
        }
    };
    match last {
        Instr::Jump { target } => follow(index(target.0)),
        Instr::JumpIf { target, .. } => {
            follow(index(target.0));
            follow(blocks[block + 1]);
        }
        Instr::Exit | Instr::Trap => {}
        _ => follow(blocks[block + 1]),
    }
    end
}

/// First and last position at which each row is needed.
fn live_ranges(
    code: &[Instr],
    touches: &[Touches],
    blocks: &[usize],
    live: &[Rows],
    rows: usize,
) -> Vec<Option<(usize, usize)>> {
    let mut ranges: Vec<Option<(usize, usize)>> = vec![None; rows];
    let mut extend = |row: usize, position: usize| {
        if let Some(range) = ranges.get_mut(row) {
            *range = Some(range.map_or((position, position), |(a, b)| (a.min(position), b.max(position))));
        }
    };
    for (block, live) in live.iter().enumerate() {
        let start = blocks[block];
        live.iter().for_each(|row| extend(row, start));
    }
    for (block, pair) in blocks.windows(2).enumerate() {
        let last = pair[1].saturating_sub(1);
        live_at_end(code, blocks, block, live, rows).iter().for_each(|row| extend(row, last));
    }
    for (pc, touch) in touches.iter().enumerate() {
        for &(first, count) in touch.reads.iter().chain(&touch.writes) {
            (first..first.saturating_add(count)).for_each(|row| extend(index(row), pc));
        }
    }
    ranges
}

/// Rows some path reads before writing them; they count as zero.
fn unwritten(program: &Finished, at_entry: Option<&Rows>) -> Vec<bool> {
    let mut unwritten = vec![false; index(program.rows)];
    for row in at_entry.into_iter().flat_map(Rows::iter) {
        if let Some(flag) = unwritten.get_mut(row) {
            *flag = true;
        }
    }
    for (reg, _) in &program.constants {
        if let Some(flag) = unwritten.get_mut(index(reg.0)) {
            *flag = false;
        }
    }
    unwritten
}

/// Adjacent rows that move together.
struct Bundle {
    first: usize,
    rows: usize,
    from: usize,
    to: usize,
    /// Keeps its rows to itself: constants, and rows that start as zero.
    pinned: bool,
    class: (bool, bool),
}

fn bundles(
    program: &Finished,
    touches: &[Touches],
    ranges: &[Option<(usize, usize)>],
    unwritten: &[bool],
) -> Vec<Bundle> {
    let rows = ranges.len();
    let mut joined = vec![false; rows];
    for touch in touches {
        for &(first, count) in touch.reads.iter().chain(&touch.writes) {
            let end = index(first.saturating_add(count).saturating_sub(1)).min(rows);
            joined[index(first).min(end)..end].fill(true);
        }
    }
    let addresses = address_rows(program.rows, &program.code, &program.accesses);
    let atomics = atomic_rows(program.rows, &program.code, &program.accesses);
    let mut pinned = unwritten.to_vec();
    program.constants.iter().for_each(|(reg, _)| pinned[index(reg.0)] = true);
    let mut bundles = Vec::new();
    let mut first = 0;
    while first < rows {
        let length = 1 + joined[first..].iter().take_while(|joined| **joined).count();
        let members = first..(first + length).min(rows);
        let needed = members.clone().filter_map(|row| ranges[row]);
        if let Some((from, to)) = needed.reduce(|(a, b), (c, d)| (a.min(c), b.max(d))) {
            let any = |flags: &[bool]| members.clone().any(|row| flags[row]);
            let class = (any(&addresses), any(&atomics));
            bundles.push(Bundle { first, rows: members.len(), from, to, pinned: any(&pinned), class });
        } else if members.clone().any(|row| pinned[row]) {
            bundles.push(Bundle { first, rows: members.len(), from: 0, to: 0, pinned: true, class: (false, false) });
        }
        first = members.end;
    }
    bundles
}

/// New first row by old row, and how many rows there are now.
fn hand_out(mut bundles: Vec<Bundle>, rows: usize) -> (Vec<Reg>, u32) {
    bundles.sort_by_key(|bundle| (bundle.from, bundle.first));
    let mut place = vec![Reg(0); rows];
    let mut free: BTreeMap<((bool, bool), usize), Vec<u32>> = BTreeMap::new();
    let mut busy: Vec<(usize, (bool, bool), usize, u32)> = Vec::new();
    let mut count = 0_u32;
    for bundle in bundles {
        busy.retain(|&(to, class, rows, row)| {
            let done = to <= bundle.from;
            if done {
                free.entry((class, rows)).or_default().push(row);
            }
            !done
        });
        let reused = if bundle.pinned { None } else { free.entry((bundle.class, bundle.rows)).or_default().pop() };
        let row = reused.unwrap_or_else(|| {
            count += u32::try_from(bundle.rows).unwrap_or(u32::MAX);
            count - u32::try_from(bundle.rows).unwrap_or(0)
        });
        if !bundle.pinned {
            busy.push((bundle.to, bundle.class, bundle.rows, row));
        }
        for (offset, old) in (bundle.first..bundle.first + bundle.rows).enumerate() {
            place[old] = Reg(row + u32::try_from(offset).unwrap_or(0));
        }
    }
    (place, count)
}

fn rename(program: &mut Finished, place: &[Reg]) {
    let new = |reg: Reg| place.get(index(reg.0)).copied().unwrap_or(reg);
    let mut renamed = vec![false; program.accesses.len()];
    for instr in &mut program.code {
        if let Instr::Access(id) = instr
            && std::mem::replace(&mut renamed[index(id.0)], true)
        {
            continue;
        }
        visit(instr, &mut program.accesses, &mut |reg, _, _| *reg = new(*reg));
    }
    for (reg, _) in &mut program.constants {
        *reg = new(*reg);
    }
}
