//! The fast paths over whole rows against the scalar meanings, bit for bit, for every operation and type that has
//! one (and those that have none, which then compare with themselves).

use std::collections::BTreeMap;

use gridproof_launch::{Arithmetic, Dispatch, Launch, Module, MultiplyAdd, Source};

use super::*;
use crate::ir::{Instr, Rounding};
use crate::link::link;
use crate::machine::environment::Workgroup;
use crate::memory::Storage;
use crate::outcome::Config;
use crate::recorder::Recorder;

const LANES: u32 = 32;
const DST: Reg = Reg(0);
const A: Reg = Reg(2);
const B: Reg = Reg(4);
const C: Reg = Reg(6);
const ROWS: u32 = 8;

const FLUSH: Denormals = Denormals::Flush;
const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: FLUSH },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: FLUSH },
];

/// Zeros, ones, denormals and their border, largest numbers, infinities, NaNs with payloads; integer borders.
const SPECIAL: [u32; 28] = [
    0,
    0x8000_0000,
    1,
    0x8000_0001,
    0x007f_ffff,
    0x807f_ffff,
    0x0080_0000,
    0x8080_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x3f7f_ffff,
    0x3f80_0001,
    0x3f00_0000,
    0x4b00_0000,
    0x4b80_0001,
    0x4f00_0000,
    0x4f80_0000,
    0xcf00_0000,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0000,
    0x7f80_0001,
    0x7fff_ffff,
    0xffff_ffff,
    31,
];

const BINARY: [BinaryOp; 19] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Rem,
    BinaryOp::Min,
    BinaryOp::Max,
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Xor,
    BinaryOp::Shl,
    BinaryOp::Shr,
    BinaryOp::MulHigh,
    BinaryOp::Eq,
    BinaryOp::Ne,
    BinaryOp::Lt,
    BinaryOp::Le,
    BinaryOp::Gt,
    BinaryOp::Ge,
];

const LOGICAL: [BinaryOp; 5] = [BinaryOp::And, BinaryOp::Or, BinaryOp::Xor, BinaryOp::Eq, BinaryOp::Ne];

struct Words(u64);

impl Words {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = crate::cast::high(self.0);
        if word.is_multiple_of(3) { SPECIAL[at(word / 3) % SPECIAL.len()] } else { word.rotate_left(word % 32) }
    }
}

fn instructions() -> Vec<(Instr, Scalar)> {
    use Scalar::{Bf16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    let is_integer_only = |op: BinaryOp| {
        matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Shl | BinaryOp::Shr | BinaryOp::MulHigh)
    };
    let binary = |op, ty| (Instr::Binary { op, ty, dst: DST, a: A, b: B }, ty);
    let mut all: Vec<_> = BINARY.iter().flat_map(|&op| [binary(op, U32), binary(op, I32)]).collect();
    all.extend(BINARY.iter().filter(|op| !is_integer_only(**op)).map(|&op| binary(op, F32)));
    all.extend(LOGICAL.iter().map(|&op| binary(op, Bool)));
    for ty in [U32, I32, F32] {
        all.push((Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, dst: DST, a: A, b: B, c: C }, ty));
        all.push((Instr::Ternary { op: TernaryOp::Clamp, ty, dst: DST, a: A, b: B, c: C }, ty));
        all.extend([UnaryOp::Neg, UnaryOp::Abs].map(|op| (Instr::Unary { op, ty, dst: DST, a: A }, ty)));
    }
    all.extend([U32, I32, Bool].map(|ty| (Instr::Unary { op: UnaryOp::Not, ty, dst: DST, a: A }, ty)));
    let clamped = [BinaryOp::ShlClamp, BinaryOp::ShrClamp];
    for ty in [U64, I64, U16, I16] {
        all.extend(BINARY.iter().chain(&clamped).map(|&op| binary(op, ty)));
    }
    all.extend([U32, I32].iter().flat_map(|&ty| clamped.map(|op| binary(op, ty))));
    all.extend([U32, I32].map(|ty| binary(BinaryOp::MulWide, ty)));
    all.extend(BINARY.iter().filter(|op| !is_integer_only(**op)).map(|&op| binary(op, F64)));
    for ty in [U64, I64, F64] {
        all.push((Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, dst: DST, a: A, b: B, c: C }, ty));
    }
    all.push((Instr::Unary { op: UnaryOp::Sqrt, ty: F32, dst: DST, a: A }, F32));
    let kinds = [Bool, U8, I8, U16, I16, U32, I32, U64, I64, F16, Bf16, F32];
    for (from, to) in kinds.iter().flat_map(|&from| kinds.map(|to| (from, to))).filter(|(_, to)| *to != Bool) {
        let rounding = Rounding::NearestEven;
        all.push((Instr::Convert { from, to, rounding, dst: DST, src: A }, from));
    }
    for (from, to) in [U32, I32, F32, Bool].iter().flat_map(|&from| [U32, I32, F32, Bool].map(|to| (from, to))) {
        for rounding in [Rounding::TowardsZero, Rounding::NearestEven, Rounding::Down, Rounding::Up] {
            all.push((Instr::Convert { from, to, rounding, dst: DST, src: A }, from));
        }
    }
    all
}

fn linked(arithmetic: Arithmetic) -> Linked {
    let mut launch = Launch::default();
    let text = "@compute @workgroup_size(32) fn main() { }";
    let module = launch.add_module(Module::new("t.wgsl", Source::Wgsl(text.into())));
    launch.dispatches.push(Dispatch::new(module, "main", [1, 1, 1]));
    let mut program = crate::frontend::lower(&launch, &launch.dispatches[0]).unwrap();
    program.rows = ROWS;
    let config = Config { arithmetic, subgroup_size: LANES, ..Config::default() };
    link(&launch, 0, program, &config, &mut Vec::new(), &std::collections::BTreeMap::new(), std::time::Instant::now())
        .unwrap()
}

fn with_environment(arithmetic: Arithmetic, body: impl FnOnce(&Environment<'_>, &mut Subgroup)) {
    let linked = linked(arithmetic);
    let mut subgroup = Subgroup::new(&linked, 0);
    let (mut storage, mut workgroup) = (Storage::isolated(Vec::new()), Workgroup::new(&linked));
    let mut recorder = Recorder::default();
    let env = Environment {
        linked: &linked,
        storage: &mut storage,
        shadows: &mut [],
        workgroup: &mut workgroup,
        recorder: &mut recorder,
        watch: None,
        trace: None,
        history: None,
    };
    body(&env, &mut subgroup);
}

fn fill(subgroup: &mut Subgroup, words: &mut Words, ty: Scalar) {
    for row in 0..ROWS {
        for lane in 0..LANES {
            let word = words.next();
            subgroup.registers.set_word(Reg(row), lane, word & mask_of(ty));
        }
    }
}

/// Registers of few bits are kept zero-extended.
const fn mask_of(ty: Scalar) -> u32 {
    match ty.bits() {
        _ if matches!(ty, Scalar::Bool) => 1,
        8 => 0xff,
        16 => 0xffff,
        _ => u32::MAX,
    }
}

fn all_words(subgroup: &Subgroup) -> Vec<u32> {
    (0..ROWS)
        .flat_map(|row| (0..LANES).map(move |lane| (row, lane)))
        .map(|(row, lane)| subgroup.registers.word(Reg(row), lane))
        .collect()
}

/// Operands and both results of the first invocation whose results differ.
fn first_difference(fast: &[u32], subgroup: &Subgroup) -> Option<String> {
    let slow = all_words(subgroup);
    let place = (0..fast.len()).find(|&place| fast[place] != slow[place])?;
    let lane = crate::cast::narrow(place) % LANES;
    let [a, b, c] = [A, B, C].map(|reg| subgroup.registers.word(reg, lane));
    Some(format!("{a:#x}, {b:#x}, {c:#x}: fast {:#x}, slow {:#x}", fast[place], slow[place]))
}

#[test]
fn fast_paths_agree_with_the_scalar_meanings() {
    let full = u128::from(u32::MAX);
    let mut wrong = BTreeMap::new();
    for arithmetic in PROFILES {
        with_environment(arithmetic, |env, subgroup| {
            let mut words = Words(7);
            for (instr, ty) in instructions() {
                for round in 0..60 {
                    let mask = if round % 2 == 0 { full } else { u128::from(words.next()) };
                    fill(subgroup, &mut words, ty);
                    let before = subgroup.registers.clone();
                    subgroup.mask.set(mask, mask == full);
                    subgroup.compute(env, &instr);
                    let fast = all_words(subgroup);
                    subgroup.registers = before;
                    subgroup.slowly(env, &instr);
                    if let Some(difference) = first_difference(&fast, subgroup) {
                        wrong.insert(format!("{instr:?} under {arithmetic}"), difference);
                    }
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_pair_of_special_values_agrees() {
    let mut wrong = BTreeMap::new();
    for arithmetic in PROFILES {
        with_environment(arithmetic, |env, subgroup| {
            subgroup.mask.set(u128::from(u32::MAX), true);
            for (instr, _) in instructions().into_iter().filter(|(_, ty)| ty.bits() >= 32 && *ty != Scalar::Bool) {
                for (second, third) in SPECIAL.iter().zip(SPECIAL.iter().cycle().skip(5)) {
                    for lane in 0..LANES {
                        subgroup.registers.set_word(A, lane, SPECIAL[at(lane) % SPECIAL.len()]);
                    }
                    subgroup.registers.fill(B, *second);
                    subgroup.registers.fill(C, *third);
                    let before = subgroup.registers.clone();
                    subgroup.compute(env, &instr);
                    let fast = all_words(subgroup);
                    subgroup.registers = before;
                    subgroup.slowly(env, &instr);
                    if let Some(difference) = first_difference(&fast, subgroup) {
                        wrong.insert(format!("{instr:?} under {arithmetic}"), difference);
                    }
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn masked_invocations_keep_their_values_in_every_fast_path() {
    with_environment(Arithmetic::FUSED, |env, subgroup| {
        let mut words = Words(3);
        let select = Instr::Select { condition: A, dst: DST, accept: B, reject: C };
        let copy = Instr::Copy { dst: DST, src: A };
        let rest = [(select, Scalar::U32), (copy, Scalar::U32)];
        for (instr, ty) in instructions().into_iter().chain(rest) {
            fill(subgroup, &mut words, ty);
            let before = all_words(subgroup);
            let bits = words.next();
            subgroup.mask.set(u128::from(bits), false);
            subgroup.compute(env, &instr);
            for lane in (0..LANES).filter(|lane| bits >> lane & 1 == 0) {
                assert_eq!(subgroup.registers.word(DST, lane), before[at(lane)], "{instr:?}, invocation {lane}");
            }
        }
    });
}

#[test]
fn selection_takes_one_or_the_other() {
    with_environment(Arithmetic::FUSED, |env, subgroup| {
        fill(subgroup, &mut Words(11), Scalar::U32);
        subgroup.mask.set(u128::from(u32::MAX), true);
        (0..LANES).for_each(|lane| subgroup.registers.set_word(A, lane, lane & 1));
        subgroup.compute(env, &Instr::Select { condition: A, dst: DST, accept: B, reject: C });
        for lane in 0..LANES {
            let chosen = if lane & 1 == 1 { B } else { C };
            assert_eq!(subgroup.registers.word(DST, lane), subgroup.registers.word(chosen, lane));
        }
    });
}
