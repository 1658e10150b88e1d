//! What each rule means, at length: for `gridproof explain`, and as rule metadata in SARIF.
//!
//! One [`Explanation`] per [`Rule`]. The texts name no kernel of this project.

use gridproof_simulator::finding::Rule;

/// Everything there is to say about one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The rule.
    pub rule: Rule,
    /// A short name in lower case with hyphens.
    pub name: &'static str,
    /// One line.
    pub title: &'static str,
    /// What breaks, and why.
    pub meaning: &'static str,
    /// A kernel that breaks it.
    pub example: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// What the detector does not see, and what it may report that is harmless.
    pub limits: &'static str,
}

/// A code that names no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown rule `{code}`: expected one of {}", codes())]
pub struct UnknownCode {
    /// What was given.
    pub code: String,
}

/// The explanation of a rule.
pub const fn explanation(rule: Rule) -> &'static Explanation {
    match rule {
        Rule::CrossWorkgroupRace => &GP0001,
        Rule::WorkgroupRace => &GP0002,
        Rule::BarrierDivergence => &GP0003,
        Rule::OutOfBounds => &GP0004,
        Rule::WrappedOffset => &GP0005,
        Rule::UninitialisedRead => &GP0006,
        Rule::NoProgress => &GP0007,
        Rule::Misaligned => &GP0008,
        Rule::ScheduleDependent => &GP0009,
        Rule::LegsDisagree => &GP0010,
        Rule::Trap => &GP0011,
    }
}

/// The rule with this public code, in either case.
///
/// # Errors
/// When there is none; the message lists all codes.
pub fn rule(code: &str) -> Result<Rule, UnknownCode> {
    let found = Rule::ALL.into_iter().find(|rule| rule.code().eq_ignore_ascii_case(code.trim()));
    found.ok_or_else(|| UnknownCode { code: crate::text::plain(code) })
}

/// The explanation as text for a person, `width` columns wide.
pub fn render(rule: Rule, width: usize) -> String {
    let Explanation { title, meaning, example, mend, limits, .. } = explanation(rule);
    let mut page = crate::text::wrap(&format!("{}: {title}", rule.code()), width, "        ") + "\n\n";
    page += &crate::text::wrap(meaning, width, "");
    page += "\n\nExample\n\n";
    for line in example.lines() {
        page += format!("    {line}").trim_end();
        page.push('\n');
    }
    for (heading, text) in [("How to mend it", mend), ("Limits", limits)] {
        page += &format!("\n{heading}\n\n{}\n", crate::text::wrap(text, width, ""));
    }
    page
}

fn codes() -> String {
    Rule::ALL.map(Rule::code).join(", ")
}

const GP0001: Explanation = Explanation {
    rule: Rule::CrossWorkgroupRace,
    name: "cross-workgroup-race",
    title: "two workgroups of one dispatch touch the same byte, and nothing orders them",
    meaning: "\
Two workgroups of one dispatch access a common byte, at least one of them writes it, and they are not both atomic at a \
scope that covers both. Nothing orders workgroups of one dispatch: not their index, not a barrier (it reaches one \
workgroup only), and not being resident at the same time. Which of the two comes first is up to the device, and may \
change with the shape, the clock, the driver and what else is running.

A kernel with such a race often prints right results for years, because the device happens to start all workgroups \
together and they happen to read before the one that writes gets there. The report says how much the outputs lean on \
that: `safe under` names the weakest assumption about the scheduler under which the outputs are still those of the \
race-free run.

    any order           no assumption needed: race-free
    in-order start, R   workgroups start in index order on R slots and progress arbitrarily
    lock-step waves, R  the R resident workgroups advance together
    none                wrong even one workgroup at a time

A race in which every order leaves the same bytes everywhere (all write the same value) is benign: it is reported as a \
warning. So is a race inside a range that the launch declares `may_race`, with the reason given there.",
    example: "\
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) row: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let x = residual[i] + hidden[i];        // every workgroup reads residual
    if row.x == 0u { residual[i] = x; }     // workgroup 0 writes it back in the same launch
    output[row.x * 64u + i] = x;            // a late workgroup adds hidden twice
}",
    mend: "\
Move the write into a dispatch of its own, before or after: dispatches are ordered. Or write to a second buffer that no \
workgroup of this dispatch reads. Or let one workgroup do all accesses to these bytes. Atomics with acquire and release \
order at device scope can order workgroups too, but only if the waiting one does not need the other to be resident.",
    limits: "\
Found by running every workgroup against the memory at dispatch start plus its own writes. If no atomic's result \
reaches control flow or an address, one such run decides the launch: every schedule of it is race-free, or none \
needs to be tried. That holds for this launch, with its shapes, indices and input data. Effects are explored under \
sequential consistency; hardware may do worse with a race, never better with its absence.",
};

const GP0002: Explanation = Explanation {
    rule: Rule::WorkgroupRace,
    name: "workgroup-race",
    title: "two invocations of one workgroup touch the same byte, and no barrier orders them",
    meaning: "\
Two invocations of one workgroup access a common byte, at least one writes it, they are not both atomic, and no barrier \
that covers this kind of memory stands between them. `workgroupBarrier` orders workgroup memory, `storageBarrier` orders \
storage memory, `bar.sync` orders both; a subgroup barrier orders invocations of one subgroup only.

Subgroups of a workgroup may drift apart by any number of instructions. A device that keeps four subgroups in step hides \
the race until a compiler, a wider workgroup or another device lets them drift.",
    example: "\
var<workgroup> partial: array<f32, 64>;

partial[i] = x;
workgroupBarrier();
let total = partial[0] + partial[1];
// missing: workgroupBarrier();
partial[i] = y;                             // overwrites what a slower subgroup has yet to read",
    mend: "\
Put a barrier for the right kind of memory between the two accesses, where all invocations of the workgroup reach it. Or \
use a second array, so that nobody overwrites what others still read.",
    limits: "\
Invocations of one subgroup are taken to run in step as this simulator's machine does it (lowest program counter first); \
accesses of two invocations of one subgroup in different instructions are still reported, since no language promises \
that step. Found on one execution; it decides the launch under the same condition as GP0001.",
};

const GP0003: Explanation = Explanation {
    rule: Rule::BarrierDivergence,
    name: "barrier-divergence",
    title: "invocations of one workgroup do not meet at the same barrier",
    meaning: "\
Some invocations of a workgroup wait at a barrier, while others wait at another one or have ended. A barrier asks for \
all invocations of the workgroup at the same place. On hardware this hangs, or lets the waiting ones go on as if the \
others had arrived, or pairs barriers that do not belong together.",
    example: "\
if i < count {
    partial[i] = data[i];
    workgroupBarrier();                     // invocations with i >= count never come here
}",
    mend: "\
Move the barrier out of the branch or loop, so that every invocation reaches it the same number of times; let surplus \
invocations do nothing between barriers instead of returning early.",
    limits: "\
Seen when it happens in the launch that was run. A barrier in a branch that all invocations of this launch take is not \
reported, though a language's own uniformity rules may refuse it.",
};

const GP0004: Explanation = Explanation {
    rule: Rule::OutOfBounds,
    name: "out-of-bounds",
    title: "an access outside its buffer, its binding's range or its array",
    meaning: "\
An address lies outside what the kernel was given: past the end or before the start of a binding's range, outside an \
array of known length, at an address where no buffer is mapped, or it is a write to memory the launch may only read. \
Drivers differ in what happens then: the access is dropped, clamped to the end, reads zero, or hits a neighbour.",
    example: "\
// 1,000 elements, 16 workgroups of 64: 1,024 invocations
output[id.x] = input[id.x] * 2.0;           // invocations 1,000 to 1,023 are outside",
    mend: "\
Guard the access (`if id.x < arrayLength(&output)`), or make the grid fit. Where an index comes from data, check it \
before the launch: an index that is out of range is the caller's error.",
    limits: "\
Whether a device is hurt cannot be seen by running on it, since results differ by driver; only the simulator's verdict \
counts. The range checked is the binding's range, not what the author had in mind: an index that runs into the \
neighbouring row of the same buffer is in bounds.",
};

const GP0005: Explanation = Explanation {
    rule: Rule::WrappedOffset,
    name: "wrapped-offset",
    title: "an address whose computation wrapped, so that it is not what exact arithmetic gives",
    meaning: "\
An index or offset was computed in 32 bits, exceeded their range on the way, and reached an address. The address differs \
from what exact integers would have given: it names another place, even where that place lies inside the buffer. Bounds \
checks do not see it, and nothing crashes: a pool slot far away is read or overwritten.",
    example: "\
// 128 * 128 elements a head, 32 heads: wraps from slot 4,096 on (i32), 8,192 (u32)
let offset = (slot * 32 + head) * 128 * 128;
state[offset + i] = x;",
    mend: "\
Compute the offset in 64 bits where the language has them, or split the pool over several bindings, or check on the host \
that (slots * heads * elements) fits in 32 bits.",
    limits: "\
Wrapping that never reaches an address is silent: hashes, random generators, deliberate unsigned wrap. So is wrap that is \
undone before the address is used, because the address is then what exact arithmetic gives. An offset is taken as given \
when it was loaded, came from another invocation, is a remainder, or is what PTX makes with mul.hi, mad24, sad, shf or prmt; and \
in PTX a product with an odd constant of 2^24 or more that leaves 32 bits counts as a hash.",
};

const GP0006: Explanation = Explanation {
    rule: Rule::UninitialisedRead,
    name: "uninitialised-read",
    title: "a read of bytes that nobody wrote",
    meaning: "\
A value is read from memory that neither the launch's inputs nor an earlier write has given one. What arrives is what was \
there before: often zeros on a fresh allocation, and yesterday's data in a pool.",
    example: "\
// `scratch` has no initial contents
if i < 32u { scratch[i] = x; }
let y = scratch[63u - i];                   // elements 32 to 63 were never written",
    mend: "Write every element that is read, or give the buffer initial contents in the launch.",
    limits: "\
Reported at the read, whether or not the value matters later. Memory that the language zero-initialises (WGSL's \
workgroup and private variables) counts as written.",
};

const GP0007: Explanation = Explanation {
    rule: Rule::NoProgress,
    name: "no-progress",
    title: "a workgroup waits for something that never comes",
    meaning: "\
Workgroups wait for something that only a workgroup can do which need not advance: it has no slot, or nothing promises that \
it runs; or they wait for each other in a circle. No graphics or compute interface promises that more than one workgroup \
runs at a time. Which are promised is the progress model of the report: fair (all), OBE (those that have started), LOBE \
(the same, started in index order), HSA (the lowest that has not ended), HSA+OBE (both).",
    example: "\
// every workgroup waits for all others: hangs when fewer slots than workgroups
atomicAdd(&arrived, 1u);
while atomicLoad(&arrived) < workgroups { }",
    mend: "\
Split the kernel at the wait into two dispatches. Or let a workgroup wait only for those that have started before it: for \
lower indices under in-order start, or for lower tickets, taken from an atomic counter, under any.",
    limits: "\
A statement about one progress model, one number of slots and the schedules that were explored. A wait is recognised when a \
subgroup comes back to a state it was in while memory stays as it is; one that counts its rounds never does, and ends in an \
exhausted budget instead.",
};

const GP0008: Explanation = Explanation {
    rule: Rule::Misaligned,
    name: "misaligned-access",
    title: "an address that is not a multiple of what the access needs",
    meaning: "\
A vector or wide access stands at an address that is not a multiple of its alignment. Some devices fault, some round the \
address down and read the neighbours, some are merely slow.",
    example: "\
ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd1+4];    // needs a multiple of 16 bytes",
    mend: "\
Align the offset (a row length that is a multiple of the vector length), or use narrower accesses for the first and last \
elements.",
    limits: "Addresses are taken relative to the start of a buffer, which is itself aligned to 256 bytes.",
};

const GP0009: Explanation = Explanation {
    rule: Rule::ScheduleDependent,
    name: "schedule-dependent-output",
    title: "two schedules of the same launch leave different outputs",
    meaning: "\
The launch was run under several schedules, and an output buffer differs between two of them. A data race is the usual \
cause, and is then reported as GP0001 or GP0002 as well; atomics can do the same without a race, for instance a sum of \
floats by atomic adds, whose rounding follows the order.",
    example: "\
let place = atomicAdd(&next, 1u);           // who gets which place depends on the schedule
list[place] = id.x;",
    mend: "\
Make the result independent of the order: integer or fixed-point sums, a reduction tree of fixed shape, places computed \
from the index by a prefix sum.",
    limits: "\
Not a fault by itself: some kernels are meant to be so. Only the schedules that were run are compared; the report says \
how many.",
};

const GP0010: Explanation = Explanation {
    rule: Rule::LegsDisagree,
    name: "legs-disagree",
    title: "two ways to compute the same case differ in at least one bit",
    meaning: "\
The same case was computed by several legs (the CPU model, the simulator, a real device), and two of them differ. Within \
one arithmetic profile they must agree on every bit. Either a leg is wrong, or the kernel does something that devices \
may compute differently.",
    example: "\
let y = exp(x) / z;                         // built-in functions and division are rounded as the driver likes",
    mend: "\
Look at the first differing element. If a race was reported, mend that first. Otherwise replace built-in functions and \
division by exact recipes on + - * and fma, and state the arithmetic profile of the device.",
    limits: "\
Legs that could not run are shown with the reason and counted; they are never taken as agreeing.",
};

const GP0011: Explanation = Explanation {
    rule: Rule::Trap,
    name: "trap",
    title: "the kernel stopped itself",
    meaning: "\
An invocation reached a trap: a failed `assert`, `__trap()`, PTX's `trap`, or a place that the compiler took for \
unreachable. On a device the whole launch would fail.",
    example: "\
    assert(slot < pool_slots);      // __assertfail, then trap",
    mend: "\
Look at the condition that leads to the place: the kernel's author says that it cannot hold. Either the launch breaks \
what the kernel asks for, or the kernel is wrong.",
    limits: "\
Every invocation that traps ends there; the others go on, so that further findings of the same launch are seen, too.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_own_explanation() {
        for code in Rule::ALL {
            let page = explanation(code);
            assert_eq!(page.rule, code);
            for text in [page.title, page.meaning, page.example, page.mend, page.limits] {
                assert!(!text.is_empty() && !text.ends_with(char::is_whitespace), "{}", page.name);
            }
        }
    }

    #[test]
    fn codes_are_read_in_either_case_and_unknown_ones_list_all() {
        assert_eq!(rule("gp0002"), Ok(Rule::WorkgroupRace));
        let message = rule("GP9999").unwrap_err().to_string();
        assert!(message.contains("`GP9999`") && message.contains("GP0001, GP0002") && message.ends_with("GP0011"));
    }

    #[test]
    fn pages_keep_to_their_width() {
        for rule in Rule::ALL {
            let prose = render(rule, 80).lines().filter(|line| !line.starts_with("    ")).map(str::len).max();
            assert!(prose.unwrap_or(0) <= 80);
        }
    }
}
