//! Litmus tests with names, and the verdict that each must have.
//!
//! The names are those of Alglave, Maranget and Tautschnig, "Herding Cats" (2014), and of the tests of the PTX memory
//! model (Lustig, Sahasrabuddhe and Giroux, ASPLOS 2019). `MP` passes a message, `SB` buffers stores, `LB` buffers
//! loads, `IRIW` has independent reads of independent writes, and so on; a `+word` says how.
//!
//! A test is racy if some execution of it has two accesses to one word from two units, one of them a write, not both
//! atomic at a scope that covers both units, which nothing orders. Atomics with enough scope never race, whatever
//! values they may read; so the shapes in their usual form are racy when plain and race-free when relaxed. Release,
//! acquire and fences decide where plain data are read on the condition that a flag has been seen, which is what the
//! tests with a word after their name do.

use super::{Change, Kind, Litmus, Memory, Operation, Order, Scope, Strength, Syntax, Value};

/// A litmus test with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The test.
    pub litmus: Litmus,
    /// What it can be written in.
    pub syntaxes: &'static [Syntax],
    /// Whether some execution of it has a race.
    pub racy: bool,
    /// Whether release, acquire or fences are what makes it race-free.
    pub synchronises: bool,
}

const PTX: &[Syntax] = &[Syntax::Ptx];
const BOTH: &[Syntax] = &Syntax::ALL;
const WGSL: &[Syntax] = &[Syntax::Wgsl];

const X: usize = 0;
const Y: usize = 1;
const Z: usize = 2;

/// Strengths by name: order, and the device's scope unless the workgroup's is named.
const RELAXED: Strength = Strength { order: Order::Relaxed, scope: Scope::Device };
const ACQUIRE: Strength = Strength { order: Order::Acquire, scope: Scope::Device };
const RELEASE: Strength = Strength { order: Order::Release, scope: Scope::Device };
const BOTH_WAYS: Strength = Strength { order: Order::AcquireRelease, scope: Scope::Device };
const SEQUENTIAL: Strength = Strength { order: Order::SequentiallyConsistent, scope: Scope::Device };

const fn local(strength: Strength) -> Strength {
    Strength { order: strength.order, scope: Scope::Workgroup }
}

fn load(word: usize, strength: Option<Strength>, into: u32) -> Operation {
    Operation::Load { word, strength, into }
}

fn store(word: usize, strength: Option<Strength>, value: u32) -> Operation {
    Operation::Store { word, strength, value: Value::Constant(value) }
}

fn add(word: usize, strength: Strength, into: u32) -> Operation {
    Operation::Change { word, strength, change: Change::Add(1), into }
}

/// Reads a plain word into register 3 if register 0 has a value.
fn then_read(equals: u32, word: usize) -> Operation {
    Operation::If { register: 0, equals, then: vec![load(word, None, 3)] }
}

/// All tests, those with names in the literature first.
pub fn shapes() -> Vec<Shape> {
    let mut all = classical();
    all.extend(messages());
    all.extend(chains());
    all.extend(locks());
    all.extend(arrivals());
    all.extend(barriers());
    all
}

fn between(name: &str, units: Vec<Vec<Operation>>) -> Litmus {
    Litmus { name: name.to_owned(), kind: Kind::Workgroups, units }
}

fn racy(litmus: Litmus, syntaxes: &'static [Syntax]) -> Shape {
    Shape { litmus, syntaxes, racy: true, synchronises: false }
}

fn free(litmus: Litmus, syntaxes: &'static [Syntax]) -> Shape {
    Shape { litmus, syntaxes, racy: false, synchronises: false }
}

fn ordered(litmus: Litmus) -> Shape {
    Shape { litmus, syntaxes: PTX, racy: false, synchronises: true }
}

/// The shapes in their usual form, plain and relaxed.
fn classical() -> Vec<Shape> {
    let mut all = Vec::new();
    for (how, strength) in [("plain", None), ("relaxed", Some(RELAXED))] {
        let (w, r) = (|word, value| store(word, strength, value), |word, into| load(word, strength, into));
        let units = [
            ("CoWW", vec![vec![w(X, 1), w(X, 2)], vec![r(X, 0)]]),
            ("CoRR", vec![vec![w(X, 1)], vec![r(X, 0), r(X, 1)]]),
            ("MP", vec![vec![w(X, 1), w(Y, 1)], vec![r(Y, 0), r(X, 1)]]),
            ("SB", vec![vec![w(X, 1), r(Y, 0)], vec![w(Y, 1), r(X, 0)]]),
            ("LB", vec![vec![r(X, 0), w(Y, 1)], vec![r(Y, 0), w(X, 1)]]),
            ("S", vec![vec![w(X, 2), w(Y, 1)], vec![r(Y, 0), w(X, 1)]]),
            ("R", vec![vec![w(X, 1), w(Y, 1)], vec![w(Y, 2), r(X, 0)]]),
            ("2+2W", vec![vec![w(X, 1), w(Y, 2)], vec![w(Y, 1), w(X, 2)]]),
            ("WRC", vec![vec![w(X, 1)], vec![r(X, 0), w(Y, 1)], vec![r(Y, 0), r(X, 1)]]),
            ("ISA2", vec![vec![w(X, 1), w(Y, 1)], vec![r(Y, 0), w(Z, 1)], vec![r(Z, 0), r(X, 1)]]),
            ("IRIW", vec![vec![w(X, 1)], vec![w(Y, 1)], vec![r(X, 0), r(Y, 1)], vec![r(Y, 0), r(X, 1)]]),
        ];
        for (name, units) in units {
            let litmus = between(&format!("{name}+{how}"), units);
            all.push(if strength.is_none() { racy(litmus, BOTH) } else { free(litmus, BOTH) });
        }
    }
    // Atomic, but for their own workgroups only.
    let near = Some(local(RELAXED));
    let units = vec![vec![store(X, near, 1)], vec![load(X, near, 0)]];
    all.push(racy(between("block_relaxed", units), PTX));
    all
}

/// `MP` with plain data that are read where the flag has been seen.
fn messages() -> Vec<Shape> {
    let passing = |name: &str, writer: Vec<Operation>, reader: Vec<Operation>| {
        let mut reader = reader;
        reader.push(then_read(1, X));
        between(&format!("MP+{name}"), vec![writer, reader])
    };
    let data = || store(X, None, 1);
    let flag = |strength| store(Y, Some(strength), 1);
    let seen = |strength| load(Y, Some(strength), 0);
    let fence = Operation::Fence;
    let simple =
        |name: &str, write: Strength, read: Strength| passing(name, vec![data(), flag(write)], vec![seen(read)]);
    let fenced = |name: &str, first: Strength, second: Strength| {
        passing(name, vec![data(), fence(first), flag(RELAXED)], vec![seen(RELAXED), fence(second)])
    };
    let block = local(BOTH_WAYS);
    let mut waiting = between("MP+await_acquire", vec![vec![data(), flag(RELEASE)], Vec::new()]);
    waiting.units[1] = vec![Operation::Await { word: Y, strength: ACQUIRE, equals: 1 }, load(X, None, 0)];
    let mut hasty = waiting.clone();
    hasty.name = "MP+await_relaxed".to_owned();
    hasty.units[1][0] = Operation::Await { word: Y, strength: RELAXED, equals: 1 };
    hasty.units[0][1] = flag(RELAXED);
    vec![
        racy(simple("guard_relaxed", RELAXED, RELAXED), BOTH),
        racy(simple("release_only", RELEASE, RELAXED), PTX),
        racy(simple("acquire_only", RELAXED, ACQUIRE), PTX),
        ordered(simple("release_acquire", RELEASE, ACQUIRE)),
        racy(simple("block_release_acquire", local(RELEASE), local(ACQUIRE)), PTX),
        racy(simple("block_release", local(RELEASE), ACQUIRE), PTX),
        racy(passing("flag_first", vec![flag(RELEASE), data()], vec![seen(ACQUIRE)]), PTX),
        ordered(fenced("fences", BOTH_WAYS, BOTH_WAYS)),
        ordered(fenced("sequential_fences", SEQUENTIAL, SEQUENTIAL)),
        racy(fenced("block_fences", block, block), PTX),
        racy(fenced("block_fence_of_writer", block, BOTH_WAYS), PTX),
        racy(fenced("block_fence_of_reader", BOTH_WAYS, block), PTX),
        racy(passing("fence_of_writer", vec![data(), fence(BOTH_WAYS), flag(RELAXED)], vec![seen(RELAXED)]), PTX),
        racy(passing("fence_of_reader", vec![data(), flag(RELAXED)], vec![seen(RELAXED), fence(BOTH_WAYS)]), PTX),
        ordered(passing("fence_and_acquire", vec![data(), fence(BOTH_WAYS), flag(RELAXED)], vec![seen(ACQUIRE)])),
        ordered(passing("release_and_fence", vec![data(), flag(RELEASE)], vec![seen(RELAXED), fence(BOTH_WAYS)])),
        racy(
            passing(
                "fence_after",
                vec![data(), flag(RELAXED), fence(BOTH_WAYS)],
                vec![seen(RELAXED), fence(BOTH_WAYS)],
            ),
            PTX,
        ),
        racy(
            passing("plain_flag", vec![data(), fence(BOTH_WAYS), store(Y, None, 1)], vec![seen(RELAXED), fence(block)]),
            PTX,
        ),
        ordered(waiting),
        racy(hasty, BOTH),
    ]
}

/// Messages that go through a third unit.
fn chains() -> Vec<Shape> {
    let isa2 = |name: &str, seen: Strength, told: Strength| {
        let relay = Operation::If { register: 0, equals: 1, then: vec![store(Z, Some(told), 1)] };
        let units = vec![
            vec![store(X, None, 1), store(Y, Some(RELEASE), 1)],
            vec![load(Y, Some(seen), 0), relay],
            vec![load(Z, Some(ACQUIRE), 0), then_read(1, X)],
        ];
        between(&format!("ISA2+{name}"), units)
    };
    // Whoever reads 2 has read what an atomic made of the released 1, or what a store put in its place.
    let sequence = |name: &str, second: Operation| {
        let units = vec![
            vec![store(X, None, 1), store(Y, Some(RELEASE), 1)],
            vec![second],
            vec![load(Y, Some(ACQUIRE), 0), then_read(2, X)],
        ];
        between(&format!("release_sequence+{name}"), units)
    };
    vec![
        ordered(isa2("release_acquire", ACQUIRE, RELEASE)),
        racy(isa2("relaxed_load", RELAXED, RELEASE), PTX),
        racy(isa2("relaxed_store", ACQUIRE, RELAXED), PTX),
        ordered(sequence("atomic", add(Y, RELAXED, 0))),
        racy(sequence("store", store(Y, Some(RELAXED), 2)), PTX),
    ]
}

/// A counter that two units count up under a lock, which they wait for or only try to take.
fn locks() -> Vec<Shape> {
    let count = |counter: Option<Strength>| {
        let stored = Operation::Store { word: Y, strength: counter, value: Value::Sum { register: 1, plus: 1 } };
        [load(Y, counter, 1), stored]
    };
    let trying = |name: &str, take: Strength, give: Strength, counter: Option<Strength>| {
        let change = Change::CompareExchange { expected: 0, value: 1 };
        let held = count(counter).into_iter().chain([store(X, Some(give), 0)]).collect();
        let taken = Operation::Change { word: X, strength: take, change, into: 0 };
        let unit = vec![taken, Operation::If { register: 0, equals: 0, then: held }];
        between(&format!("try_lock+{name}"), vec![unit.clone(), unit])
    };
    let waiting = |name: &str, take: Strength, give: Strength, counter: Option<Strength>| {
        let mut unit = vec![Operation::Lock { word: X, strength: take }];
        unit.extend(count(counter));
        unit.push(store(X, Some(give), 0));
        between(&format!("lock+{name}"), vec![unit.clone(), unit])
    };
    vec![
        racy(trying("relaxed", RELAXED, RELAXED, None), BOTH),
        free(trying("relaxed_counter", RELAXED, RELAXED, Some(RELAXED)), BOTH),
        ordered(trying("acquire_release", ACQUIRE, RELEASE, None)),
        racy(trying("acquire_only", ACQUIRE, RELAXED, None), PTX),
        racy(trying("block_scope", local(ACQUIRE), local(RELEASE), None), PTX),
        racy(waiting("relaxed", RELAXED, RELAXED, None), BOTH),
        free(waiting("relaxed_counter", RELAXED, RELAXED, Some(RELAXED)), BOTH),
        ordered(waiting("acquire_release", ACQUIRE, RELEASE, None)),
        racy(waiting("release_only", RELAXED, RELEASE, None), PTX),
    ]
}

/// Each of two units writes its word and counts up; who comes last reads the other's word.
fn arrivals() -> Vec<Shape> {
    let last = |name: &str, before: Option<Strength>, count: Strength, after: Option<Strength>| {
        let unit = |own: usize, other: usize| {
            let arrive = [add(Z, count, 0)];
            let fence = |strength: Option<Strength>| strength.map(Operation::Fence);
            let steps = [store(own, None, 1)].into_iter().chain(fence(before)).chain(arrive).chain(fence(after));
            steps.chain([then_read(1, other)]).collect()
        };
        between(&format!("last_arriver+{name}"), vec![unit(X, Y), unit(Y, X)])
    };
    vec![
        racy(last("relaxed", None, RELAXED, None), BOTH),
        ordered(last("acquire_release", None, BOTH_WAYS, None)),
        racy(last("release_only", None, RELEASE, None), PTX),
        racy(last("acquire_only", None, ACQUIRE, None), PTX),
        ordered(last("fences", Some(BOTH_WAYS), RELAXED, Some(BOTH_WAYS))),
        racy(last("fence_before", Some(BOTH_WAYS), RELAXED, None), PTX),
        racy(last("block_scope", None, local(BOTH_WAYS), None), PTX),
    ]
}

/// `MP` between the subgroups of a workgroup.
fn barriers() -> Vec<Shape> {
    let inside = |name: &str, size: u32, memory: Memory, units: Vec<Vec<Operation>>| Litmus {
        name: format!("MP+inside+{name}"),
        kind: Kind::Subgroups { size, memory },
        units,
    };
    let met = |name: &str, size: u32, memory: Memory, barrier: Operation| {
        let units = vec![vec![store(X, None, 1), barrier.clone()], vec![barrier, load(X, None, 0)]];
        inside(name, size, memory, units)
    };
    let barrier = |storage: bool, workgroup: bool| Operation::Barrier { storage, workgroup };
    let flags = |name: &str, size: u32, memory: Memory, write: Strength, read: Strength| {
        let writer = vec![store(X, None, 1), store(Y, Some(write), 1)];
        inside(name, size, memory, vec![writer, vec![load(Y, Some(read), 0), then_read(1, X)]])
    };
    let unmet = |name: &str, size: u32, memory: Memory| {
        inside(name, size, memory, vec![vec![store(X, None, 1)], vec![load(X, None, 0)]])
    };
    let (storage, workgroup) = (Memory::Storage, Memory::Workgroup);
    vec![
        racy(unmet("no_barrier", 32, storage), BOTH),
        racy(unmet("no_barrier_workgroup_memory", 32, workgroup), BOTH),
        free(met("barriers", 32, storage, barrier(true, true)), BOTH),
        free(met("barriers_workgroup_memory", 32, workgroup, barrier(true, true)), BOTH),
        free(met("storage_barrier", 4, storage, barrier(true, false)), WGSL),
        racy(met("workgroup_barrier", 4, storage, barrier(false, true)), WGSL),
        free(met("workgroup_barrier_workgroup_memory", 4, workgroup, barrier(false, true)), WGSL),
        racy(met("storage_barrier_workgroup_memory", 4, workgroup, barrier(true, false)), WGSL),
        racy(flags("relaxed", 32, storage, RELAXED, RELAXED), BOTH),
        racy(flags("relaxed_workgroup_memory", 32, workgroup, local(RELAXED), local(RELAXED)), BOTH),
        ordered(flags("block_release_acquire", 32, storage, local(RELEASE), local(ACQUIRE))),
        ordered(flags("release_acquire", 32, storage, RELEASE, ACQUIRE)),
        ordered(flags("workgroup_memory", 32, workgroup, local(RELEASE), local(ACQUIRE))),
        racy(flags("block_release_only", 32, workgroup, local(RELEASE), local(RELAXED)), PTX),
    ]
}
