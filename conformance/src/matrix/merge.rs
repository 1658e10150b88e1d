//! Reports of shares become the report of the whole.
//!
//! Cells come back in the order that the shares were dealt out in, so the whole is what one machine would have reported.

use std::collections::BTreeMap;

use gridproof_report::matrix::{MatrixReport, Origin, hash_of_names};

use super::Partition;
use crate::check::CheckError;

/// Reports that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct MergeError {
    /// The report, as the caller names it.
    pub name: String,
    /// Why it does not belong to the others.
    pub reason: String,
}

/// The whole, which says what shares of it are missing. Reports are given with their names.
///
/// # Errors
/// No report, reports of other selections, programs or cells, or of another number of shares, a share given twice, or one
/// with more or fewer cells than it should have.
pub fn merge(reports: Vec<(String, MatrixReport)>) -> Result<MatrixReport, MergeError> {
    let mut shares: BTreeMap<usize, (String, MatrixReport)> = BTreeMap::new();
    let mut agreed: Option<(String, usize, String, Option<Origin>)> = None;
    for (name, report) in reports {
        let fault = |reason: String| MergeError { name: name.clone(), reason };
        let partition = report.partition.as_deref().unwrap_or("slice:1/1");
        let share: Partition = partition.parse().map_err(|error: CheckError| fault(error.to_string()))?;
        let Partition { index, count } = share;
        let (first, shares_of_first, selection, origin) =
            agreed.get_or_insert_with(|| (name.clone(), count, report.selection.clone(), report.origin.clone()));
        if *shares_of_first != count {
            return Err(fault(format!("it is one of {count} shares, {first} is one of {shares_of_first}")));
        }
        if *selection != report.selection {
            return Err(fault(format!("it selected {}, {first} selected {selection}", report.selection)));
        }
        match (&report.origin, &*origin) {
            (Some(own), Some(other)) if own.build != other.build => {
                return Err(fault(format!("it was made by another build of gridproof than {first}")));
            }
            (Some(own), Some(other)) if own != other => {
                let (own, other) = (own.cells, other.cells);
                let reason = format!("it is of {own} cells, {first} of {other}: the machines have other legs");
                return Err(fault(reason));
            }
            (Some(own), _) if share.size(own.cells) != report.cells.len() => {
                let (has, should) = (report.cells.len(), share.size(own.cells));
                return Err(fault(format!("{share} has {has} cells: it should have {should}")));
            }
            (None, _) if report.partition.is_some() => {
                return Err(fault("it does not say what it is a share of".to_owned()));
            }
            _ => {}
        }
        if let Some((other, _)) = shares.get(&index) {
            return Err(fault(format!("it is {partition}, and so is {other}")));
        }
        shares.insert(index, (name, report));
    }
    let Some((_, count, selection, origin)) = agreed else {
        return Err(MergeError { name: "merge".to_owned(), reason: "no report is given".to_owned() });
    };
    let missing = (1..=count).filter(|index| !shares.contains_key(index));
    let missing: Vec<String> = missing.map(|index| Partition { index, count }.to_string()).collect();
    let mut whole = together(selection, shares.into_values().map(|(_, report)| report).collect());
    whole.missing.extend(missing);
    let names = || hash_of_names(whole.cells.iter().map(|cell| cell.name.as_str()));
    if origin.is_some_and(|origin| whole.missing.is_empty() && origin.names != names()) {
        let reason = "the shares together are not the cells that they were made of".to_owned();
        return Err(MergeError { name: "merge".to_owned(), reason });
    }
    Ok(whole)
}

fn together(selection: String, shares: Vec<MatrixReport>) -> MatrixReport {
    let mut whole = MatrixReport { selection, ..MatrixReport::default() };
    let mut cells = Vec::new();
    for share in shares {
        whole.resumed += share.resumed;
        whole.elapsed = whole.elapsed.saturating_add(share.elapsed);
        whole.missing.extend(share.missing);
        for device in share.devices {
            if !whole.devices.contains(&device) {
                whole.devices.push(device);
            }
        }
        cells.push(share.cells.into_iter());
    }
    loop {
        let before = whole.cells.len();
        whole.cells.extend(cells.iter_mut().filter_map(Iterator::next));
        if whole.cells.len() == before {
            return whole;
        }
    }
}

#[cfg(test)]
mod tests {
    use gridproof_report::matrix::{CellReport, CellResult};

    use super::*;

    fn cells(names: &[&str]) -> Vec<CellReport> {
        let cell = |name: &&str| CellReport {
            name: (*name).to_owned(),
            kernel: "k".to_owned(),
            variant: "v".to_owned(),
            case: "c".to_owned(),
            leg: "oracle".to_owned(),
            file: "f".to_owned(),
            result: CellResult::Agreed,
            seconds: 0.0,
            findings: Vec::new(),
        };
        names.iter().map(cell).collect()
    }

    fn share(partition: &str, names: &[&str], all: &[&str]) -> (String, MatrixReport) {
        let origin = Origin { build: "b".to_owned(), cells: all.len(), names: hash_of_names(all.iter().copied()) };
        let (partition, origin) = (Some(partition.to_owned()), Some(origin));
        (format!("{names:?}"), MatrixReport { cells: cells(names), partition, origin, ..MatrixReport::default() })
    }

    const ALL: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

    #[test]
    fn cells_come_back_in_the_order_they_were_dealt_out_in() {
        let shares = vec![
            share("slice:2/3", &["b", "e"], &ALL),
            share("slice:1/3", &["a", "d", "g"], &ALL),
            share("slice:3/3", &["c", "f"], &ALL),
        ];
        let whole = merge(shares).unwrap();
        assert_eq!((whole.cells, whole.missing, whole.partition), (cells(&ALL), vec![], None));
    }

    #[test]
    fn shares_without_cells_are_shares() {
        let shares = vec![share("slice:1/2", &["a"], &["a"]), share("slice:2/2", &[], &["a"])];
        assert_eq!(merge(shares).unwrap().cells, cells(&["a"]));
    }

    #[test]
    fn a_missing_share_is_told_and_is_not_forgotten() {
        let some = vec![share("slice:3/3", &["c"], &["a", "b", "c"]), share("slice:1/3", &["a"], &["a", "b", "c"])];
        let whole = merge(some).unwrap();
        assert_eq!((whole.cells.len(), whole.missing.clone()), (2, vec!["slice:2/3".to_owned()]));
        let again = merge(vec![("half".to_owned(), whole)]).unwrap();
        assert_eq!((again.cells.len(), again.missing), (2, vec!["slice:2/3".to_owned()]));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let said = |reports| merge(reports).unwrap_err().to_string();
        let (two, first) = (["a", "b"], share("slice:1/2", &["a"], &["a", "b"]));
        assert!(said(vec![]).contains("no report"));
        assert!(said(vec![first.clone(), share("slice:1/2", &["b"], &two)]).contains("and so is"));
        assert!(said(vec![first.clone(), share("slice:2/3", &["b"], &two)]).contains("one of 3 shares"));
        assert!(said(vec![share("slice:1/2", &[], &two)]).contains("has 0 cells: it should have 1"));
        assert!(said(vec![share("slice:1/2", &["a", "b"], &two)]).contains("has 2 cells: it should have 1"));
        assert!(said(vec![first.clone(), share("slice:2/2", &["a"], &two)]).contains("are not the cells"));
        assert!(said(vec![first.clone(), share("slice:2/2", &["c"], &["a", "c"])]).contains("other legs"));
        assert!(said(vec![share("slice:1/99999999999", &["a"], &two)]).contains("at most"));
        let changed = |change: fn(&mut MatrixReport)| {
            let mut other = share("slice:2/2", &["b"], &two);
            change(&mut other.1);
            said(vec![first.clone(), other])
        };
        assert!(changed(|other| other.selection = "leg `oracle`".to_owned()).contains("it selected leg `oracle`"));
        assert!(changed(|other| other.origin = None).contains("does not say"));
        let rebuilt = |other: &mut MatrixReport| other.origin.as_mut().unwrap().build = "c".to_owned();
        assert!(changed(rebuilt).contains("another build"));
    }
}
