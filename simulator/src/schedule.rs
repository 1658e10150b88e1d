//! A schedule as a short, versioned, printable string: the whole nondeterminism of one run.
//!
//! `gp1;slots=512;0*3,1,2*40` reads: format 1, 512 slots, then unit 0 ran for three turns, unit 1 for one,
//! unit 2 for forty. A *turn* takes a unit from one scheduling point to just before the next; which
//! accesses are scheduling points follows from the launch itself, so the string needs nothing else.
//! A unit is `WORKGROUP.SUBGROUP` (linear index in the dispatch), or `WORKGROUP` alone for whichever of its
//! subgroups is ready, the lowest first. `*` without a number means: until it ends (a subgroup alone: or waits
//! at a barrier). Dispatches after the first are separated by `/`. `start=any;` after the slots: a free slot goes to the
//! workgroup that takes a turn next, instead of to the lowest that has not started. `points=all;` after that: every access
//! to memory that others can reach is a scheduling point, instead of only atomics and bytes that raced in the proof.

use std::fmt;
use std::str::FromStr;

/// One unit of scheduling: a subgroup of a workgroup, or the whole workgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit {
    /// Linear index of the workgroup in its dispatch, x fastest.
    pub workgroup: u32,
    /// Subgroup in the workgroup; `None` for whichever is ready, the lowest first.
    pub subgroup: Option<u32>,
}

/// A run of turns of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turns {
    /// Who runs.
    pub unit: Unit,
    /// How many turns; `None`: until it ends (see the file's head).
    pub count: Option<u32>,
}

/// A complete schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Schedule {
    /// Workgroups resident at the same time.
    pub slots: u32,
    /// Whether a free slot goes to the workgroup that takes a turn next, instead of to the lowest that has not started.
    pub any_start: bool,
    /// Whether every access to memory that others can reach is a scheduling point, instead of only atomics and bytes that
    /// raced when the launch was proved.
    pub all_points: bool,
    /// Turns of each dispatch. When they run out, units go on in index order until they end.
    pub dispatches: Vec<Vec<Turns>>,
}

/// A schedule string that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule `{text}`, character {position}: {problem}")]
pub struct ScheduleError {
    /// The string (its first 80 characters).
    pub text: String,
    /// Where, counted from 1.
    pub position: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// Marks a schedule whose workgroups start in the order of their first turns.
const ANY_START: &str = "start=any;";

/// Marks a schedule in which every access to memory that others can reach is a scheduling point.
const ALL_POINTS: &str = "points=all;";

/// Turns a schedule string may have in all.
const LONGEST: usize = 1 << 20;

impl Schedule {
    /// Appends one turn to the last dispatch, joining it to the run before when the unit is the same.
    pub fn push(&mut self, unit: Unit) {
        if self.dispatches.is_empty() {
            self.dispatches.push(Vec::new());
        }
        let Some(turns) = self.dispatches.last_mut() else { return };
        match turns.last_mut() {
            Some(Turns { unit: last, count: Some(count) }) if *last == unit && *count < u32::MAX => *count += 1,
            _ => turns.push(Turns { unit, count: Some(1) }),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gp1;slots={};", self.slots)?;
        if self.any_start {
            f.write_str(ANY_START)?;
        }
        if self.all_points {
            f.write_str(ALL_POINTS)?;
        }
        for (position, turns) in self.dispatches.iter().enumerate() {
            if position > 0 {
                f.write_str("/")?;
            }
            for (position, Turns { unit, count }) in turns.iter().enumerate() {
                if position > 0 {
                    f.write_str(",")?;
                }
                write!(f, "{}", unit.workgroup)?;
                if let Some(subgroup) = unit.subgroup {
                    write!(f, ".{subgroup}")?;
                }
                match count {
                    None => f.write_str("*")?,
                    Some(1) => {}
                    Some(count) => write!(f, "*{count}")?,
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let mut reader = Reader { text, position: 0 };
        reader.expect("gp1;slots=", "expected `gp1;slots=`")?;
        let slots = reader.number()?;
        if slots == 0 {
            return Err(reader.error("at least one slot is needed"));
        }
        reader.expect(";", "expected `;`")?;
        let any_start = reader.takes(ANY_START);
        let all_points = reader.takes(ALL_POINTS);
        let mut dispatches = Vec::new();
        let mut total = 0_usize;
        loop {
            let mut turns = Vec::new();
            while reader.peek().is_some_and(|c| c.is_ascii_digit()) {
                turns.push(reader.turns()?);
                total += 1;
                if total > LONGEST {
                    return Err(reader.error("more than 1,048,576 runs of turns"));
                }
                if reader.peek() != Some(',') {
                    break;
                }
                reader.position += 1;
                if !reader.peek().is_some_and(|c| c.is_ascii_digit()) {
                    return Err(reader.error("expected a workgroup after `,`"));
                }
            }
            dispatches.push(turns);
            match reader.peek() {
                None => break,
                Some('/') => reader.position += 1,
                Some(_) => return Err(reader.error("expected `,`, `/` or the end")),
            }
        }
        if dispatches.last().is_some_and(Vec::is_empty) && dispatches.len() == 1 {
            dispatches.clear();
        }
        Ok(Self { slots, any_start, all_points, dispatches })
    }
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl Reader<'_> {
    /// Steps over a word if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        let comes = self.rest().starts_with(word);
        self.position += if comes { word.len() } else { 0 };
        comes
    }

    fn rest(&self) -> &str {
        self.text.get(self.position..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, problem: &'static str) -> ScheduleError {
        ScheduleError { text: self.text.chars().take(80).collect(), position: self.position + 1, problem }
    }

    fn expect(&mut self, word: &str, problem: &'static str) -> Result<(), ScheduleError> {
        if !self.rest().starts_with(word) {
            return Err(self.error(problem));
        }
        self.position += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<u32, ScheduleError> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest().get(..digits).unwrap_or("").parse();
        let number = number.map_err(|_| self.error("expected a number below 4,294,967,296"))?;
        self.position += digits;
        Ok(number)
    }

    fn turns(&mut self) -> Result<Turns, ScheduleError> {
        let workgroup = self.number()?;
        let mut subgroup = None;
        if self.peek() == Some('.') {
            self.position += 1;
            subgroup = Some(self.number()?);
        }
        let mut count = Some(1);
        if self.peek() == Some('*') {
            self.position += 1;
            count = if self.peek().is_some_and(|c| c.is_ascii_digit()) { Some(self.number()?) } else { None };
            if count == Some(0) {
                return Err(self.error("a run of turns has at least one"));
            }
        }
        Ok(Turns { unit: Unit { workgroup, subgroup }, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_survives_printing_and_reading() {
        for text in [
            "gp1;slots=1;",
            "gp1;slots=512;0*3,1,2.7*40",
            "gp1;slots=2;0*,1*/1*,0*",
            "gp1;slots=1;start=any;points=all;1*,0*",
        ] {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.to_string(), text);
        }
    }

    #[test]
    fn turns_of_one_unit_join() {
        let mut schedule = Schedule { slots: 2, any_start: false, all_points: false, dispatches: vec![] };
        for workgroup in [0, 0, 1, 0] {
            schedule.push(Unit { workgroup, subgroup: None });
        }
        assert_eq!(schedule.to_string(), "gp1;slots=2;0*2,1,0");
    }

    #[test]
    fn broken_schedules_are_refused_with_their_place() {
        for (text, position) in [
            ("", 1),
            ("gp2;slots=1;", 1),
            ("gp1;slots=;", 11),
            ("gp1;slots=0;", 12),
            ("gp1;slots=1;0,", 15),
            ("gp1;slots=1;0*0", 16),
            ("gp1;slots=1;x", 13),
            ("gp1;slots=1;99999999999", 13),
            ("gp1;slots=1;é", 13),
        ] {
            assert_eq!(text.parse::<Schedule>().unwrap_err().position, position, "{text}");
        }
    }
}
