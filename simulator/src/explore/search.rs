//! Every schedule, up to the order of turns that cannot matter.
//!
//! Stateless exploration with dynamic partial-order reduction: Flanagan and Godefroid, POPL 2005, in the form with
//! source sets and sleep sets of Abdulla, Aronis, Jonsson and Sagonas, POPL 2014 ("Source-DPOR"). An execution is run to
//! its end; for every two dependent turns of different units that nothing in between orders, the state before the
//! first is entered again and a turn tried that leads to their other order. Sleep sets keep an order that was seen from
//! being run again. Where the program cannot tell workgroups apart, those that have done nothing yet are one choice
//! (symmetry: renaming them gives the same memory).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::steps::{Clock, Footprint, Step, join};
use super::world::{Choice, Effects, UnitId, World};

/// A state on the way, and what is to be tried from it.
#[derive(Debug)]
struct Node {
    /// What can happen, by unit.
    choices: BTreeMap<UnitId, Footprint>,
    /// Whom a choice stands for, where units are interchangeable.
    stands_for: Option<Symmetry>,
    /// Units whose turns were tried from here already, or need not be.
    sleep: BTreeSet<UnitId>,
    /// Units whose turns are to be tried.
    backtrack: BTreeSet<UnitId>,
    /// Who was taken.
    taken: UnitId,
    /// Units whose workgroup has taken a turn.
    touched: BTreeSet<UnitId>,
    /// Units that would only spin.
    spinning: BTreeSet<UnitId>,
}

/// Workgroups that have done nothing are all like the first of them.
#[derive(Clone, Copy, Debug, Default)]
struct Symmetry {
    /// The first that holds a slot.
    resident: Option<u32>,
    /// The first that has not started.
    waiting: Option<u32>,
}

/// See the file's head.
#[derive(Debug, Default)]
pub struct Search {
    nodes: Vec<Node>,
    steps: Vec<Step>,
    /// Choices taken in the current execution.
    depth: usize,
    symmetric: bool,
    /// Whether orders that cannot matter are left out.
    reduced: bool,
}

/// Where an execution goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This unit takes a turn.
    Take(UnitId),
    /// Every continuation was seen in other executions.
    Redundant,
    /// Nothing can happen any more.
    End,
}

impl Search {
    /// Nothing explored. `symmetric`: the program cannot tell workgroups apart. `reduced`: orders that cannot matter are
    /// left out.
    pub fn new(symmetric: bool, reduced: bool) -> Self {
        Self { symmetric, reduced, ..Self::default() }
    }

    /// Before the first turn of an execution: all states but the last are those of the execution before.
    pub fn begin(&mut self) {
        self.steps.truncate(self.nodes.len().saturating_sub(1));
        self.depth = 0;
    }

    /// Chooses the next turn of the current execution.
    pub fn next(&mut self, world: &World<'_>) -> Next {
        if let Some(node) = self.nodes.get(self.depth) {
            return Next::Take(node.taken);
        }
        let choices = world.choices();
        if choices.is_empty() {
            self.start_others_first(world);
            return Next::End;
        }
        let waiting = world.is_someone_waiting();
        let symmetry = self.symmetric.then(|| symmetry(world, &choices));
        let represents = |choice: &&Choice| {
            symmetry.is_none_or(|Symmetry { resident, waiting }| {
                let workgroup = world.place(choice.unit).0;
                let first = if choice.access.is_some() { resident } else { waiting };
                !world.is_untouched(workgroup) || Some(workgroup) == first
            })
        };
        let choices: BTreeMap<UnitId, Footprint> = choices
            .iter()
            .filter(represents)
            .map(|choice| (choice.unit, Footprint::new(choice, world.place(choice.unit).0, waiting)))
            .collect();
        let sleep = self.sleep_after_last();
        let last = self.steps.last().map(|step| step.unit);
        let awake = |unit: &UnitId| !sleep.contains(unit);
        // Going on with whom we have gives executions with few switches.
        let stay = last.filter(|unit| choices.contains_key(unit) && awake(unit));
        let Some(taken) = stay.or_else(|| choices.keys().copied().find(awake)) else { return Next::Redundant };
        let backtrack = if self.reduced { BTreeSet::from([taken]) } else { choices.keys().copied().collect() };
        self.nodes.push(Node {
            choices,
            stands_for: symmetry,
            sleep,
            backtrack,
            taken,
            touched: if self.symmetric { touched(world) } else { BTreeSet::new() },
            spinning: world.spinners().into_iter().map(|(unit, _)| unit).collect(),
        });
        Next::Take(taken)
    }

    /// Where nobody makes progress: those that never got a slot might have had one of those that did.
    fn start_others_first(&mut self, world: &World<'_>) {
        if !self.reduced {
            return;
        }
        let unstarted: Vec<UnitId> = world.unstarted().map(|workgroup| world.units_of(workgroup).start).collect();
        let starts = self.steps.iter().zip(&mut self.nodes).filter(|(step, _)| step.footprint.is_start());
        for (_, node) in starts {
            for &unit in &unstarted {
                let unit = node.representative(world, unit);
                if node.choices.contains_key(&unit) && !node.sleep.contains(&unit) {
                    node.backtrack.insert(unit);
                }
            }
        }
    }

    /// Who sleeps in the state after the last step.
    fn sleep_after_last(&self) -> BTreeSet<UnitId> {
        if !self.reduced {
            return BTreeSet::new();
        }
        let (Some(node), Some(step)) = (self.nodes.last(), self.steps.last()) else { return BTreeSet::new() };
        let stays = |unit: &&UnitId| {
            **unit != step.unit
                && node.choices.get(unit).is_some_and(|footprint| !footprint.depends_on(&step.footprint))
        };
        node.sleep.iter().filter(stays).copied().collect()
    }

    /// A turn was taken, with these effects.
    pub fn taken(&mut self, world: &World<'_>, effects: &Effects) {
        let place = self.depth;
        self.depth += 1;
        if place < self.steps.len() {
            return;
        }
        let Some(node) = self.nodes.get(place) else { return };
        let unit = node.taken;
        let Some(mut footprint) = node.choices.get(&unit).cloned() else { return };
        // What may end a workgroup counts as doing so only until it is known.
        footprint.moves = !effects.ended.is_empty() || !effects.started.is_empty();
        let units = world.units();
        let mut after: Vec<Rc<Clock>> = match self.steps.last() {
            Some(step) => step.after.clone(),
            None => {
                let nothing = Rc::new(vec![0; units]);
                (0..units).map(|_| nothing.clone()).collect()
            }
        };
        let mut clock: Clock = after[unit].to_vec();
        let number = clock[unit] + 1;
        let mut races = Vec::new();
        if footprint.is_start() {
            // Who took the slot before, and gave it back since, could have come later: an end in between enables this
            // start and cannot change places with it.
            let starts = self.steps.iter().enumerate().filter(|(_, step)| step.footprint.is_start());
            races.extend(starts.filter(|(_, step)| clock[step.unit] < step.number).map(|(position, _)| position));
        }
        for (position, earlier) in self.steps.iter().enumerate().rev() {
            if clock[earlier.unit] >= earlier.number || !earlier.footprint.depends_on(&footprint) {
                continue;
            }
            races.push(position);
            join(&mut clock, &earlier.clock);
        }
        clock[unit] = number;
        after[unit] = Rc::new(clock.clone());
        // Who came to a barrier without waiting there counts for nothing: an order too few costs executions, and one too many
        // would hide some.
        for members in &effects.met {
            let mut all = vec![0; units];
            members.iter().for_each(|&unit| join(&mut all, &after[unit]));
            let all = Rc::new(all);
            members.iter().for_each(|&unit| after[unit] = all.clone());
        }
        for &workgroup in &effects.started {
            let mut all = clock.clone();
            let freed = self.steps.iter().filter(|step| step.footprint.moves);
            freed.for_each(|step| join(&mut all, &step.clock));
            after[world.units_of(workgroup)].iter_mut().for_each(|clock| join(Rc::make_mut(clock), &all));
        }
        self.steps.push(Step { unit, footprint, number, clock, after });
        if self.reduced {
            races.into_iter().for_each(|earlier| self.reverse(world, earlier, place));
        }
    }

    /// Makes sure that the other order of two steps is tried.
    fn reverse(&mut self, world: &World<'_>, first: usize, second: usize) {
        let Some(unit) = self.steps.get(second).map(|step| step.unit) else { return };
        // What happened between them and does not need the first, then the second.
        let early = &self.steps[first];
        let between = self.steps[first + 1..second].iter().filter(|step| !early.is_before(step));
        let sequence: Vec<&Step> = between.chain([&self.steps[second]]).collect();
        let mut seen = BTreeSet::new();
        let mut initials = BTreeSet::new();
        for (position, step) in sequence.iter().enumerate() {
            if seen.insert(step.unit) && !sequence[..position].iter().any(|before| before.is_before(step)) {
                initials.insert(step.unit);
            }
        }
        let node = &mut self.nodes[first];
        let initials: BTreeSet<UnitId> = initials.into_iter().map(|unit| node.representative(world, unit)).collect();
        if !initials.is_disjoint(&node.backtrack) || !initials.is_disjoint(&node.sleep) {
            return;
        }
        if let Some(&unit) = initials.iter().find(|unit| node.choices.contains_key(unit)) {
            node.backtrack.insert(unit);
        } else if !node.spinning.contains(&unit) {
            let all: Vec<UnitId> = node.choices.keys().copied().collect();
            node.backtrack.extend(all);
        }
    }

    /// Goes back to the last state from which something is left to try. Whether there is one.
    pub fn backtrack(&mut self) -> bool {
        while let Some(mut node) = self.nodes.pop() {
            node.sleep.insert(node.taken);
            let left = node.backtrack.iter().find(|unit| !node.sleep.contains(unit)).copied();
            if let Some(unit) = left {
                node.taken = unit;
                self.nodes.push(node);
                return true;
            }
        }
        false
    }
}

fn touched(world: &World<'_>) -> BTreeSet<UnitId> {
    (0..world.units()).filter(|&unit| !world.is_untouched(world.place(unit).0)).collect()
}

/// The untouched workgroups that stand for all like them.
fn symmetry(world: &World<'_>, choices: &[Choice]) -> Symmetry {
    let first = |starts: bool| {
        let alike = choices.iter().filter(|choice| choice.access.is_none() == starts);
        alike.map(|choice| world.place(choice.unit).0).filter(|&workgroup| world.is_untouched(workgroup)).min()
    };
    Symmetry { resident: first(false), waiting: first(true) }
}

impl Node {
    /// Who stands for a unit in this state: itself where it is a choice, else the unit in its place of the untouched
    /// workgroup that is one.
    fn representative(&self, world: &World<'_>, unit: UnitId) -> UnitId {
        let Some(Symmetry { resident, waiting }) = self.stands_for else { return unit };
        if self.choices.contains_key(&unit) || self.spinning.contains(&unit) || self.touched.contains(&unit) {
            return unit;
        }
        let place = world.place(unit).1;
        let like = |workgroup: u32| world.units_of(workgroup).start + crate::cast::at(place);
        let candidates = resident.map(like).into_iter().chain(waiting.map(|first| world.units_of(first).start));
        candidates.into_iter().find(|other| self.choices.contains_key(other)).unwrap_or(unit)
    }
}
