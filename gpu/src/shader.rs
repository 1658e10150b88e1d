//! A launch's module as naga IR: parsed, validated for the device, its entry point and constants resolved.
//!
//! Both modes start from this IR. WGSL, SPIR-V and GLSL come in; PTX and CUDA are for other devices.

use std::borrow::Cow;

use gridproof_launch::{Constant, Dispatch, Module, Source};
use naga::back::PipelineConstants;
use naga::back::pipeline_constants::process_overrides;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

use crate::limits::check_unedited;
use crate::{InvalidModule, RunError};

/// A parsed and valid module.
pub(crate) struct Shader {
    /// The name that messages print.
    pub(crate) name: String,
    pub(crate) module: naga::Module,
    pub(crate) info: ModuleInfo,
}

impl Shader {
    pub(crate) fn new(source: &Module, capabilities: Capabilities) -> Result<Self, RunError> {
        check_unedited(source)?;
        let module = parse(source, capabilities)?;
        let info = validate(source, &module, capabilities)?;
        Ok(Self { name: source.name.clone(), module, info })
    }

    /// The position of a compute entry point among the module's entry points.
    pub(crate) fn entry(&self, position: usize, dispatch: &Dispatch) -> Result<usize, RunError> {
        let compute = |entry: &naga::EntryPoint| entry.stage == naga::ShaderStage::Compute;
        let entries = &self.module.entry_points;
        entries.iter().position(|entry| compute(entry) && entry.name == dispatch.entry).ok_or_else(|| {
            RunError::UnknownEntry {
                dispatch: position,
                module: self.name.clone(),
                entry: dispatch.entry.clone(),
                available: entries.iter().filter(|entry| compute(entry)).map(|entry| entry.name.clone()).collect(),
            }
        })
    }

    /// The dispatch's constants under the keys that naga and wgpu ask for: an override's `@id` where it
    /// has one, else its name.
    pub(crate) fn constants(&self, position: usize, dispatch: &Dispatch) -> Result<Vec<(String, f64)>, RunError> {
        dispatch.constants.iter().map(|(key, &value)| self.constant(position, key, value)).collect()
    }

    fn constant(&self, dispatch: usize, key: &str, value: Constant) -> Result<(String, f64), RunError> {
        let refuse = |problem| RunError::Constants { dispatch, module: self.name.clone(), problem };
        let mut overrides = self.module.overrides.iter().map(|(_, declared)| declared);
        let Some(declared) = overrides.find(|declared| {
            declared.name.as_deref() == Some(key) || declared.id.is_some_and(|id| key.parse() == Ok(id))
        }) else {
            return Err(refuse(format!("no override is called `{key}`")));
        };
        if let Constant::Int(exact) = value
            && exact.unsigned_abs() > 1 << f64::MANTISSA_DIGITS
        {
            return Err(refuse(format!("`{key}` = {exact} does not fit: overrides are passed as 64-bit floats")));
        }
        let key = declared.id.map_or_else(|| key.to_owned(), |id| id.to_string());
        Ok((key, value.as_f64()))
    }

    /// The module with every override replaced by its value.
    pub(crate) fn resolve(
        &self,
        position: usize,
        dispatch: &Dispatch,
        constants: &[(String, f64)],
    ) -> Result<(Cow<'_, naga::Module>, Cow<'_, ModuleInfo>), RunError> {
        let constants: PipelineConstants = constants.iter().cloned().collect();
        let entry = Some((naga::ShaderStage::Compute, dispatch.entry.as_str()));
        process_overrides(&self.module, &self.info, entry, &constants).map_err(|error| RunError::Constants {
            dispatch: position,
            module: self.name.clone(),
            problem: error.to_string(),
        })
    }
}

fn parse(source: &Module, capabilities: Capabilities) -> Result<naga::Module, RunError> {
    match &source.source {
        Source::Wgsl(text) => parse_wgsl(source, text, capabilities),
        Source::SpirV(words) => {
            let options = naga::front::spv::Options { adjust_coordinate_space: false, ..Default::default() };
            let frontend = naga::front::spv::Frontend::new(words.iter().copied(), &options);
            frontend.parse().map_err(|error| invalid(source, None, error.to_string(), None))
        }
        Source::Glsl(text) => parse_glsl(source, text),
        Source::Ptx(_) | Source::Cuda(_) => Err(RunError::Unsupported(format!(
            "`{}` is {}, which a wgpu device cannot run",
            source.name,
            source.source.language()
        ))),
    }
}

fn parse_wgsl(source: &Module, text: &str, capabilities: Capabilities) -> Result<naga::Module, RunError> {
    let mut options = naga::front::wgsl::Options::new();
    options.capabilities = capabilities;
    naga::front::wgsl::Frontend::new_with_options(options).parse(text).map_err(|error| {
        let rendered = error.emit_to_string_with_path(text, &source.name);
        invalid(source, error.location(text), error.message().to_owned(), Some(rendered))
    })
}

fn parse_glsl(source: &Module, text: &str) -> Result<naga::Module, RunError> {
    let options = naga::front::glsl::Options::from(naga::ShaderStage::Compute);
    naga::front::glsl::Frontend::default().parse(&options, text).map_err(|errors| {
        let first = errors.errors.first();
        let message = first.map_or_else(|| errors.to_string(), |error| error.kind.to_string());
        invalid(source, first.and_then(|error| error.location(text)), message, None)
    })
}

fn validate(source: &Module, module: &naga::Module, capabilities: Capabilities) -> Result<ModuleInfo, RunError> {
    Validator::new(ValidationFlags::all(), capabilities).validate(module).map_err(|error| {
        let text = source.text().unwrap_or_default();
        let rendered = source.text().map(|text| error.emit_to_string_with_path(text, &source.name));
        invalid(source, error.location(text), chain(error.as_inner()), rendered)
    })
}

/// An error and everything that caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    message
}

fn invalid(source: &Module, at: Option<naga::SourceLocation>, message: String, rendered: Option<String>) -> RunError {
    let at = at.map(|at| (at.line_number, at.line_position));
    RunError::Module(Box::new(InvalidModule { module: source.name.clone(), at, message, rendered }))
}

#[cfg(test)]
mod tests {
    use gridproof_launch::{Change, Construct, Edit, Site};

    use super::*;
    use crate::InvalidModule;

    fn wgsl(text: &str) -> Result<Shader, RunError> {
        Shader::new(&Module::new("kernel.wgsl", Source::Wgsl(text.into())), Capabilities::empty())
    }

    fn place(result: Result<Shader, RunError>) -> Option<(u32, u32)> {
        match result {
            Err(RunError::Module(error)) => {
                let InvalidModule { at, rendered, .. } = *error;
                assert!(rendered.is_some_and(|text| text.contains("kernel.wgsl")));
                at
            }
            _ => None,
        }
    }

    #[test]
    fn errors_of_syntax_and_of_type_name_their_line() {
        assert_eq!(place(wgsl("@compute @workgroup_size(1)\nfn main() { let x = ; }")), Some((2, 21)));
        assert_eq!(place(wgsl("@compute @workgroup_size(1)\nfn main() {\n  var x: u32 = 1.5f;\n}")), Some((3, 7)));
    }

    #[test]
    fn edited_modules_are_refused() {
        let mut module = Module::new("kernel.wgsl", Source::Wgsl("@compute @workgroup_size(1) fn main() {}".into()));
        assert!(Shader::new(&module, Capabilities::empty()).is_ok());
        let site = Site { file: "kernel.wgsl".to_owned(), line: 1, column: 1, construct: Construct::Barrier };
        module.edits.push(Edit { site, change: Change::Remove });
        let message = Shader::new(&module, Capabilities::empty()).err().map(|error| error.to_string());
        let expected = "unsupported: `kernel.wgsl` is edited at barrier@kernel.wgsl:1:1, which no device can run";
        assert_eq!(message.as_deref(), Some(expected));
    }

    #[test]
    fn constants_are_found_by_name_and_by_number() -> Result<(), RunError> {
        let shader = wgsl("override A: u32; @id(7) override B: f32; @compute @workgroup_size(1) fn main() {}")?;
        let mut dispatch = Dispatch::new(gridproof_launch::ModuleId(0), "main", [1, 1, 1]);
        dispatch.constants.insert("A".into(), Constant::Int(3));
        dispatch.constants.insert("B".into(), Constant::Float(0.5));
        assert_eq!(shader.constants(0, &dispatch)?, [("A".to_owned(), 3.0), ("7".to_owned(), 0.5)]);
        dispatch.constants.insert("C".into(), Constant::Bool(true));
        assert!(matches!(shader.constants(0, &dispatch), Err(RunError::Constants { .. })));
        Ok(())
    }
}
