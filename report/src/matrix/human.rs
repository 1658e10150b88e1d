//! The matrix for a person: what did not agree, then the counts of each leg with every distinct reason of a skip.

use super::{CellReport, CellResult, Counts, MatrixReport};
use crate::human::Amount;
use crate::text::{count, plain, seconds};

/// All cells that did not agree (with `Full`: all cells), then the counts of each leg.
pub fn page(report: &MatrixReport, amount: Amount) -> String {
    let mut text: String = report.cells.iter().map(|cell| line(report, cell, amount)).collect();
    for leg in legs(report) {
        text += &leg.words(report);
        let device = report.devices.iter().find(|(name, _)| *name == leg.name);
        text += &device.map_or_else(String::new, |(_, device)| format!("    on {}\n", plain(device)));
    }
    for share in &report.missing {
        text += &format!("MISSING    {}: its report was not given\n", plain(share));
    }
    let all = count(report.cells.len() as u64, "cell");
    let resumed = if report.resumed > 0 { format!(" ({} from the journal)", report.resumed) } else { String::new() };
    text + &format!("{all}{resumed}: {}, in {}\n", report.counts().words(), seconds(report.elapsed))
}

fn line(report: &MatrixReport, cell: &CellReport, amount: Amount) -> String {
    let (word, reason) = match &cell.result {
        CellResult::Disagreed(reason) => match report.acceptance(cell) {
            Some(accepted) => return accepted_line(cell, reason, accepted),
            None => ("DISAGREED ", Some(reason)),
        },
        CellResult::Skipped(reason) if amount == Amount::Full => ("skipped   ", Some(reason)),
        CellResult::Agreed if amount == Amount::Full => ("agreed    ", None),
        CellResult::Skipped(_) | CellResult::Agreed => return String::new(),
    };
    let reason = reason.map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
    format!("{word} {}{reason}\n", plain(&cell.name))
}

fn accepted_line(cell: &CellReport, reason: &str, accepted: &str) -> String {
    format!("accepted   {}: {}\n    accepted: {}\n", plain(&cell.name), plain(reason), plain(accepted))
}

/// One leg's cells, with each distinct reason for a skip.
pub(super) struct Leg<'a> {
    pub name: &'a str,
    pub cells: Vec<&'a CellReport>,
    pub skips: Vec<(&'a str, u64)>,
}

impl Leg<'_> {
    pub fn counts(&self, report: &MatrixReport) -> Counts {
        Counts::of(report, self.cells.iter().copied())
    }

    /// The name without a number behind its last colon, and that number.
    fn kind(&self) -> (&str, Option<u64>) {
        let parts = self.name.rsplit_once(':').and_then(|(kind, number)| Some((kind, number.parse().ok()?)));
        parts.map_or((self.name, None), |(kind, number)| (kind, Some(number)))
    }

    fn words(&self, report: &MatrixReport) -> String {
        let mut text = format!("{}: {}\n", plain(self.name), self.counts(report).words());
        for (reason, times) in &self.skips {
            text += &format!("    {times} skipped: {}\n", plain(reason));
        }
        text
    }
}

/// The legs in the order in which the cells have them; those that differ by a number in its order, as subgroup sizes do.
pub(super) fn legs(report: &MatrixReport) -> Vec<Leg<'_>> {
    let mut legs: Vec<Leg<'_>> = Vec::new();
    for cell in &report.cells {
        let known = legs.iter().position(|leg| leg.name == cell.leg);
        let index = known.unwrap_or_else(|| {
            legs.push(Leg { name: &cell.leg, cells: Vec::new(), skips: Vec::new() });
            legs.len() - 1
        });
        let leg = &mut legs[index];
        leg.cells.push(cell);
        if let CellResult::Skipped(reason) = &cell.result {
            match leg.skips.iter_mut().find(|(known, _)| known == reason) {
                Some((_, times)) => *times += 1,
                None => leg.skips.push((reason, 1)),
            }
        }
    }
    let kinds: Vec<String> = legs.iter().map(|leg| leg.kind().0.to_owned()).collect();
    legs.sort_by_key(|leg| {
        let (kind, number) = leg.kind();
        (kinds.iter().position(|known| known == kind), number)
    });
    legs
}
