//! Litmus tests drawn from a seed.
//!
//! What is drawn is valid in its language: in WGSL a word is atomic for everyone or for nobody, and all atomics are
//! relaxed; in PTX one word is mostly one or the other. Nothing waits, so every schedule ends.

use gridproof_launch::Launch;
use gridproof_reference::random::Random;

use super::{
    Change, Kind, LARGEST, Litmus, LitmusError, Memory, Operation, Order, REGISTERS, Scope, Strength, Syntax, Value,
};

/// Shared words of a drawn test.
const SHARED: usize = 2;

/// The litmus test of a seed as a launch.
///
/// # Errors
/// When `kind` has a subgroup size that does not exist.
pub fn litmus(seed: u64, syntax: Syntax, kind: Kind) -> Result<Launch, LitmusError> {
    random(seed, syntax, kind).launch(syntax)
}

/// The litmus test of a seed: 2 or 3 workgroups, or 2 to 4 subgroups, of 1 to 4 operations each, and a barrier or two
/// between those of subgroups.
pub fn random(seed: u64, syntax: Syntax, kind: Kind) -> Litmus {
    let mut draw = Draw { random: Random::new(seed, "litmus"), next: 0 };
    let is_atomic = [(); SHARED].map(|()| draw.one_in(2));
    let (units, barriers) = match kind {
        Kind::Workgroups => (2 + draw.below(2), Vec::new()),
        Kind::Subgroups { .. } => {
            let barriers = 2 - draw.below(4).min(2);
            (2 + draw.below(3), (0..barriers).map(|_| barrier(&mut draw)).collect())
        }
    };
    let most = (LARGEST / units).min(4);
    let mut author = Author { draw, syntax, kind, is_atomic };
    let units = (0..units).map(|_| author.unit(most, &barriers)).collect();
    Litmus { name: format!("litmus_{seed}"), kind, units }
}

fn barrier(draw: &mut Draw) -> Operation {
    let which = draw.below(3);
    Operation::Barrier { storage: which != 1, workgroup: which != 0 }
}

/// A stream of draws.
struct Draw {
    random: Random,
    next: u64,
}

impl Draw {
    /// Uniform below `limit`, which is small.
    fn below(&mut self, limit: usize) -> usize {
        let bits = self.random.bits(self.next);
        self.next += 1;
        let limit = u128::try_from(limit).unwrap_or(1);
        usize::try_from((u128::from(bits) * limit) >> 64).unwrap_or(0)
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

struct Author {
    draw: Draw,
    syntax: Syntax,
    kind: Kind,
    is_atomic: [bool; SHARED],
}

impl Author {
    /// Operations with at most `most` accesses, and the barriers at random places among them.
    fn unit(&mut self, most: usize, barriers: &[Operation]) -> Vec<Operation> {
        let mut left = 1 + self.draw.below(most);
        let mut operations = Vec::new();
        let mut registers = 0;
        while left > 0 {
            let operation = self.operation(registers, left);
            registers = operation.all().fold(registers, |registers, one| registers.max(end_of(one)));
            left = left.saturating_sub(operation.all().filter(|one| one.access().is_some()).count());
            // A fence takes no room of an access, but a unit that only has fences has to end.
            if matches!(operation, Operation::Fence(_)) && self.draw.one_in(2) {
                left -= 1;
            }
            operations.push(operation);
        }
        let mut places: Vec<usize> = barriers.iter().map(|_| self.draw.below(operations.len() + 1)).collect();
        places.sort_unstable();
        for (place, barrier) in places.into_iter().zip(barriers).rev() {
            operations.insert(place, barrier.clone());
        }
        operations
    }

    fn operation(&mut self, registers: u32, left: usize) -> Operation {
        match self.draw.below(8) {
            0 if self.syntax == Syntax::Ptx => Operation::Fence(self.fence()),
            0..=2 if registers > 0 => {
                let count = 1 + self.draw.below(left.min(2));
                let register = self.register(registers);
                let equals = self.value();
                let mut next = registers;
                let then = (0..count).map(|_| self.access(&mut next)).collect();
                Operation::If { register, equals, then }
            }
            _ => self.access(&mut registers.clone()),
        }
    }

    /// A register that has been written.
    fn register(&mut self, registers: u32) -> u32 {
        let written: Vec<u32> = (0..registers.min(REGISTERS)).collect();
        self.draw.pick(&written)
    }

    /// Small values, so that what one unit writes is what another looks for.
    fn value(&mut self) -> u32 {
        self.draw.pick(&[1, 1, 2])
    }

    fn access(&mut self, registers: &mut u32) -> Operation {
        let word = self.draw.below(SHARED);
        let mixed = self.syntax == Syntax::Ptx && self.draw.one_in(8);
        let into = (*registers).min(REGISTERS - 1);
        let is_atomic = self.is_atomic[word] != mixed;
        match self.draw.below(if is_atomic { 5 } else { 2 }) {
            0 => {
                *registers = into + 1;
                let strength = is_atomic.then(|| self.strength(&[Order::Relaxed, Order::Acquire]));
                Operation::Load { word, strength, into }
            }
            1 => {
                let strength = is_atomic.then(|| self.strength(&[Order::Relaxed, Order::Release]));
                let value = match *registers > 0 && self.draw.one_in(4) {
                    true => Value::Sum { register: self.register(*registers), plus: 1 },
                    false => Value::Constant(self.value()),
                };
                Operation::Store { word, strength, value }
            }
            which => {
                *registers = into + 1;
                let orders = [Order::Relaxed, Order::Acquire, Order::Release, Order::AcquireRelease];
                let strength = self.strength(&orders);
                let change = match which {
                    2 => Change::Add(self.value()),
                    3 => Change::Exchange(self.value()),
                    _ => Change::CompareExchange { expected: self.draw.pick(&[0, 1]), value: self.value() },
                };
                Operation::Change { word, strength, change, into }
            }
        }
    }

    fn strength(&mut self, orders: &[Order]) -> Strength {
        match self.syntax {
            Syntax::Wgsl => Strength { order: Order::Relaxed, scope: self.natural() },
            Syntax::Ptx => Strength { order: self.draw.pick(orders), scope: self.scope() },
        }
    }

    fn fence(&mut self) -> Strength {
        let order = self.draw.pick(&[Order::AcquireRelease, Order::AcquireRelease, Order::SequentiallyConsistent]);
        Strength { order, scope: self.scope() }
    }

    /// Mostly wide enough.
    fn scope(&mut self) -> Scope {
        if self.draw.one_in(6) { Scope::Workgroup } else { Scope::Device }
    }

    /// WGSL's scope of an atomic.
    const fn natural(&self) -> Scope {
        match self.kind.memory() {
            Memory::Storage => Scope::Device,
            Memory::Workgroup => Scope::Workgroup,
        }
    }
}

/// How many registers an operation leaves written, if it writes any.
const fn end_of(operation: &Operation) -> u32 {
    match *operation {
        Operation::Load { into, .. } | Operation::Change { into, .. } => into + 1,
        _ => 0,
    }
}
