//! Spinning, slots, and launches that do not get on.

use gridproof_launch::Launch;
use gridproof_simulator::explore::loom::{LoomOptions, WaitsFor};

use crate::launches::{clean, options, ptx, race, stuck, wgsl};

/// The first workgroup waits for the second.
fn backwards() -> Launch {
    let body = "if wg.x == 0u { while atomicLoad(&flag[0]) == 0u { } } else { atomicStore(&flag[0], 1u); }";
    wgsl(["u32", "atomic<u32>"], 1, body, 2)
}

#[test]
fn waiting_for_a_later_workgroup_needs_a_slot_for_it() {
    clean(&backwards(), &options());
    let stuck = stuck(&backwards(), &LoomOptions { slots: 1, ..options() });
    let found: Vec<_> = stuck.waiting.iter().map(|waiting| (waiting.workgroup, waiting.what)).collect();
    assert_eq!(found, [(0, WaitsFor::Change), (1, WaitsFor::Slot)]);
    assert_eq!(stuck.waiting[0].at.map(|(_, span)| span.line), Some(8));
    assert_eq!(stuck.waiting[1].at, None);
}

#[test]
fn waiting_for_an_earlier_workgroup_needs_none() {
    let body = "if wg.x == 1u { while atomicLoad(&flag[0]) == 0u { } } else { atomicStore(&flag[0], 1u); }";
    let launch = wgsl(["u32", "atomic<u32>"], 1, body, 2);
    clean(&launch, &options());
    clean(&launch, &LoomOptions { slots: 1, ..options() });
}

/// Two slots and three workgroups: either of the first may make room for the third.
#[test]
fn any_workgroup_may_make_room() {
    let body = "if wg.x == 0u { while atomicLoad(&flag[0]) == 0u { } } 
    if wg.x == 2u { atomicStore(&flag[0], 1u); }";
    let launch = wgsl(["u32", "atomic<u32>"], 1, body, 3);
    clean(&launch, &LoomOptions { slots: 2, ..options() });
    stuck(&launch, &LoomOptions { slots: 1, ..options() });
}

/// One after the other in the same slot is no order.
#[test]
fn slots_do_not_order() {
    let launch = wgsl(["u32", "u32"], 1, "data[0] = wg.x;", 2);
    race(&launch, &LoomOptions { slots: 1, ..options() });
    let fenced = "st.global.u32 [%rd1], 7;\nfence.acq_rel.gpu;";
    let after = "fence.acq_rel.gpu;\nld.global.u32 %r2, [%rd1];";
    race(&ptx(&[fenced, after]), &LoomOptions { slots: 1, ..options() });
}

/// With one slot, only index order remains.
#[test]
fn slots_limit_what_is_explored() {
    let body = "if wg.x == 0u && atomicAdd(&flag[0], 1u) == 1u { data[0] = 1u; }
    if wg.x == 1u && atomicAdd(&flag[0], 1u) == 0u { data[0] = 2u; }";
    let launch = wgsl(["u32", "atomic<u32>"], 1, body, 2);
    race(&launch, &options());
    clean(&launch, &LoomOptions { slots: 1, ..options() });
}

fn lock(take: &str, free: &str) -> Launch {
    let part = format!(
        "TAKE:\n{take}\nsetp.ne.u32 %p2, %r2, 0;\n@%p2 bra TAKE;\nld.global.u32 %r3, [%rd1];\nadd.u32 %r3, %r3, 1;\n\
         st.global.u32 [%rd1], %r3;\n{free}"
    );
    let second = part.replace("TAKE", "AGAIN");
    ptx(&[&part, &second])
}

#[test]
fn a_spin_lock_protects_when_it_acquires_and_releases() {
    let take = "atom.acquire.gpu.global.cas.b32 %r2, [%rd2], 0, 1;";
    let free = "st.release.gpu.global.u32 [%rd2], 0;";
    clean(&lock(take, free), &options());
    race(&lock("atom.relaxed.gpu.global.cas.b32 %r2, [%rd2], 0, 1;", free), &options());
    race(&lock(take, "st.relaxed.gpu.global.u32 [%rd2], 0;"), &options());
    clean(&lock("atom.acquire.gpu.global.exch.b32 %r2, [%rd2], 1;", free), &options());
}

#[test]
fn a_lock_that_is_never_freed_is_found() {
    let stuck = stuck(&lock("atom.acquire.gpu.global.cas.b32 %r2, [%rd2], 0, 1;", ""), &options());
    assert_eq!(stuck.waiting.len(), 1);
    assert_eq!(stuck.waiting[0].what, WaitsFor::Change);
}

/// Each waits for the other's flag before it sets its own.
#[test]
fn a_deadlock_is_found() {
    let body = "while atomicLoad(&flag[1u - wg.x]) == 0u { }
    atomicStore(&flag[wg.x], 1u);";
    let stuck = stuck(&wgsl(["u32", "atomic<u32>"], 1, body, 2), &options());
    assert_eq!(stuck.waiting.len(), 2);
    let mended = "atomicStore(&flag[wg.x], 1u);
    while atomicLoad(&flag[1u - wg.x]) == 0u { }";
    clean(&wgsl(["u32", "atomic<u32>"], 1, mended, 2), &options());
}

/// Subgroups of one workgroup wait for each other: not a matter between units.
#[test]
fn a_unit_lets_its_subgroups_take_turns() {
    let body = "if lid == 0u { while atomicLoad(&flag[wg.x]) == 0u { } }
    if lid == 40u { atomicStore(&flag[wg.x], 1u); }";
    clean(&wgsl(["u32", "atomic<u32>"], 64, body, 2), &options());
}
