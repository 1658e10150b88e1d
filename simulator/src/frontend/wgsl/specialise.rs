//! Choosing the entry point and giving every override its value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gridproof_launch::{Constant, Dispatch};
use naga::back::PipelineConstants;
use naga::back::pipeline_constants::{PipelineConstantError, process_overrides};
use naga::valid::ModuleInfo;

use super::locate::Source;
use super::parse::{invalid, lower_case};
use crate::outcome::SimulateError;

/// A module without overrides, with the position of the entry point in it.
pub(super) struct Specialised<'m> {
    /// The module.
    pub(super) module: Cow<'m, naga::Module>,
    /// What the validator found out about it.
    pub(super) info: Cow<'m, ModuleInfo>,
    /// Index into the module's entry points.
    pub(super) entry: usize,
}

/// Resolves the overrides of `module` for one dispatch.
pub(super) fn specialise<'m>(
    module: &'m naga::Module,
    info: &'m ModuleInfo,
    dispatch: &Dispatch,
    source: &Source,
) -> Result<Specialised<'m>, SimulateError> {
    let entry = find_entry(module, &dispatch.entry, source)?;
    let constants = pipeline_constants(module, &dispatch.constants, source)?;
    let point = module.entry_points.get(entry).map(|point| (point.stage, point.name.as_str()));
    let (module, info) = process_overrides(module, info, point, &constants).map_err(|error| refuse(&error, source))?;
    let entry = find_entry(&module, &dispatch.entry, source)?;
    Ok(Specialised { module, info, entry })
}

fn find_entry(module: &naga::Module, name: &str, source: &Source) -> Result<usize, SimulateError> {
    let found = module.entry_points.iter().position(|point| point.name == name);
    let compute = |point: &&naga::EntryPoint| point.stage == naga::ShaderStage::Compute;
    match found.and_then(|index| module.entry_points.get(index).map(|point| (index, point))) {
        Some((index, point)) if compute(&point) => Ok(index),
        Some((_, point)) => {
            let construct = format!("{:?} stage of entry point `{name}`", point.stage).to_lowercase();
            Err(source.unsupported(naga::Span::UNDEFINED, construct))
        }
        None => {
            let present: Vec<_> = module.entry_points.iter().map(|point| format!("`{}`", point.name)).collect();
            let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
            Err(source.error(naga::Span::UNDEFINED, format!("no entry point `{name}`: the module has {present}")))
        }
    }
}

/// naga takes an override with an `@id` by its number only; here its name will do as well.
fn pipeline_constants(
    module: &naga::Module,
    given: &BTreeMap<String, Constant>,
    source: &Source,
) -> Result<PipelineConstants, SimulateError> {
    let mut constants = PipelineConstants::default();
    for (key, value) in given {
        let number = key.trim_start_matches('@').parse::<u16>().ok();
        let found =
            module.overrides.iter().map(|(_, declared)| declared).find(|declared| {
                declared.name.as_deref() == Some(key) || (declared.id.is_some() && declared.id == number)
            });
        let Some(declared) = found else {
            let names: Vec<_> = module.overrides.iter().filter_map(|(_, declared)| declared.name.clone()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message = format!("no override `{key}`: the module has {names}");
            return Err(source.error(naga::Span::UNDEFINED, message));
        };
        let key = declared.id.map(|id| id.to_string()).or_else(|| declared.name.clone()).unwrap_or_default();
        if constants.insert(key.clone(), value.as_f64()).is_some() {
            return Err(source.error(naga::Span::UNDEFINED, format!("override `{key}` is given twice")));
        }
    }
    Ok(constants)
}

fn refuse(error: &PipelineConstantError, source: &Source) -> SimulateError {
    match error {
        PipelineConstantError::ValidationError(error) => invalid(error, source),
        PipelineConstantError::MissingValue(name) => {
            source.error(naga::Span::UNDEFINED, format!("override `{name}` has no default and is not given"))
        }
        other => source.error(naga::Span::UNDEFINED, lower_case(&other.to_string())),
    }
}
