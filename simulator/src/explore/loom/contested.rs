//! Which bytes more than one unit touches, so that loom has to know of them.
//!
//! Nothing here decides about races: it only finds the granules for which loom needs an object, by noting in every
//! execution who touched what. A granule that turns out to need more than the running model has is added to the plan, and
//! the model starts again: objects made inside a thread would carry that thread's causality.

use std::collections::{BTreeMap, HashMap};

use crate::memory::shadow::Class;

/// A few bytes that no two accesses of the dispatch share without sharing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Granule {
    /// Buffer; `None` for workgroup memory.
    pub buffer: Option<usize>,
    /// Its number, from the start of the memory.
    pub number: u64,
}

/// What loom must have for a granule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Cells: accesses of two units conflict.
    pub cells: bool,
    /// Atomics: units reach it atomically, or it is declared to race, and their order matters.
    pub atomics: bool,
    /// Objects that atomic stores use up in one execution.
    pub stores: usize,
}

impl Need {
    /// Both needs.
    pub fn and(self, other: Self) -> Self {
        Self {
            cells: self.cells || other.cells,
            atomics: self.atomics || other.atomics,
            stores: self.stores.max(other.stores),
        }
    }
}

/// Who touched what, over all executions so far.
#[derive(Debug, Default)]
pub struct Touches {
    /// Per granule and unit, a bit per class.
    seen: HashMap<Granule, [u8; super::MOST_UNITS]>,
}

const ATOMIC: u8 = bit(Class::AtomicRead) | bit(Class::AtomicWrite);

const fn bit(class: Class) -> u8 {
    match class {
        Class::Read => 1,
        Class::Write => 2,
        Class::AtomicRead => 4,
        Class::AtomicWrite => 8,
    }
}

fn rivals(classes: u8) -> u8 {
    let present = Class::ALL.into_iter().filter(|&class| classes & bit(class) != 0);
    present.flat_map(|class| class.conflicts()).fold(0, |bits, &class| bits | bit(class))
}

impl Touches {
    /// Notes an access. What the granule needs now, where the access is the first of its class by that unit.
    pub fn note(&mut self, granule: Granule, unit: usize, class: Class, declared: bool) -> Option<Need> {
        let units = self.seen.entry(granule).or_default();
        let mine = units.get_mut(unit)?;
        if *mine & bit(class) != 0 {
            return None;
        }
        *mine |= bit(class);
        let others = |unit: usize| {
            units.iter().enumerate().filter(|(other, _)| *other != unit).fold(0, |bits, (_, classes)| bits | classes)
        };
        let conflict = units.iter().enumerate().any(|(unit, &classes)| rivals(classes) & others(unit) != 0);
        let atomics = units.iter().filter(|&&classes| classes & ATOMIC != 0).count() > 1;
        Some(Need { cells: conflict && !declared, atomics: atomics || (declared && conflict), stores: 0 })
    }
}

/// The granules that a model has objects for, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    needs: BTreeMap<Granule, Need>,
    numbers: HashMap<Granule, usize>,
}

impl Plan {
    /// Adds needs; whether there were new ones.
    pub fn extend(&mut self, wanted: &BTreeMap<Granule, Need>) -> bool {
        let mut grew = false;
        for (&granule, &need) in wanted {
            let old = self.needs.get(&granule).copied().unwrap_or_default();
            let new = old.and(need);
            if new != old {
                self.needs.insert(granule, new);
                grew = true;
            }
        }
        self.numbers = (0..).zip(self.needs.keys()).map(|(number, &granule)| (granule, number)).collect();
        grew
    }

    /// Position of a granule among the objects.
    pub fn number(&self, granule: Granule) -> Option<usize> {
        self.numbers.get(&granule).copied()
    }

    /// What the model has for a granule.
    pub fn has(&self, granule: Granule) -> Need {
        self.needs.get(&granule).copied().unwrap_or_default()
    }

    /// What the model has, in order.
    pub fn needs(&self) -> impl Iterator<Item = Need> + '_ {
        self.needs.values().copied()
    }

    /// Granules with objects.
    pub fn len(&self) -> usize {
        self.needs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Granule = Granule { buffer: Some(0), number: 7 };

    #[test]
    fn a_granule_needs_cells_where_classes_of_two_units_conflict() {
        for first in Class::ALL {
            for second in Class::ALL {
                let mut touches = Touches::default();
                touches.note(HERE, 0, first, false);
                assert_eq!(touches.note(HERE, 0, first, false), None);
                let need = touches.note(HERE, 1, second, false).unwrap();
                assert_eq!(need.cells, first.conflicts().contains(&second), "{first:?} {second:?}");
                let is_atomic = |class: Class| bit(class) & ATOMIC != 0;
                assert_eq!(need.atomics, is_atomic(first) && is_atomic(second), "{first:?} {second:?}");
            }
        }
    }

    #[test]
    fn what_is_declared_is_ordered_but_not_judged() {
        let mut touches = Touches::default();
        touches.note(HERE, 0, Class::Write, true);
        assert_eq!(touches.note(HERE, 1, Class::Read, true), Some(Need { cells: false, atomics: true, stores: 0 }));
    }

    #[test]
    fn a_plan_only_grows() {
        let mut plan = Plan::default();
        let cells = Need { cells: true, ..Need::default() };
        assert!(plan.extend(&BTreeMap::from([(HERE, cells)])));
        assert!(!plan.extend(&BTreeMap::from([(HERE, cells)])));
        assert!(plan.extend(&BTreeMap::from([(HERE, Need { stores: 2, ..Need::default() })])));
        assert_eq!(plan.has(HERE), Need { cells: true, atomics: false, stores: 2 });
        assert_eq!((plan.number(HERE), plan.len()), (Some(0), 1));
    }
}
