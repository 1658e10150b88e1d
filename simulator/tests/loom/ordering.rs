//! What orders two workgroups, and what does not.

use crate::launches::{clean, options, ptx, race};

/// Writes `data`, then `flag`; reads `flag`, and `data` where `flag` was seen.
fn message(send: &str, receive: &str) -> gridproof_launch::Launch {
    let sender = format!("st.global.u32 [%rd1], 7;\n{send}");
    let receiver = format!("{receive}\nsetp.eq.u32 %p2, %r2, 0;\n@%p2 bra NONE;\nld.global.u32 %r3, [%rd1];\nNONE:");
    ptx(&[&sender, &receiver])
}

const RELEASE: &str = "st.release.gpu.global.u32 [%rd2], 1;";
const ACQUIRE: &str = "ld.acquire.gpu.global.u32 %r2, [%rd2];";
const RELAXED_STORE: &str = "st.relaxed.gpu.global.u32 [%rd2], 1;";
const RELAXED_LOAD: &str = "ld.relaxed.gpu.global.u32 %r2, [%rd2];";

#[test]
fn release_and_acquire_order_and_neither_alone_does() {
    clean(&message(RELEASE, ACQUIRE), &options());
    race(&message(RELEASE, RELAXED_LOAD), &options());
    race(&message(RELAXED_STORE, ACQUIRE), &options());
    race(&message(RELAXED_STORE, RELAXED_LOAD), &options());
}

#[test]
fn read_modify_writes_order_as_they_say() {
    let add = |order: &str| format!("atom.{order}.gpu.global.add.u32 %r2, [%rd2], 1;");
    clean(&message(&add("release"), &add("acquire")), &options());
    clean(&message(&add("acq_rel"), &add("acq_rel")), &options());
    race(&message(&add("acquire"), &add("acquire")), &options());
    race(&message(&add("release"), &add("release")), &options());
    race(&message(&add("relaxed"), &add("relaxed")), &options());
}

#[test]
fn fences_order_around_relaxed_atomics() {
    let send = |fence: &str| format!("{fence}\n{RELAXED_STORE}");
    let receive = |fence: &str| format!("{RELAXED_LOAD}\n{fence}");
    clean(&message(&send("fence.acq_rel.gpu;"), &receive("fence.acq_rel.gpu;")), &options());
    clean(&message(&send("membar.gl;"), &receive("membar.gl;")), &options());
    clean(&message(&send("fence.acq_rel.gpu;"), ACQUIRE), &options());
    clean(&message(RELEASE, &receive("fence.acq_rel.gpu;")), &options());
    race(&message(&send("fence.acq_rel.gpu;"), RELAXED_LOAD), &options());
    race(&message(RELAXED_STORE, &receive("fence.acq_rel.gpu;")), &options());
    race(&message(&send("fence.acq_rel.cta;"), &receive("fence.acq_rel.gpu;")), &options());
    race(&message(&format!("{RELAXED_STORE}\nfence.acq_rel.gpu;"), &receive("fence.acq_rel.gpu;")), &options());
}

/// A load between a release fence and nothing releases nothing.
#[test]
fn a_load_after_a_release_fence_is_no_release() {
    let sender = "st.global.u32 [%rd1], 7;\nfence.acq_rel.gpu;\nld.relaxed.gpu.global.u32 %r2, [%rd2];";
    let receiver = "ld.relaxed.gpu.global.u32 %r2, [%rd2];\nfence.acq_rel.gpu;\nld.global.u32 %r3, [%rd1];";
    race(&ptx(&[sender, receiver]), &options());
}

/// A third workgroup's read-modify-write continues a release sequence, its store ends it.
#[test]
fn a_release_sequence_goes_through_read_modify_writes_only() {
    let sender = "st.global.u32 [%rd1], 7;\nst.release.gpu.global.u32 [%rd2], 1;";
    let receiver = "ld.acquire.gpu.global.u32 %r2, [%rd2];\nsetp.ne.u32 %p2, %r2, 2;\n@%p2 bra NONE;\n\
                    ld.global.u32 %r3, [%rd1];\nNONE:";
    let adds = "atom.relaxed.gpu.global.add.u32 %r2, [%rd2], 1;";
    clean(&ptx(&[sender, adds, receiver]), &options());
    let stores = "ld.relaxed.gpu.global.u32 %r2, [%rd2];\nsetp.ne.u32 %p2, %r2, 1;\n@%p2 bra NOT;\n\
                  st.relaxed.gpu.global.u32 [%rd2], 2;\nNOT:";
    race(&ptx(&[sender, stores, receiver]), &options());
}

/// A compare-and-exchange that finds another value stores nothing, so it releases nothing.
#[test]
fn a_failing_exchange_is_a_load() {
    let failing = "st.global.u32 [%rd1], 7;\natom.acq_rel.gpu.global.cas.b32 %r2, [%rd2], 5, 6;";
    let receiver = "atom.acq_rel.gpu.global.cas.b32 %r2, [%rd2], 5, 6;\nld.global.u32 %r3, [%rd1];";
    race(&ptx(&[failing, receiver]), &options());
    let taking = "st.global.u32 [%rd1], 7;\natom.acq_rel.gpu.global.cas.b32 %r2, [%rd2], 0, 5;";
    let after = "atom.acq_rel.gpu.global.cas.b32 %r2, [%rd2], 5, 6;\nsetp.ne.u32 %p2, %r2, 5;\n@%p2 bra NONE;\n\
                 ld.global.u32 %r3, [%rd1];\nNONE:";
    clean(&ptx(&[taking, after]), &options());
}

/// What is released through a place may itself be touched plainly by who acquired from it.
#[test]
fn the_flag_itself_is_ordered_too() {
    for receive in [ACQUIRE, "atom.acq_rel.gpu.global.add.u32 %r2, [%rd2], 0;"] {
        let receiver =
            format!("{receive}\nsetp.eq.u32 %p2, %r2, 0;\n@%p2 bra NONE;\nld.global.u32 %r3, [%rd2];\nNONE:");
        clean(&ptx(&[RELEASE, &receiver]), &options());
        clean(&ptx(&["atom.release.gpu.global.add.u32 %r2, [%rd2], 1;", &receiver]), &options());
        race(&ptx(&[RELAXED_STORE, &receiver]), &options());
    }
}
