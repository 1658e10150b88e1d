//! The matrix: legs times cases, each cell one named comparison.
//!
//! The yardstick is `model`, the bit-faithful model of `reference`. The leg `oracle` compares it with the
//! f64 oracle, within the error that the oracle states; every other leg must equal it on every bit of every
//! output. The simulator's verdict must be the demanded one besides. A leg that cannot run a case says why:
//! a skip is counted and shown, and never a pass.

mod adapter;
mod case_file;
mod cell;
pub mod cuda;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use case_file::{Case, LegKind, RefusedCase};
pub use cell::CellResult;

use crate::check::CheckError;
use crate::cuda::unavailable;
use crate::progress::Progress;
use crate::side_by_side::side_by_side;
use adapter::Adapter;
use cuda::CudaLeg;

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

/// One of several equal shares of the cells: every `count`-th cell from the `index`-th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Which share, counted from 1.
    pub index: usize,
    /// How many shares.
    pub count: usize,
}

/// One cell of the matrix.
#[derive(Clone)]
pub struct Cell {
    name: String,
    leg: String,
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
    Refused(Arc<RefusedCase>),
}

/// One cell's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellReport {
    /// `kernel/variant/shape/profile/leg`.
    pub name: String,
    /// The leg.
    pub leg: String,
    /// What came of it.
    pub result: CellResult,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// All cells' results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixReport {
    /// The cells, in the order of the suite.
    pub cells: Vec<CellReport>,
    /// Legs that are devices, with what each of them is.
    pub devices: Vec<(String, String)>,
    /// Wall-clock time of all.
    pub elapsed: Duration,
}

impl MatrixReport {
    /// How many cells agreed, disagreed and were skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&CellResult) -> bool| self.cells.iter().filter(|cell| wanted(&cell.result)).count();
        (
            count(|result| matches!(result, CellResult::Agreed)),
            count(|result| matches!(result, CellResult::Disagreed(_))),
            count(|result| matches!(result, CellResult::Skipped(_))),
        )
    }
}

/// Runs the selected cells, one on each core. The report is in the order of the suite, whatever finishes first.
///
/// # Errors
/// A case file that is wrong, or a selection that leaves nothing.
pub fn run(options: &MatrixOptions, progress: &dyn Fn(Progress<'_>)) -> Result<MatrixReport, CheckError> {
    let started = Instant::now();
    let cells = cells(options)?;
    let total = cells.len();
    let reports = side_by_side(&cells, Cell::run, |done, _, report: &CellReport| {
        progress(Progress { done, total, current: &report.name });
    });
    let devices = devices(&cells);
    Ok(MatrixReport { cells: reports, devices, elapsed: started.elapsed() })
}

/// What the devices are that cells ran on.
fn devices(cells: &[Cell]) -> Vec<(String, String)> {
    let mut devices: Vec<(String, String)> = Vec::new();
    for cell in cells {
        let description = match &cell.task {
            Task::Adapter(_, adapter) => adapter.description(),
            Task::Cuda(_, leg) => leg.description(),
            Task::Oracle(_) | Task::Simulator(..) | Task::PtxSimulator(_) | Task::Refused(_) => None,
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

/// The selected cells, in the order of the suite. Opens no device.
///
/// # Errors
/// As [`run`].
pub fn cells(options: &MatrixOptions) -> Result<Vec<Cell>, CheckError> {
    let (cases, refused) = case_file::suite()?;
    let adapters: Vec<Arc<Adapter>> = Adapter::all().into_iter().map(Arc::new).collect();
    let cuda_legs: Vec<Arc<CudaLeg>> = CudaLeg::all().into_iter().map(Arc::new).collect();
    let mut cells: Vec<Cell> = Vec::new();
    for case in cases.into_iter().map(Arc::new) {
        cells.extend(tasks(&case, &adapters, &cuda_legs).map(|(leg, task)| {
            let name = format!("{}/{}/{}/{}{}", case.kernel, case.variant, case.shape, case.arithmetic, seed(&case));
            Cell { name: format!("{name}/{leg}"), leg, task, require: options.require }
        }));
    }
    cells.extend(refused.into_iter().map(|case| {
        let (name, leg) = (format!("{}/refused/{}", case.kernel, case.shape), "dispatcher".to_owned());
        Cell { name, leg, task: Task::Refused(Arc::new(case)), require: Requirements::default() }
    }));
    cells.retain(|cell| cell.selected(options));
    if let Some(Partition { index, count }) = options.partition {
        let mut position = 0;
        cells.retain(|_| {
            position += 1;
            (position - 1) % count == index - 1
        });
    }
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

    /// Runs the cell.
    pub fn run(&self) -> CellReport {
        let started = Instant::now();
        let result = match &self.task {
            Task::Oracle(case) => cell::oracle(case),
            Task::Simulator(case, subgroup_size) => cell::simulator(case, *subgroup_size),
            Task::PtxSimulator(_) if self.require.nvrtc && unavailable().is_some() => {
                let reason = unavailable().map(ToString::to_string).unwrap_or_default();
                CellResult::Disagreed(format!("a CUDA compiler is required: {reason}"))
            }
            Task::PtxSimulator(case) => cell::ptx_simulator(case),
            Task::Adapter(_, adapter) if self.require.adapter && adapter.unusable().is_some() => {
                CellResult::Disagreed(format!("an adapter is required: {}", adapter.unusable().unwrap_or_default()))
            }
            Task::Adapter(case, adapter) => cell::adapter(case, adapter),
            Task::Cuda(_, leg) if self.require.cuda && leg.unusable().is_some() => {
                CellResult::Disagreed(format!("a CUDA device is required: {}", leg.unusable().unwrap_or_default()))
            }
            Task::Cuda(case, leg) => leg.run(case),
            Task::Refused(case) => cell::refused(case),
        };
        CellReport { name: self.name.clone(), leg: self.leg.clone(), result, elapsed: started.elapsed() }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slice:{}/{}", self.index, self.count)
    }
}

impl FromStr for Partition {
    type Err = CheckError;

    /// `slice:1/4`, as nextest writes it.
    fn from_str(text: &str) -> Result<Self, CheckError> {
        let numbers = text.strip_prefix("slice:").and_then(|rest| rest.split_once('/'));
        let parsed =
            numbers.and_then(|(index, count)| Some(Self { index: index.parse().ok()?, count: count.parse().ok()? }));
        parsed.filter(|part| part.index >= 1 && part.index <= part.count).ok_or_else(|| CheckError::Option {
            name: "partition",
            value: text.to_owned(),
            limit: "expected slice:INDEX/COUNT with INDEX from 1 to COUNT",
        })
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
    fn slices_share_the_cells_out() {
        let all = cells(&MatrixOptions::default()).unwrap().len();
        let share = |index| {
            let partition = Some(Partition { index, count: 4 });
            cells(&MatrixOptions { partition, ..MatrixOptions::default() }).unwrap().len()
        };
        assert_eq!((1..=4).map(share).sum::<usize>(), all);
    }

    #[test]
    fn partitions_are_read_or_refused() {
        assert_eq!("slice:2/4".parse(), Ok(Partition { index: 2, count: 4 }));
        for wrong in ["2/4", "slice:0/4", "slice:5/4", "slice:1", "slice:a/b", "slice:1/0"] {
            assert!(wrong.parse::<Partition>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_selection_is_an_error_of_its_own() {
        let options = MatrixOptions { legs: vec!["metal".to_owned()], ..MatrixOptions::default() };
        let error = cells(&options).map(|cells| cells.len()).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.exit_code()), ("nothing is selected by leg `metal`", 4));
    }
}
