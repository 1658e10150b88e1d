//! The shortest schedule that still shows something: delta debugging (Zeller and Hildebrandt, "Simplifying and
//! isolating failure-inducing input", TSE 2002) over runs of turns, then over what each run says.

use crate::outcome::SimulateError;
use crate::schedule::{Schedule, Turns, Unit};

/// A schedule with fewer switches, and simpler ones, for which `shows` still holds. `tries` bounds how often `shows` is
/// asked; a schedule that does not fit the launch counts as not showing anything.
///
/// # Errors
/// What `shows` fails with.
pub fn shrink(
    schedule: &Schedule,
    tries: u32,
    shows: &mut dyn FnMut(&Schedule) -> Result<bool, SimulateError>,
) -> Result<Schedule, SimulateError> {
    let mut shrinker = Shrinker { best: schedule.clone(), left: tries, shows };
    loop {
        let before = shrinker.best.clone();
        for dispatch in 0..shrinker.best.dispatches.len() {
            shrinker.remove_runs(dispatch)?;
            shrinker.simplify_runs(dispatch)?;
        }
        shrinker.lower_slots()?;
        if shrinker.best == before || shrinker.left == 0 {
            return Ok(shrinker.best);
        }
    }
}

struct Shrinker<'a> {
    best: Schedule,
    left: u32,
    shows: &'a mut dyn FnMut(&Schedule) -> Result<bool, SimulateError>,
}

impl Shrinker<'_> {
    /// Takes over a candidate that still shows it.
    fn try_it(&mut self, candidate: Schedule) -> Result<bool, SimulateError> {
        if self.left == 0 || candidate == self.best {
            return Ok(false);
        }
        self.left -= 1;
        let holds = match (self.shows)(&candidate) {
            Err(SimulateError::Schedule { .. }) => false,
            other => other?,
        };
        if holds {
            self.best = candidate;
        }
        Ok(holds)
    }

    fn with(&self, dispatch: usize, turns: Vec<Turns>) -> Schedule {
        let mut candidate = self.best.clone();
        if let Some(place) = candidate.dispatches.get_mut(dispatch) {
            *place = joined(turns);
        }
        candidate
    }

    fn turns(&self, dispatch: usize) -> Vec<Turns> {
        self.best.dispatches.get(dispatch).cloned().unwrap_or_default()
    }

    /// Leaves out as many runs as possible, large pieces first.
    fn remove_runs(&mut self, dispatch: usize) -> Result<(), SimulateError> {
        let mut piece = self.turns(dispatch).len();
        while piece > 0 && self.left > 0 {
            let mut from = 0;
            while from < self.turns(dispatch).len() && self.left > 0 {
                let mut rest = self.turns(dispatch);
                rest.drain(from..(from + piece).min(rest.len()));
                if !self.try_it(self.with(dispatch, rest))? {
                    from += piece;
                }
            }
            piece /= 2;
        }
        Ok(())
    }

    /// "Until it ends" instead of a number, a whole workgroup instead of a subgroup, fewer turns instead of many.
    fn simplify_runs(&mut self, dispatch: usize) -> Result<(), SimulateError> {
        let mut position = 0;
        while position < self.turns(dispatch).len() && self.left > 0 {
            let Some(&Turns { unit, count }) = self.turns(dispatch).get(position) else { break };
            let mut simpler =
                vec![Turns { unit: Unit { subgroup: None, ..unit }, count: None }, Turns { unit, count: None }];
            simpler.push(Turns { unit: Unit { subgroup: None, ..unit }, count });
            let counts = count.into_iter().flat_map(|count| [1, 2, count / 2, count - 1]);
            simpler.extend(counts.filter(|&fewer| fewer > 0).map(|fewer| Turns { unit, count: Some(fewer) }));
            if count.is_none() {
                simpler.truncate(1);
            }
            for candidate in simpler {
                let better = match (candidate.count, count) {
                    (None, _) => true,
                    (Some(fewer), Some(now)) => fewer < now || candidate.unit != unit,
                    (Some(_), None) => false,
                };
                let mut turns = self.turns(dispatch);
                if let Some(place) = turns.get_mut(position).filter(|_| better) {
                    *place = candidate;
                    if self.try_it(self.with(dispatch, turns))? {
                        break;
                    }
                }
            }
            position += 1;
        }
        Ok(())
    }

    /// The fewest slots that the schedule still runs on.
    fn lower_slots(&mut self) -> Result<(), SimulateError> {
        let (mut low, mut high) = (0, self.best.slots);
        while high - low > 1 && self.left > 0 {
            let slots = low + (high - low) / 2;
            let candidate = Schedule { slots, ..self.best.clone() };
            if self.try_it(candidate)? { high = slots } else { low = slots }
        }
        Ok(())
    }
}

/// Neighbouring runs of one unit as one.
fn joined(turns: Vec<Turns>) -> Vec<Turns> {
    let mut all: Vec<Turns> = Vec::with_capacity(turns.len());
    for next in turns {
        match all.last_mut() {
            Some(last) if last.unit == next.unit => {
                last.count = last.count.zip(next.count).map(|(a, b)| a.saturating_add(b));
            }
            _ => all.push(next),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shrinks a schedule for as long as its turns hold these words in this order.
    fn shrunk(text: &str, wanted: &[&str]) -> String {
        let schedule: Schedule = text.parse().unwrap();
        let mut shows = |candidate: &Schedule| {
            let text = candidate.to_string();
            let mut rest = text.as_str();
            Ok(wanted.iter().all(|word| match rest.find(word) {
                Some(place) => {
                    rest = &rest[place + word.len()..];
                    true
                }
                None => false,
            }))
        };
        shrink(&schedule, 10_000, &mut shows).unwrap().to_string()
    }

    #[test]
    fn what_does_not_matter_goes() {
        let all = "gp1;slots=9;0*3,4.1*2,1*7,2,0*2,3*5,1,4.0*9,2*2";
        assert_eq!(shrunk(all, &[]), "gp1;slots=1;");
        assert_eq!(shrunk(all, &["slots=9"]), "gp1;slots=9;");
        assert_eq!(shrunk(all, &[",1", ",3"]), "gp1;slots=1;4*,1*,3*");
        assert_eq!(shrunk(all, &["3*5"]), "gp1;slots=1;3*5");
    }

    #[test]
    fn tries_are_bounded() {
        let mut asked = 0;
        let schedule: Schedule = "gp1;slots=9;0,1,2,3,4,5,6,7,8".parse().unwrap();
        let mut shows = |_: &Schedule| {
            asked += 1;
            Ok(false)
        };
        assert_eq!(shrink(&schedule, 5, &mut shows).unwrap(), schedule);
        assert_eq!(asked, 5);
    }
}
