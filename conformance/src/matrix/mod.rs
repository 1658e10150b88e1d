//! The matrix: legs times cases, each cell one named comparison.
//!
//! The yardstick is `model`, the bit-faithful model of `reference`. The leg `oracle` compares it with the
//! f64 oracle, within the error that the oracle states; every other leg must equal it on every bit of every
//! output. The simulator's verdict must be the demanded one besides. The leg `golden` compares with what other people's
//! code computed. A leg that cannot run a case says why:
//! a skip is counted and shown, and never a pass.

mod adapter;
mod case_file;
mod cell;
pub mod cuda;
mod golden;
pub mod journal;
mod merge;
mod partition;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

pub use case_file::{Case, LegKind, RefusedCase};
pub use golden::GoldenCase;
use gridproof_launch::Language;
pub use gridproof_report::matrix::{CellReport, CellResult, MatrixReport};
use gridproof_report::matrix::{Found, Origin, hash_of_names};
pub use merge::{MergeError, merge};
pub use partition::{Partition, PartitionChoice};

use crate::check::CheckError;
use crate::cuda::{compiler, unavailable};
use crate::progress::Progress;
use crate::side_by_side::side_by_side;
use adapter::Adapter;
use case_file::Suite;
use cuda::CudaLeg;
use gridproof_report::model::Accepted;
use journal::Journal;

/// What the matrix may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatrixOptions {
    /// Only legs whose name contains one of these texts; all when empty.
    pub legs: Vec<String>,
    /// Only cells whose name contains this text.
    pub filter: Option<String>,
    /// Only this slice of the selected cells.
    pub partition: Option<Partition>,
    /// What must be there.
    pub require: Requirements,
}

/// What a machine must have: cells that need it disagree where it is missing, instead of being skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// An adapter.
    pub adapter: bool,
    /// The CUDA compiler.
    pub nvrtc: bool,
    /// A CUDA device.
    pub cuda: bool,
}

/// One cell of the matrix.
#[derive(Clone)]
pub struct Cell {
    name: String,
    kernel: String,
    variant: String,
    case: String,
    leg: String,
    file: String,
    /// What outside of this program its result depends on.
    environment: String,
    task: Task,
    require: Requirements,
}

#[derive(Clone)]
enum Task {
    Oracle(Arc<Case>),
    Simulator(Arc<Case>, u32),
    PtxSimulator(Arc<Case>),
    Adapter(Arc<Case>, Arc<Adapter>),
    Cuda(Arc<Case>, Arc<CudaLeg>),
    Golden(Arc<GoldenCase>),
    Refused(Arc<RefusedCase>),
}

/// Runs the selected cells, one on each core. The report is in the order of the suite, whatever finishes first. Results
/// that a journal has are taken from it, and every other one is written down as soon as it is there.
///
/// # Errors
/// A case file that is wrong, or a selection that leaves nothing. A journal that cannot be written to the end is told in the
/// report.
pub fn run(
    options: &MatrixOptions,
    journal: Option<Journal>,
    progress: &dyn Fn(Progress<'_>),
) -> Result<MatrixReport, CheckError> {
    let started = Instant::now();
    let all = selected(options)?;
    let origin = match options.partition {
        Some(_) => Some(Origin {
            build: journal::build()?,
            cells: all.len(),
            names: hash_of_names(all.iter().map(Cell::name)),
        }),
        None => None,
    };
    let cells = share_of(all, options.partition);
    let known = |cell: &Cell| journal.as_ref().and_then(|journal| journal.take(&cell.name, &cell.environment));
    let mut reports: Vec<Option<CellReport>> = cells.iter().map(known).collect();
    let open: Vec<usize> = (0..cells.len()).filter(|&position| reports[position].is_none()).collect();
    let (total, resumed) = (cells.len(), cells.len() - open.len());
    let mut journal = journal;
    let fresh = side_by_side(
        &open,
        |&position| cells[position].run(),
        |done, position, report: &CellReport| {
            if let Some(journal) = &mut journal {
                journal.add(&cells[open[position]].environment, report);
            }
            progress(Progress { done: resumed + done, total, current: &report.name });
        },
    );
    for (position, report) in open.into_iter().zip(fresh) {
        reports[position] = Some(report);
    }
    let unsaved = journal.and_then(|journal| journal.finish().err()).map(|error| error.to_string());
    let mut reports: Vec<CellReport> = reports.into_iter().flatten().collect();
    add_schedules(&cells, &mut reports);
    Ok(MatrixReport {
        cells: reports,
        devices: devices(&cells),
        selection: selection(&MatrixOptions { partition: None, ..options.clone() }),
        partition: options.partition.map(|partition| partition.to_string()),
        origin,
        missing: Vec::new(),
        resumed,
        unsaved,
        accepted: Accepted::new(),
        elapsed: started.elapsed(),
    })
}

/// Every distinct race gets a schedule that shows it, in the first cell that has it: that cell is examined again.
fn add_schedules(cells: &[Cell], reports: &mut [CellReport]) {
    let mut known = BTreeSet::new();
    let mut first = Vec::new();
    for (position, report) in reports.iter().enumerate() {
        let races = report.findings.iter().filter(|found| found.is_race());
        let new = races.filter(|found| known.insert((found.fingerprint.clone(), found.demanded))).count();
        if new > 0 {
            first.push(position);
        }
    }
    let found = side_by_side(&first, |&position| cells[position].with_schedules(), |_, _, _| {});
    for (position, found) in first.into_iter().zip(found) {
        if let Some(found) = found {
            reports[position].findings = found;
        }
    }
}

/// What the devices are that cells ran on.
fn devices(cells: &[Cell]) -> Vec<(String, String)> {
    let mut devices: Vec<(String, String)> = Vec::new();
    for cell in cells {
        let description = match &cell.task {
            Task::Adapter(_, adapter) => adapter.description(),
            Task::Cuda(_, leg) => leg.description(),
            Task::Oracle(_) | Task::Simulator(..) | Task::PtxSimulator(_) | Task::Golden(_) | Task::Refused(_) => None,
        };
        match description {
            Some(description) if devices.iter().all(|(leg, _)| *leg != cell.leg) => {
                devices.push((cell.leg.clone(), description));
            }
            _ => {}
        }
    }
    devices
}

/// The selected cells, in the order of the suite; those of one share where one is asked for, which may be none. Opens no
/// device.
///
/// # Errors
/// As [`run`].
pub fn cells(options: &MatrixOptions) -> Result<Vec<Cell>, CheckError> {
    Ok(share_of(selected(options)?, options.partition))
}

fn share_of(mut cells: Vec<Cell>, partition: Option<Partition>) -> Vec<Cell> {
    if let Some(partition) = partition {
        let mut positions = 0..;
        cells.retain(|_| positions.next().is_some_and(|position| partition.has(position)));
    }
    cells
}

/// The selected cells of all shares.
fn selected(options: &MatrixOptions) -> Result<Vec<Cell>, CheckError> {
    let Suite { cases, golden, refused } = case_file::suite()?;
    let adapters: Vec<Arc<Adapter>> = Adapter::all().into_iter().map(Arc::new).collect();
    let cuda_legs: Vec<Arc<CudaLeg>> = CudaLeg::all().into_iter().map(Arc::new).collect();
    let mut cells: Vec<Cell> = Vec::new();
    for case in cases.into_iter().map(Arc::new) {
        cells.extend(tasks(&case, &adapters, &cuda_legs).map(|(leg, task)| {
            let Case { kernel, variant, shape, arithmetic, file, .. } = &*case;
            let told = format!("{shape}/{arithmetic}{}", seed(&case));
            Cell {
                name: format!("{kernel}/{variant}/{told}/{leg}"),
                kernel: kernel.clone(),
                variant: variant.clone(),
                case: told,
                leg,
                file: file.clone(),
                environment: task.environment(),
                task,
                require: options.require,
            }
        }));
    }
    cells.extend(golden.into_iter().map(|case| {
        let told = format!("golden={}/{}", case.vectors, case.arithmetic);
        Cell {
            name: format!("{}/{}/{told}/golden", case.kernel, case.variant),
            kernel: case.kernel.clone(),
            variant: case.variant.clone(),
            case: told,
            leg: "golden".to_owned(),
            file: case.file.clone(),
            environment: String::new(),
            task: Task::Golden(Arc::new(case)),
            require: Requirements::default(),
        }
    }));
    cells.extend(refused.into_iter().map(|case| Cell {
        name: format!("{}/refused/{}", case.kernel, case.shape),
        kernel: case.kernel.clone(),
        variant: "refused".to_owned(),
        case: case.shape.clone(),
        leg: "dispatcher".to_owned(),
        file: case.file.clone(),
        environment: String::new(),
        task: Task::Refused(Arc::new(case)),
        require: Requirements::default(),
    }));
    cells.retain(|cell| cell.selected(options));
    if cells.is_empty() {
        return Err(CheckError::NothingSelected { selection: selection(options) });
    }
    Ok(cells)
}

fn tasks(
    case: &Arc<Case>,
    adapters: &[Arc<Adapter>],
    cuda_legs: &[Arc<CudaLeg>],
) -> impl Iterator<Item = (String, Task)> {
    let mut tasks = Vec::new();
    for leg in &case.legs {
        match leg {
            LegKind::Oracle => tasks.push(("oracle".to_owned(), Task::Oracle(case.clone()))),
            LegKind::SimWgsl => tasks.extend(
                case.subgroup_sizes
                    .iter()
                    .map(|size| (format!("sim-wgsl:{size}"), Task::Simulator(case.clone(), *size))),
            ),
            LegKind::SimPtx => tasks.push(("sim-ptx".to_owned(), Task::PtxSimulator(case.clone()))),
            LegKind::Wgpu => tasks.extend(
                adapters.iter().map(|adapter| (adapter.name.clone(), Task::Adapter(case.clone(), adapter.clone()))),
            ),
            LegKind::Cuda => {
                tasks.extend(cuda_legs.iter().map(|leg| (leg.name.clone(), Task::Cuda(case.clone(), leg.clone()))));
            }
        }
    }
    tasks.into_iter()
}

fn seed(case: &Case) -> String {
    if case.seed == 0 { String::new() } else { format!(",seed={}", case.seed) }
}

fn selection(options: &MatrixOptions) -> String {
    let mut words: Vec<String> = options.legs.iter().map(|leg| format!("leg `{leg}`")).collect();
    words.extend(options.filter.iter().map(|filter| format!("filter `{filter}`")));
    words.extend(options.partition.iter().map(Partition::to_string));
    if words.is_empty() { "the suite".to_owned() } else { words.join(", ") }
}

impl Cell {
    /// `kernel/variant/shape/profile/leg`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The leg.
    pub fn leg(&self) -> &str {
        &self.leg
    }

    fn selected(&self, options: &MatrixOptions) -> bool {
        let leg = options.legs.is_empty() || options.legs.iter().any(|leg| self.leg.contains(leg.as_str()));
        leg && options.filter.as_ref().is_none_or(|filter| self.name.contains(filter.as_str()))
    }

    fn with_schedules(&self) -> Option<Vec<Found>> {
        match &self.task {
            Task::Simulator(case, subgroup_size) => cell::with_schedules(case, *subgroup_size, Language::Wgsl),
            Task::PtxSimulator(case) => cell::with_schedules(case, 32, Language::Cuda),
            _ => None,
        }
    }

    /// Runs the cell.
    pub fn run(&self) -> CellReport {
        let started = Instant::now();
        let mut findings = Vec::new();
        let mut simulated = |(result, found): cell::Simulated| {
            findings = found;
            result
        };
        let result = match &self.task {
            Task::Oracle(case) => cell::oracle(case),
            Task::Simulator(case, subgroup_size) => simulated(cell::simulator(case, *subgroup_size)),
            Task::PtxSimulator(_) if self.require.nvrtc && unavailable().is_some() => {
                let reason = unavailable().map(ToString::to_string).unwrap_or_default();
                CellResult::Disagreed(format!("a CUDA compiler is required: {reason}"))
            }
            Task::PtxSimulator(case) => simulated(cell::ptx_simulator(case)),
            Task::Adapter(_, adapter) if self.require.adapter && adapter.unusable().is_some() => {
                CellResult::Disagreed(format!("an adapter is required: {}", adapter.unusable().unwrap_or_default()))
            }
            Task::Adapter(case, adapter) => cell::adapter(case, adapter),
            Task::Cuda(_, leg) if self.require.cuda && leg.unusable().is_some() => {
                CellResult::Disagreed(format!("a CUDA device is required: {}", leg.unusable().unwrap_or_default()))
            }
            Task::Cuda(case, leg) => leg.run(case),
            Task::Golden(case) => golden::compare(case).into(),
            Task::Refused(case) => cell::refused(case),
        };
        CellReport {
            name: self.name.clone(),
            kernel: self.kernel.clone(),
            variant: self.variant.clone(),
            case: self.case.clone(),
            leg: self.leg.clone(),
            file: self.file.clone(),
            result,
            seconds: started.elapsed().as_secs_f64(),
            findings,
        }
    }
}

impl Task {
    /// What outside of this program its result depends on: compiler, driver, device.
    fn environment(&self) -> String {
        let compiler = || match compiler() {
            Ok(nvrtc) => format!("NVRTC {:?} {}", nvrtc.version(), nvrtc.library().display()),
            Err(_) => "no NVRTC".to_owned(),
        };
        match self {
            Self::Oracle(_) | Self::Simulator(..) | Self::Golden(_) | Self::Refused(_) => String::new(),
            Self::PtxSimulator(_) => compiler(),
            Self::Adapter(_, adapter) => adapter.summary.clone(),
            Self::Cuda(_, leg) => format!("{}; {}", leg.summary, compiler()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cell_names_are_unique_and_the_suite_has_forty_shapes() {
        let cells = cells(&MatrixOptions::default()).unwrap();
        let names: BTreeSet<&str> = cells.iter().map(Cell::name).collect();
        assert_eq!(names.len(), cells.len());
        let shapes: BTreeSet<&str> = cells
            .iter()
            .filter(|cell| cell.leg().starts_with("sim-wgsl"))
            .filter_map(|cell| cell.name().split('/').nth(2))
            .collect();
        assert!(shapes.len() >= 40, "{}", shapes.len());
    }

    #[test]
    fn the_shares_of_any_number_of_machines_have_every_cell_once() {
        let names = |partition| -> Vec<String> {
            let cells = cells(&MatrixOptions { partition, ..MatrixOptions::default() }).unwrap();
            cells.iter().map(|cell| cell.name().to_owned()).collect()
        };
        let mut all = names(None);
        all.sort();
        for count in [1, 2, 3, 4, 7, 64] {
            let shares = (1..=count).map(|index| names(Some(Partition { index, count })));
            let shares: Vec<Vec<String>> = shares.collect();
            let sizes = shares.iter().map(Vec::len);
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "{count}");
            let mut together = shares.concat();
            together.sort();
            assert_eq!(together, all, "{count}");
        }
    }

    #[test]
    fn an_empty_selection_is_an_error_of_its_own() {
        let options = MatrixOptions { legs: vec!["metal".to_owned()], ..MatrixOptions::default() };
        let error = cells(&options).map(|cells| cells.len()).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.exit_code()), ("nothing is selected by leg `metal`", 4));
    }
}
