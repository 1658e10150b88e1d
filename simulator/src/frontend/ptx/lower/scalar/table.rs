//! The opcodes that this folder takes, with their forms.

use crate::frontend::ptx::support::{PtxFamily, PtxOpcode, opcode};

/// Whether one of the families has it.
pub(super) fn has(name: &str) -> bool {
    FAMILIES.iter().flat_map(|family| family.opcodes).any(|opcode| opcode.opcode == name)
}

/// What one invocation computes from its own registers.
pub(in crate::frontend::ptx::lower) const FAMILIES: &[PtxFamily] = &[
    PtxFamily { name: "Integer arithmetic", scalar: true, opcodes: INTEGER },
    PtxFamily { name: "Bits, logic and shifts", scalar: true, opcodes: BITS },
    PtxFamily { name: "Floating-point arithmetic", scalar: true, opcodes: FLOAT },
    PtxFamily { name: "Functions", scalar: true, opcodes: FUNCTION },
    PtxFamily { name: "Comparison and selection", scalar: true, opcodes: COMPARE },
    PtxFamily { name: "Moves and conversions", scalar: true, opcodes: MOVE },
];

const INTEGER: &[PtxOpcode] = &[
    opcode("add", &[".u16|u32|u64|s16|s32|s64", "{.sat}.s32", ".u16x2|s16x2", ".cc.u32|s32|u64|s64"]),
    opcode("addc", &["{.cc}.u32|s32|u64|s64"]),
    opcode("sub", &[".u16|u32|u64|s16|s32|s64", "{.sat}.s32", ".cc.u32|s32|u64|s64"]),
    opcode("subc", &["{.cc}.u32|s32|u64|s64"]),
    opcode("mul", &[".lo|hi.u16|u32|u64|s16|s32|s64", ".wide.u16|u32|s16|s32"]),
    opcode(
        "mad",
        &[".lo|hi.u16|u32|u64|s16|s32|s64", ".wide.u16|u32|s16|s32", ".hi.sat.s32", ".lo|hi.cc.u32|s32|u64|s64"],
    ),
    opcode("madc", &[".lo|hi{.cc}.u32|s32|u64|s64"]),
    opcode("mul24", &[".lo|hi.u32|s32"]),
    opcode("mad24", &[".lo|hi.u32|s32", ".hi.sat.s32"]),
    opcode("sad", &[".u16|u32|u64|s16|s32|s64"]),
    opcode("div", &[".u16|u32|u64|s16|s32|s64"]),
    opcode("rem", &[".u16|u32|u64|s16|s32|s64"]),
    opcode("abs", &[".s16|s32|s64"]),
    opcode("neg", &[".s16|s32|s64"]),
    opcode("min", &[".u16|u32|u64|s16|s32|s64|u16x2|s16x2", ".relu.s32|s16x2"]),
    opcode("max", &[".u16|u32|u64|s16|s32|s64|u16x2|s16x2", ".relu.s32|s16x2"]),
    opcode("dp4a", &[".u32|s32.u32|s32"]),
    opcode("dp2a", &[".lo|hi.u32|s32.u32|s32"]),
];

const BITS: &[PtxOpcode] = &[
    opcode("and", &[".pred|b16|b32|b64"]),
    opcode("or", &[".pred|b16|b32|b64"]),
    opcode("xor", &[".pred|b16|b32|b64"]),
    opcode("not", &[".pred|b16|b32|b64"]),
    opcode("cnot", &[".b16|b32|b64"]),
    opcode("lop3", &["{.or|and}.b32"]),
    opcode("shl", &[".b16|b32|b64"]),
    opcode("shr", &[".b16|b32|b64|u16|u32|u64|s16|s32|s64"]),
    opcode("shf", &[".l|r.clamp|wrap.b32"]),
    opcode("prmt", &[".b32{.f4e|b4e|rc8|ecl|ecr|rc16}"]),
    opcode("popc", &[".b32|b64"]),
    opcode("clz", &[".b32|b64"]),
    opcode("brev", &[".b32|b64"]),
    opcode("bfind", &["{.shiftamt}.u32|u64|s32|s64"]),
    opcode("fns", &[".b32"]),
    opcode("bfe", &[".u32|u64|s32|s64"]),
    opcode("bfi", &[".b32|b64"]),
    opcode("bmsk", &[".clamp|wrap.b32"]),
    opcode("szext", &[".clamp|wrap.u32|s32"]),
];

const FLOAT: &[PtxOpcode] = &[
    opcode(
        "add",
        &[
            "{.rn|rz|rm|rp}{.ftz}{.sat}.f32",
            "{.rn|rz|rm|rp}.f64",
            "{.rn}{.ftz}{.sat}.f16|f16x2",
            "{.rn}.bf16|bf16x2",
            "{.rn|rz|rm|rp}{.sat}.f32.f16|bf16",
        ],
    ),
    opcode(
        "sub",
        &[
            "{.rn|rz|rm|rp}{.ftz}{.sat}.f32",
            "{.rn|rz|rm|rp}.f64",
            "{.rn}{.ftz}{.sat}.f16|f16x2",
            "{.rn}.bf16|bf16x2",
            "{.rn|rz|rm|rp}{.sat}.f32.f16|bf16",
        ],
    ),
    opcode(
        "mul",
        &["{.rn|rz|rm|rp}{.ftz}{.sat}.f32", "{.rn|rz|rm|rp}.f64", "{.rn}{.ftz}{.sat}.f16|f16x2", "{.rn}.bf16|bf16x2"],
    ),
    opcode(
        "fma",
        &[
            ".rn|rz|rm|rp{.ftz}{.sat}.f32",
            ".rn|rz|rm|rp.f64",
            ".rn{.ftz}{.sat|relu}.f16|f16x2",
            ".rn{.oob}{.relu}.f16|f16x2|bf16|bf16x2",
            ".rn|rz|rm|rp{.sat}.f32.f16|bf16",
        ],
    ),
    opcode("mad", &[".rn|rz|rm|rp{.ftz}{.sat}.f32", ".rn|rz|rm|rp.f64"]),
    opcode("div", &[".rn|rz|rm|rp|approx|full{.ftz}.f32", ".rn|rz|rm|rp.f64"]),
    opcode("abs", &["{.ftz}.f32|f16|f16x2", ".f64|bf16|bf16x2"]),
    opcode("neg", &["{.ftz}.f32|f16|f16x2", ".f64|bf16|bf16x2"]),
    opcode(
        "min",
        &["{.ftz}{.NaN}{.xorsign.abs}.f32|f16|f16x2", "{.ftz}{.NaN}{.abs}.f32 (three operands)", ".f64", EXTREME_BF16],
    ),
    opcode(
        "max",
        &["{.ftz}{.NaN}{.xorsign.abs}.f32|f16|f16x2", "{.ftz}{.NaN}{.abs}.f32 (three operands)", ".f64", EXTREME_BF16],
    ),
    opcode("copysign", &[".f32|f64"]),
    opcode("testp", &[".finite|infinite|number|notanumber|normal|subnormal.f32|f64"]),
];

const EXTREME_BF16: &str = "{.NaN}{.xorsign.abs}.bf16|bf16x2";

const FUNCTION: &[PtxOpcode] = &[
    opcode("rcp", &[".rn|rz|rm|rp|approx{.ftz}.f32", ".rn|rz|rm|rp.f64", ".approx.ftz.f64"]),
    opcode("sqrt", &[".rn|rz|rm|rp|approx{.ftz}.f32", ".rn|rz|rm|rp.f64"]),
    opcode("rsqrt", &[".approx{.ftz}.f32|f64"]),
    opcode("sin", &[".approx{.ftz}.f32"]),
    opcode("cos", &[".approx{.ftz}.f32"]),
    opcode("lg2", &[".approx{.ftz}.f32"]),
    opcode("ex2", &[".approx{.ftz}.f32", ".approx.f16|f16x2", ".approx.ftz.bf16|bf16x2"]),
    opcode("tanh", &[".approx.f32|f16|f16x2|bf16|bf16x2"]),
];

const COMPARE: &[PtxOpcode] = &[
    opcode(
        "setp",
        &[
            ".CmpOp{.and|or|xor}.b16|b32|b64|u16|u32|u64|s16|s32|s64",
            ".CmpOp{.and|or|xor}{.ftz}.f32|f16|f16x2",
            ".CmpOp{.and|or|xor}.f64|bf16|bf16x2",
        ],
    ),
    opcode(
        "set",
        &[
            ".CmpOp{.and|or|xor}{.ftz}.u16|s16|u32|s32|f32|f16|bf16.TYPE (those of setp but pairs)",
            ".CmpOp{.and|or|xor}{.ftz}.f16x2|bf16x2|u32|s32.f16x2|bf16x2",
        ],
    ),
    opcode("selp", &[".b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64"]),
    opcode("slct", &[".b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64.s32", "{.ftz}.TYPE.f32"]),
];

const MOVE: &[PtxOpcode] = &[
    opcode("mov", &[".pred|b16|b32|b64|b128|u16|u32|u64|s16|s32|s64|f32|f64 (registers, vectors of parts, addresses)"]),
    opcode(
        "cvt",
        &[
            "{.sat}.INT.INT",
            "{.rn|rz|rm|rp}{.sat}.FLOAT.INT",
            ".rni|rzi|rmi|rpi{.ftz}{.sat}.INT.FLOAT",
            "{.rni|rzi|rmi|rpi}{.ftz}{.sat}.FLOAT.FLOAT (of one type)",
            "{.rn|rz|rm|rp}{.ftz}{.sat|relu}{.satfinite}.FLOAT.FLOAT",
            ".rn|rz{.relu}{.satfinite}.f16x2|bf16x2.f32",
            ".rna|rn|rz{.relu}{.satfinite}.tf32.f32",
            ".rn.satfinite{.relu}.e4m3x2|e5m2x2|e2m3x2|e3m2x2|e2m1x2.f32",
            ".rn.satfinite{.relu}.e4m3x2|e5m2x2.f16x2",
            ".rn{.relu}.f16x2.e4m3x2|e5m2x2|e2m3x2|e3m2x2|e2m1x2",
            ".pack.sat.u16|s16.s32",
            ".pack.sat.u8|s8|u4|s4|u2|s2.s32.b32",
        ],
    ),
];
