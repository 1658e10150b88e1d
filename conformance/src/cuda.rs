//! CUDA C++ modules of a launch become PTX modules, which is what the simulator and a driver run.
//!
//! Constants of a dispatch are macros, so a module is compiled once for every distinct set of them, and PTX knows no
//! constants any more. Every PTX module carries the texts that its line information names: the kernel's own, the
//! headers that came with it, and those that the compiler found on disk.
//!
//! The compiler is loaded once, when the first launch wants it, and a program that was compiled before is not compiled
//! again. The folder `nvrtc` in the build folder of this program is looked at after all other places, because
//! `.ci/nvrtc` installs into `target/nvrtc`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use gridproof_gpu::nvrtc::{ARCHITECTURE, Cubin, Nvrtc, NvrtcError, Places, Program, Ptx};
use gridproof_launch::{Constant, Dispatch, Launch, Module, ModuleId, Source};

/// Longest header that is quoted in reports, in bytes.
const LONGEST_HEADER: u64 = 4 << 20;

static NVRTC: LazyLock<Result<Nvrtc, NvrtcError>> = LazyLock::new(|| {
    let places = build_folder().into_iter().fold(Places::from_environment(), Places::with_folder);
    Nvrtc::find(&places)
});

/// What programs were compiled to. Whoever is first compiles, others wait for that program alone.
static COMPILED: Mutex<BTreeMap<Program, Compilation>> = Mutex::new(BTreeMap::new());

type Compilation = Arc<OnceLock<Result<Ptx, NvrtcError>>>;

/// Macros with their values, as C++ writes them.
type Macros = Vec<(String, String)>;

/// Why CUDA C++ cannot be compiled on this machine, when it cannot.
pub fn unavailable() -> Option<&'static NvrtcError> {
    NVRTC.as_ref().err()
}

/// The compiler of this machine.
///
/// # Errors
/// Why there is none.
pub fn compiler() -> Result<&'static Nvrtc, &'static NvrtcError> {
    NVRTC.as_ref()
}

/// A launch of PTX, and what else its modules were compiled to.
#[derive(Clone, Debug)]
pub struct Built<'a> {
    /// The launch with PTX in the place of CUDA C++.
    pub launch: Cow<'a, Launch>,
    /// At each module's position the machine code that was made of its PTX; none for modules that were PTX before, and for
    /// virtual architectures.
    pub machine_code: Vec<Option<Cubin>>,
}

/// The launch with PTX in the place of CUDA C++.
///
/// # Errors
/// When there is no compiler, or a module does not compile. Never for a launch without CUDA C++.
pub fn compiled(launch: &Launch) -> Result<Cow<'_, Launch>, NvrtcError> {
    built(launch, ARCHITECTURE).map(|built| built.launch)
}

/// The same for another architecture than the usual one; with machine code where it is a real one, as `sm_90`.
///
/// # Errors
/// As [`compiled`].
pub fn built<'a>(launch: &'a Launch, architecture: &str) -> Result<Built<'a>, NvrtcError> {
    if !launch.modules.iter().any(|module| matches!(module.source, Source::Cuda(_))) {
        return Ok(Built { launch: Cow::Borrowed(launch), machine_code: vec![None; launch.modules.len()] });
    }
    let mut compiled = Launch { modules: Vec::new(), dispatches: Vec::new(), buffers: launch.buffers.clone() };
    let mut machine_code = Vec::new();
    let mut known: BTreeMap<(ModuleId, Macros), ModuleId> = BTreeMap::new();
    for dispatch in &launch.dispatches {
        let module = &launch.modules[dispatch.module.0];
        let cuda = matches!(module.source, Source::Cuda(_));
        let key = (dispatch.module, if cuda { macros(dispatch) } else { Macros::new() });
        let id = match known.get(&key) {
            Some(id) => *id,
            None => {
                let (module, cubin) = ptx_module(module, &key.1, architecture)?;
                let id = compiled.add_module(module);
                machine_code.push(cubin);
                known.insert(key, id);
                id
            }
        };
        let mut dispatch = Dispatch { module: id, ..dispatch.clone() };
        if cuda {
            dispatch.constants.clear();
        }
        compiled.dispatches.push(dispatch);
    }
    Ok(Built { launch: Cow::Owned(compiled), machine_code })
}

/// The module as it is, or compiled with these macros.
fn ptx_module(
    module: &Module,
    macros: &[(String, String)],
    architecture: &str,
) -> Result<(Module, Option<Cubin>), NvrtcError> {
    let Source::Cuda(text) = &module.source else { return Ok((module.clone(), None)) };
    let folder = Path::new(&module.name).parent().filter(|folder| !folder.as_os_str().is_empty());
    let ptx = ptx(Program {
        headers: module.files.clone(),
        include_folders: folder.map(Path::to_owned).into_iter().collect(),
        macros: macros.to_vec(),
        architecture: architecture.to_owned(),
        ..Program::new(&*module.name, text.clone())
    })?;
    let named = Module::new(format!("{} (PTX)", module.name), Source::Ptx(ptx.text.as_str().into()));
    let own = |name: &str| match name == module.name {
        true => Some(text.clone()),
        false => module.files.iter().find(|(other, _)| other == name).map(|(_, text)| text.clone()),
    };
    let files = file_names(&ptx.text).filter_map(|name| Some((name, own(name).or_else(|| header(name))?)));
    let ptx_module = files.fold(named, |module, (name, text)| module.with_file(name, text));
    Ok((Module { edits: module.edits.clone(), ..ptx_module }, ptx.cubin))
}

fn ptx(program: Program) -> Result<Ptx, NvrtcError> {
    let nvrtc = NVRTC.as_ref().map_err(Clone::clone)?;
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let cell = compiled.entry(program.clone()).or_default().clone();
    drop(compiled);
    cell.get_or_init(|| nvrtc.compile(&program)).clone()
}

fn macros(dispatch: &Dispatch) -> Macros {
    dispatch.constants.iter().map(|(name, value)| (name.clone(), literal(*value))).collect()
}

fn literal(value: Constant) -> String {
    match value {
        Constant::Bool(value) => u8::from(value).to_string(),
        Constant::Int(i64::MIN) => format!("({}-1)", i64::MIN + 1),
        Constant::Int(value) if value < 0 => format!("({value})"),
        Constant::Int(value) => value.to_string(),
        Constant::Float(value) if value.is_nan() => "(0.0/0.0)".to_owned(),
        Constant::Float(value) if value.is_infinite() => format!("({:?}/0.0)", value.signum()),
        Constant::Float(value) if value.is_sign_negative() => format!("({value:?})"),
        Constant::Float(value) => format!("{value:?}"),
    }
}

/// The names in the `.file` lines of PTX.
fn file_names(ptx: &str) -> impl Iterator<Item = &str> {
    let lines = ptx.lines().filter_map(|line| line.trim_start().strip_prefix(".file"));
    lines.filter_map(|rest| rest.split('"').nth(1))
}

/// A header that the compiler found on disk; `None` when it cannot be quoted.
fn header(path: &str) -> Option<Arc<str>> {
    let data = std::fs::metadata(path).ok()?;
    let text = (data.is_file() && data.len() <= LONGEST_HEADER).then(|| std::fs::read_to_string(path));
    Some(text?.ok()?.into())
}

/// `nvrtc` in the build folder that this program lies in, when it lies in one.
fn build_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let target = program.ancestors().find(|folder| folder.ends_with("target"))?;
    Some(target.join("nvrtc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_written_so_that_they_mean_the_same_anywhere() {
        let texts = [
            (Constant::Bool(true), "1"),
            (Constant::Int(-5), "(-5)"),
            (Constant::Int(i64::MIN), "(-9223372036854775807-1)"),
            (Constant::Float(1e-6), "1e-6"),
            (Constant::Float(-0.5), "(-0.5)"),
            (Constant::Float(2.0), "2.0"),
            (Constant::Float(f64::NEG_INFINITY), "(-1.0/0.0)"),
        ];
        for (constant, text) in texts {
            assert_eq!(literal(constant), text);
        }
    }

    #[test]
    fn a_launch_without_cuda_needs_no_compiler() {
        let mut launch = Launch::default();
        launch.add_module(Module::new("a.ptx", Source::Ptx("".into())));
        assert!(matches!(compiled(&launch), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn file_lines_are_read() {
        let ptx = "\t.file\t1 \"a b.cu\"\n// .file 2 \"c\"\n.file 3 \"/d.h\", 1, 2\n";
        assert_eq!(file_names(ptx).collect::<Vec<_>>(), ["a b.cu", "/d.h"]);
    }
}
