//! Launch files: a TOML table beside a kernel, read into a [`Launch`]. The format is documented in
//! `LAUNCH.md` at the root of this crate.
//!
//! A launch file is input from a stranger: every number in it is compared with a limit before anything
//! is allocated for it, and everything that is refused is refused with file, line, column, the value and
//! the limit. What cannot be known without reading the kernel (does the variable exist, is the buffer long
//! enough for its type) is left to the simulator, which knows the kernel.

mod buffer;
mod dispatch;
mod elements;
mod error;
mod format;
mod kernel;
mod layout;
mod number;
mod tensor_file;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gridproof_launch::{BufferId, Launch, LaunchError, ModuleId, Value};
use toml::Spanned;

pub use error::{LaunchFileError, Problem};

use crate::input;
use buffer::Memory;
use dispatch::{DispatchReader, in_file_order};
use elements::Source;
use error::{Text, whole_file};
use format::{BufferTable, DispatchTable, LaunchTable};
use number::Number;

/// Largest launch file in bytes.
const LONGEST: u64 = 16 << 20;

/// What reading a launch may cost, and what its file may leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of buffer contents that may be held in memory. Untouched bytes of virtual buffers are free.
    pub memory: u64,
    /// Seed of `random` initialisers that name none.
    pub seed: u64,
}

/// A launch file, read.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchFile {
    /// The launch, valid as far as it can be known without reading its modules.
    pub launch: Launch,
    /// Slots the author wants racy launches to be tried with.
    pub slots: Option<u32>,
}

/// Reads a launch file. `module` is the kernel for every dispatch that names none; it is needed when the
/// file names none.
///
/// # Errors
/// The first thing wrong, with its place.
pub fn read(module: Option<&Path>, launch: &Path, limits: &Limits) -> Result<LaunchFile, LaunchFileError> {
    let name = launch.display().to_string();
    let source = read_text(launch, &name)?;
    let text = Text { file: &name, source: &source };
    let table: LaunchTable = toml::from_str(&source).map_err(|error| {
        let message = error.message().replace('\n', " ");
        text.error(error.span().unwrap_or(0..0), Problem::Format { message })
    })?;
    let folder = launch.parent().unwrap_or(Path::new(""));
    let mut builder = Builder { text, folder, given: module, launch: Launch::default(), modules: BTreeMap::new() };
    builder.buffers(&table, limits)?;
    builder.dispatches(&table)?;
    let slots = table.slots.as_ref().map(|slots| builder.slots(slots)).transpose()?;
    builder.launch.validate().map_err(|error| builder.text.error(0..0, error))?;
    Ok(LaunchFile { launch: builder.launch, slots })
}

fn read_text(path: &Path, name: &str) -> Result<String, LaunchFileError> {
    let unreadable = |error: std::io::Error| {
        whole_file(name, Problem::Unreadable { path: name.to_owned(), reason: error.to_string() })
    };
    input::text(path, LONGEST).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            whole_file(name, Problem::Format { message: error.to_string() })
        }
        _ => unreadable(error),
    })
}

struct Builder<'a> {
    text: Text<'a>,
    folder: &'a Path,
    given: Option<&'a Path>,
    launch: Launch,
    modules: BTreeMap<PathBuf, ModuleId>,
}

impl Builder<'_> {
    fn buffers(&mut self, table: &LaunchTable, limits: &Limits) -> Result<(), LaunchFileError> {
        let source = Source { text: &self.text, folder: self.folder, seed: limits.seed };
        let mut memory = Memory { held: 0, limit: limits.memory };
        for (name, buffer) in in_file_order(&table.buffers) {
            self.launch.buffers.push(buffer::read(&source, name, buffer, &mut memory)?);
        }
        Ok(())
    }

    fn dispatches(&mut self, table: &LaunchTable) -> Result<(), LaunchFileError> {
        let whole = whole_launch(table);
        let tables: Vec<(&DispatchTable, Range<usize>)> = match &table.dispatch {
            None => vec![(&whole, 0..0)],
            Some(list) => {
                self.refuse_single_keys(&whole)?;
                if list.get_ref().is_empty() {
                    let why = "a launch has at least one".to_owned();
                    return Err(self.text.error(list.span(), Problem::Missing { key: "dispatch", why }));
                }
                list.get_ref().iter().map(|one| (one.get_ref(), one.span())).collect()
            }
        };
        let buffers: Vec<_> = in_file_order(&table.buffers).collect();
        let (constants, scalars) = (&table.constants, &table.scalars);
        for (dispatch, place) in tables {
            let module = dispatch.module.as_ref().or(table.module.as_ref());
            let module = self.module(module, &place)?;
            let reader = DispatchReader {
                text: &self.text,
                launch: &self.launch,
                buffers: &buffers,
                shared: (constants, scalars),
            };
            let read = reader.read(dispatch, &place, module)?;
            self.unique_targets(&read, &place)?;
            self.launch.dispatches.push(read);
        }
        self.refuse_unbound(&buffers)?;
        self.refuse_unused_module(table)
    }

    /// The keys of a single dispatch, which `[[dispatch]]` tables replace.
    fn refuse_single_keys(&self, whole: &DispatchTable) -> Result<(), LaunchFileError> {
        let given = [
            ("entry", whole.entry.as_ref().map(Spanned::span)),
            ("grid", whole.grid.as_ref().map(Spanned::span)),
            ("workgroup", whole.workgroup.as_ref().map(Spanned::span)),
            ("dynamic_workgroup_bytes", whole.dynamic_workgroup_bytes.as_ref().map(Spanned::span)),
            ("bind", whole.bind.as_ref().map(Spanned::span)),
            ("parameters", whole.parameters.as_ref().map(Spanned::span)),
        ];
        match given.into_iter().find_map(|(key, span)| Some((key, span?))) {
            None => Ok(()),
            Some((key, span)) => {
                let why = "with `[[dispatch]]` tables it belongs into each of them".to_owned();
                Err(self.text.error(span, Problem::Conflict { key: key.to_owned(), why }))
            }
        }
    }

    /// The module of a dispatch: what the file names, or else what the caller gave.
    fn module(&mut self, named: Option<&Spanned<String>>, place: &Range<usize>) -> Result<ModuleId, LaunchFileError> {
        let (path, place) = match (named, self.given) {
            (Some(named), given) => {
                let path = self.folder.join(named.get_ref());
                let same = given.filter(|given| identity(given) == identity(&path));
                (same.map_or(path, Path::to_owned), Some(named.span()))
            }
            (None, Some(given)) => (given.to_owned(), None),
            (None, None) => {
                let why = "no kernel was given besides the launch file".to_owned();
                return Err(self.text.error(place.clone(), Problem::Missing { key: "module", why }));
            }
        };
        if let Some(&id) = self.modules.get(&identity(&path)) {
            return Ok(id);
        }
        let module = kernel::read(&path).map_err(|problem| match place {
            Some(place) => self.text.error(place, problem),
            None => whole_file(&path.display().to_string(), problem),
        })?;
        let id = self.launch.add_module(module);
        self.modules.insert(identity(&path), id);
        Ok(id)
    }

    /// A kernel on the command line that the file overrides everywhere would silently not be checked.
    fn refuse_unused_module(&self, table: &LaunchTable) -> Result<(), LaunchFileError> {
        let Some(given) = self.given.filter(|given| !self.modules.contains_key(&identity(given))) else {
            return Ok(());
        };
        let place = table.module.as_ref().map_or(0..0, Spanned::span);
        let why = format!("`{}` was given to be checked, and the launch file names another kernel", given.display());
        Err(self.text.error(place, Problem::Conflict { key: "module".to_owned(), why }))
    }

    fn slots(&self, slots: &Spanned<Number>) -> Result<u32, LaunchFileError> {
        let value = slots.get_ref().natural().and_then(|slots| u32::try_from(slots).ok()).filter(|slots| *slots > 0);
        value.ok_or_else(|| self.text.value(slots.span(), "slots", slots.get_ref(), "an integer from 1 to 4294967295"))
    }

    fn unique_targets(
        &self,
        dispatch: &gridproof_launch::Dispatch,
        place: &Range<usize>,
    ) -> Result<(), LaunchFileError> {
        let mut seen = BTreeSet::new();
        match dispatch.arguments.iter().find(|argument| !seen.insert(&argument.target)) {
            None => Ok(()),
            Some(twice) => {
                let argument = twice.target.to_string();
                let dispatch = self.launch.dispatches.len();
                Err(self.text.error(place.clone(), LaunchError::DuplicateArgument { dispatch, argument }))
            }
        }
    }

    /// A buffer that no dispatch sees is a slip of the pen.
    fn refuse_unbound(&self, buffers: &[(&Spanned<String>, &Spanned<BufferTable>)]) -> Result<(), LaunchFileError> {
        let arguments = self.launch.dispatches.iter().flat_map(|dispatch| &dispatch.arguments);
        let bound: BTreeSet<BufferId> = arguments
            .filter_map(|argument| match argument.value {
                Value::Buffer { buffer, .. } => Some(buffer),
                Value::Scalar(_) => None,
            })
            .collect();
        match buffers.iter().enumerate().find(|(position, _)| !bound.contains(&BufferId(*position))) {
            None => Ok(()),
            Some((_, (name, _))) => {
                let why = format!("no `bind` and no `parameters` names the buffer `{}`", name.get_ref());
                Err(self.text.error(name.span(), Problem::Conflict { key: name.get_ref().clone(), why }))
            }
        }
    }
}

/// What makes two paths the same file.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The keys of a launch with one dispatch, as that dispatch.
fn whole_launch(table: &LaunchTable) -> DispatchTable {
    DispatchTable {
        entry: table.entry.clone(),
        grid: table.grid.clone(),
        workgroup: table.workgroup.clone(),
        dynamic_workgroup_bytes: table.dynamic_workgroup_bytes.clone(),
        bind: table.bind.clone(),
        parameters: table.parameters.clone(),
        ..DispatchTable::default()
    }
}
