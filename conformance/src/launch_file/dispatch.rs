//! Dispatch tables to [`Dispatch`]: grid, sizes, bindings, scalars, constants.

use std::collections::BTreeMap;
use std::ops::Range;

use gridproof_launch::{Argument, BufferId, ByteRange, Constant, DType, Dispatch, Launch, ModuleId, Target, Value};
use toml::Spanned;

use super::error::{LaunchFileError, Problem, Text};
use super::format::{
    BindValue, BufferTable, DispatchTable, FieldTable, Named, OneOrMany, ParameterTable, ParameterValue, Parameters,
    ScalarTable,
};
use super::layout::{naturals, pair, printed};
use super::number::{Number, Packed};

/// Bytes a scalar or uniform block may have.
const LONGEST_SCALAR: u64 = 64 << 10;

/// What reading a dispatch needs to know.
pub(super) struct DispatchReader<'a> {
    pub text: &'a Text<'a>,
    /// The launch so far: its buffers and modules are there already.
    pub launch: &'a Launch,
    /// The buffers' tables, in the order of the launch's buffers.
    pub buffers: &'a [(&'a Spanned<String>, &'a Spanned<BufferTable>)],
    /// Constants and scalars of the whole launch.
    pub shared: (&'a Named<Number>, &'a Named<ScalarTable>),
}

impl DispatchReader<'_> {
    /// Reads one dispatch. `place` is the table, or the whole file.
    pub fn read(
        &self,
        table: &DispatchTable,
        place: &Range<usize>,
        module: ModuleId,
    ) -> Result<Dispatch, LaunchFileError> {
        let entry = table.entry.as_ref().map_or("main", |entry| entry.get_ref().as_str());
        let grid = table.grid.as_ref().ok_or_else(|| {
            let why = "it is the number of workgroups in x, y, z".to_owned();
            self.text.error(place.clone(), Problem::Missing { key: "grid", why })
        })?;
        let mut dispatch = Dispatch::new(module, entry, self.size("grid", grid, 0)?);
        dispatch.workgroup = self.workgroup(table, module, place)?;
        dispatch.dynamic_workgroup_bytes = self.dynamic_bytes(table)?;
        for constants in [self.shared.0, &table.constants] {
            dispatch.constants.extend(self.constants(constants)?);
        }
        let mut scalars: BTreeMap<&Spanned<String>, &Spanned<ScalarTable>> = self.shared.1.iter().collect();
        scalars.extend(&table.scalars);
        if let Some(parameters) = &table.parameters {
            self.refuse_parameters(table, parameters, module)?;
            dispatch.arguments = self.listed(parameters.get_ref(), &scalars)?;
            return Ok(dispatch);
        }
        dispatch.arguments = match &table.bind {
            Some(bind) => self.bound(bind.get_ref())?,
            None => self.bound_by_name()?,
        };
        for (name, scalar) in in_file_order(scalars) {
            dispatch.arguments.push(self.scalar(name, scalar)?);
        }
        Ok(dispatch)
    }

    /// A list of parameters replaces every other way to say where arguments go, and needs a kernel that has some.
    fn refuse_parameters(
        &self,
        table: &DispatchTable,
        parameters: &Spanned<Parameters>,
        module: ModuleId,
    ) -> Result<(), LaunchFileError> {
        use gridproof_launch::Source::{Cuda, Ptx};
        let source = &self.launch.modules[module.0].source;
        let why = match (source, &table.bind) {
            (Ptx(_) | Cuda(_), None) => return Ok(()),
            (Ptx(_) | Cuda(_), Some(_)) => "`bind` says already what is bound".to_owned(),
            _ => format!("the variables of a {} module have names and bindings, but no order", source.language()),
        };
        Err(self.text.error(parameters.span(), Problem::Conflict { key: "parameters".to_owned(), why }))
    }

    fn listed(
        &self,
        parameters: &Parameters,
        scalars: &BTreeMap<&Spanned<String>, &Spanned<ScalarTable>>,
    ) -> Result<Vec<Argument>, LaunchFileError> {
        let argument = |(position, parameter): (u32, &Spanned<ParameterValue>)| {
            let value = match parameter.get_ref() {
                ParameterValue::Name(name) => self.named_parameter(name, parameter.span(), scalars)?,
                ParameterValue::Table(table) => self.parameter(table, parameter.span())?,
            };
            Ok(Argument { target: Target::Parameter(position), value })
        };
        (0..).zip(parameters).map(argument).collect()
    }

    fn named_parameter(
        &self,
        name: &str,
        place: Range<usize>,
        scalars: &BTreeMap<&Spanned<String>, &Spanned<ScalarTable>>,
    ) -> Result<Value, LaunchFileError> {
        let scalar = scalars.iter().find(|(key, _)| key.get_ref() == name);
        match (self.launch.buffer_named(name), scalar) {
            (Some((buffer, _)), None) => {
                let (_, table) = self.buffers[buffer.0];
                Ok(Value::Buffer { buffer, range: self.range(buffer, table.get_ref().range.as_ref())? })
            }
            (None, Some((_, scalar))) => self.scalar_bytes(name, scalar).map(Value::Scalar),
            (Some(_), Some(_)) => {
                let why =
                    format!("`{name}` is a buffer and a scalar: write {{ buffer = \"{name}\" }} or the scalar's value");
                Err(self.text.error(place, Problem::Conflict { key: "parameters".to_owned(), why }))
            }
            (None, None) => {
                let buffers = self.launch.buffers.iter().map(|buffer| buffer.name.as_str());
                let names: Vec<&str> = buffers.chain(scalars.keys().map(|key| key.get_ref().as_str())).collect();
                let limit = format!("the launch has {}", names.join(", "));
                Err(self.text.value(place, "parameters", format_args!("\"{name}\""), limit))
            }
        }
    }

    fn parameter(&self, table: &ParameterTable, place: Range<usize>) -> Result<Value, LaunchFileError> {
        let ParameterTable { buffer, range, dtype, value, fields } = table;
        match (buffer, dtype, value, fields) {
            (Some(name), None, None, None) => {
                let buffer = self.buffer(name.get_ref(), name.span(), "parameters")?;
                Ok(Value::Buffer { buffer, range: self.range(buffer, range.as_ref())? })
            }
            (None, Some(dtype), Some(value), None) if range.is_none() => {
                self.field(dtype, value).map(|(_, bytes)| Value::Scalar(bytes))
            }
            (None, None, None, Some(fields)) if range.is_none() => self.block(fields.get_ref()).map(Value::Scalar),
            _ => {
                let why =
                    "a parameter takes `buffer` and perhaps `range`, or `dtype` and `value`, or `fields`".to_owned();
                Err(self.text.error(place, Problem::Missing { key: "parameters", why }))
            }
        }
    }

    fn buffer(&self, name: &str, place: Range<usize>, key: &str) -> Result<BufferId, LaunchFileError> {
        let found = self.launch.buffer_named(name).map(|(id, _)| id);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.launch.buffers.iter().map(|buffer| buffer.name.as_str()).collect();
            let limit = format!("the launch has {}", names.join(", "));
            self.text.value(place, key, format_args!("\"{name}\""), limit)
        })
    }

    fn size(&self, key: &str, list: &Spanned<Vec<Number>>, least: u32) -> Result<[u32; 3], LaunchFileError> {
        let limit = format!("one to three integers from {least} to 4294967295");
        let refuse = || self.text.value(list.span(), key, printed(list.get_ref()), limit.clone());
        let mut size = [1; 3];
        if list.get_ref().is_empty() || list.get_ref().len() > size.len() {
            return Err(refuse());
        }
        for (extent, number) in size.iter_mut().zip(list.get_ref()) {
            let given = number.natural().and_then(|value| u32::try_from(value).ok());
            *extent = given.filter(|value| *value >= least).ok_or_else(refuse)?;
        }
        Ok(size)
    }

    fn workgroup(
        &self,
        table: &DispatchTable,
        module: ModuleId,
        place: &Range<usize>,
    ) -> Result<Option<[u32; 3]>, LaunchFileError> {
        use gridproof_launch::Source::{Cuda, Glsl, Ptx, SpirV, Wgsl};
        let source = &self.launch.modules[module.0].source;
        match (source, &table.workgroup) {
            (Wgsl(_) | SpirV(_) | Glsl(_), None) => Ok(None),
            (Wgsl(_) | SpirV(_) | Glsl(_), Some(size)) => {
                let why = format!("a {} module says its own workgroup size", source.language());
                Err(self.text.error(size.span(), Problem::Conflict { key: "workgroup".to_owned(), why }))
            }
            (Ptx(_) | Cuda(_), Some(size)) => self.size("workgroup", size, 1).map(Some),
            (Ptx(_) | Cuda(_), None) => {
                let why = format!("a {} module does not say its workgroup size", source.language());
                Err(self.text.error(place.clone(), Problem::Missing { key: "workgroup", why }))
            }
        }
    }

    fn dynamic_bytes(&self, table: &DispatchTable) -> Result<u32, LaunchFileError> {
        let Some(number) = &table.dynamic_workgroup_bytes else { return Ok(0) };
        self.natural("dynamic_workgroup_bytes", number)
    }

    fn natural(&self, key: &str, number: &Spanned<Number>) -> Result<u32, LaunchFileError> {
        let value = number.get_ref().natural().and_then(|value| u32::try_from(value).ok());
        value.ok_or_else(|| self.text.value(number.span(), key, number.get_ref(), "an integer from 0 to 4294967295"))
    }

    fn constants(&self, table: &Named<Number>) -> Result<BTreeMap<String, Constant>, LaunchFileError> {
        let constant = |value: &Spanned<Number>| match value.get_ref() {
            Number::Bool(value) => Ok(Constant::Bool(*value)),
            Number::Float(value) => Ok(Constant::Float(*value)),
            Number::Int(number) => i64::try_from(*number)
                .map(Constant::Int)
                .map_err(|_| self.text.value(value.span(), "constant", number, "an integer from -2^63 to 2^63 - 1")),
        };
        table.iter().map(|(name, value)| Ok((name.get_ref().clone(), constant(value)?))).collect()
    }

    fn target(
        &self,
        name: &str,
        binding: Option<&Spanned<Vec<Number>>>,
        parameter: Option<&Spanned<Number>>,
    ) -> Result<Target, LaunchFileError> {
        match (binding, parameter) {
            (None, None) => Ok(Target::Name(name.to_owned())),
            (None, Some(position)) => self.natural("parameter", position).map(Target::Parameter),
            (Some(_), Some(position)) => {
                let why = "`binding` says already where this goes".to_owned();
                Err(self.text.error(position.span(), Problem::Conflict { key: "parameter".to_owned(), why }))
            }
            (Some(slot), None) => match naturals(self.text, "binding", slot)?.as_slice() {
                [group, binding] if u32::try_from(*group.max(binding)).is_ok() => {
                    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
                    Ok(Target::Slot { group: narrow(*group), binding: narrow(*binding) })
                }
                _ => Err(self.text.value(
                    slot.span(),
                    "binding",
                    printed(slot.get_ref()),
                    "two integers, [group, binding]",
                )),
            },
        }
    }

    fn range(&self, id: BufferId, range: Option<&Spanned<Vec<Number>>>) -> Result<ByteRange, LaunchFileError> {
        let buffer = &self.launch.buffers[id.0];
        let Some(given) = range else { return Ok(buffer.range()) };
        let (start, end) = pair(self.text, "range", given)?;
        if end > buffer.length {
            let limit = format!("`{}` has {} bytes", buffer.name, buffer.length);
            return Err(self.text.value(given.span(), "range", printed(given.get_ref()), limit));
        }
        Ok(ByteRange::new(start, end))
    }

    fn bound_by_name(&self) -> Result<Vec<Argument>, LaunchFileError> {
        let argument = |(position, (name, table)): (usize, &(&Spanned<String>, &Spanned<BufferTable>))| {
            let BufferTable { binding, parameter, range, .. } = table.get_ref();
            let target = self.target(name.get_ref(), binding.as_ref(), parameter.as_ref())?;
            let buffer = BufferId(position);
            Ok(Argument { target, value: Value::Buffer { buffer, range: self.range(buffer, range.as_ref())? } })
        };
        self.buffers.iter().enumerate().map(argument).collect()
    }

    fn bound(&self, bind: &Named<BindValue>) -> Result<Vec<Argument>, LaunchFileError> {
        let argument = |(name, value): (&Spanned<String>, &Spanned<BindValue>)| {
            let (buffer, place, table) = match value.get_ref() {
                BindValue::Name(buffer) => (buffer, value.span(), None),
                BindValue::Table(table) => (table.buffer.get_ref(), table.buffer.span(), Some(table)),
            };
            let id = self.buffer(buffer, place, "bind")?;
            let (binding, parameter, range) = table.map_or((None, None, None), |table| {
                (table.binding.as_ref(), table.parameter.as_ref(), table.range.as_ref())
            });
            let target = self.target(name.get_ref(), binding, parameter)?;
            Ok(Argument { target, value: Value::Buffer { buffer: id, range: self.range(id, range)? } })
        };
        in_file_order(bind.iter()).map(argument).collect()
    }

    fn scalar(&self, name: &Spanned<String>, scalar: &Spanned<ScalarTable>) -> Result<Argument, LaunchFileError> {
        let ScalarTable { binding, parameter, .. } = scalar.get_ref();
        let bytes = self.scalar_bytes(name.get_ref(), scalar)?;
        let target = self.target(name.get_ref(), binding.as_ref(), parameter.as_ref())?;
        Ok(Argument { target, value: Value::Scalar(bytes) })
    }

    fn scalar_bytes(&self, name: &str, scalar: &Spanned<ScalarTable>) -> Result<Vec<u8>, LaunchFileError> {
        let ScalarTable { dtype, value, fields, .. } = scalar.get_ref();
        match (dtype, value, fields) {
            (Some(dtype), Some(value), None) => self.field(dtype, value).map(|(_, bytes)| bytes),
            (None, None, Some(fields)) => self.block(fields.get_ref()),
            _ => {
                let why = format!("scalar `{name}` takes `dtype` and `value`, or `fields`");
                Err(self.text.error(scalar.span(), Problem::Missing { key: "value", why }))
            }
        }
    }

    fn block(&self, fields: &[Spanned<FieldTable>]) -> Result<Vec<u8>, LaunchFileError> {
        let mut block = Vec::new();
        for field in fields {
            let FieldTable { dtype, value, offset } = field.get_ref();
            let (dtype, bytes) = self.field(dtype, value)?;
            let size = usize::try_from(dtype.bits().div_ceil(8)).unwrap_or(1);
            let start = match offset {
                None => block.len().next_multiple_of(size),
                Some(offset) => usize::try_from(self.natural("offset", offset)?).unwrap_or(usize::MAX),
            };
            let length = u64::try_from(start.saturating_add(bytes.len())).unwrap_or(u64::MAX);
            if start < block.len() || length > LONGEST_SCALAR {
                let limit = format!("from {} on, and the block ends by {LONGEST_SCALAR}", block.len());
                return Err(self.text.value(field.span(), "offset", start, limit));
            }
            block.resize(start, 0);
            block.extend(bytes);
        }
        Ok(block)
    }

    fn field(&self, dtype: &Spanned<String>, value: &Spanned<OneOrMany>) -> Result<(DType, Vec<u8>), LaunchFileError> {
        let parsed: Result<DType, gridproof_launch::LaunchError> = dtype.get_ref().parse();
        let parsed = parsed.map_err(|error| self.text.error(dtype.span(), error))?;
        let numbers = &value.get_ref().0;
        let count = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
        let length = parsed.bytes_for(count).filter(|length| (1..=LONGEST_SCALAR).contains(length));
        let length = length.and_then(|length| usize::try_from(length).ok()).ok_or_else(|| {
            let limit = format!("a scalar has 1 to {LONGEST_SCALAR} bytes: larger data is a buffer");
            self.text.value(value.span(), "value", format_args!("{count} numbers"), limit)
        })?;
        let mut packed = Packed::zeroed(parsed, length);
        for (element, number) in numbers.iter().enumerate() {
            let bits = number.bits(parsed).map_err(|limit| self.text.value(value.span(), "value", number, limit))?;
            packed.set(element, bits);
        }
        Ok((parsed, packed.into_bytes()))
    }
}

/// The entries of a table as they stand in the file.
pub(super) fn in_file_order<'a, K: 'a, T>(
    table: impl IntoIterator<Item = (&'a Spanned<K>, T)>,
) -> impl Iterator<Item = (&'a Spanned<K>, T)> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries.into_iter()
}
