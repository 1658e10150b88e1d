//! `[buffers.NAME]` to [`Buffer`]: layout, contents within the budget, declarations.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridproof_launch::{Buffer, ByteRange, Contents, DType, Fill, MayRace};
use toml::Spanned;

use super::elements::{Elements, Source};
use super::error::{LaunchFileError, Problem};
use super::format::{BufferTable, Init, MayRaceTable, PatchTable};
use super::layout::{Layout, naturals, pair};
use super::number::uniform_byte;

/// Memory that contents may take, and what they have taken.
pub(super) struct Memory {
    /// Bytes held so far.
    pub held: u64,
    /// The budget in bytes.
    pub limit: u64,
}

/// Bytes a patch of a virtual buffer costs besides its contents.
const PATCH_COST: u64 = 64;

/// Reads one buffer.
pub(super) fn read(
    source: &Source<'_>,
    name: &Spanned<String>,
    table: &Spanned<BufferTable>,
    memory: &mut Memory,
) -> Result<Buffer, LaunchFileError> {
    let reader = BufferReader { source, name, table: table.get_ref(), span: table.span() };
    let layout = reader.layout()?;
    let contents = reader.contents(&layout, memory)?;
    let may_race = reader.table.may_race.iter().map(|declared| reader.may_race(&layout, declared));
    Ok(Buffer {
        name: name.get_ref().clone(),
        dtype: layout.dtype,
        shape: layout.shape.clone(),
        length: layout.length,
        contents,
        may_race: may_race.collect::<Result<_, _>>()?,
        output: reader.table.output,
    })
}

struct BufferReader<'a> {
    source: &'a Source<'a>,
    name: &'a Spanned<String>,
    table: &'a BufferTable,
    span: std::ops::Range<usize>,
}

impl BufferReader<'_> {
    fn layout(&self) -> Result<Layout, LaunchFileError> {
        let text = self.source.text;
        let needs_tensor = self.table.dtype.is_none() || self.table.shape.is_none();
        let tensor = match &self.table.init {
            Some(init) if needs_tensor => self.source.named_tensor(init)?,
            _ => None,
        };
        let dtype = match (&self.table.dtype, &tensor) {
            (Some(dtype), _) => dtype
                .get_ref()
                .parse()
                .map_err(|error: gridproof_launch::LaunchError| text.error(dtype.span(), error))?,
            (None, Some(tensor)) => tensor.dtype,
            (None, None) => return Err(self.missing("dtype", "it is the type of an element")),
        };
        let (shape, place) = match (&self.table.shape, tensor) {
            (Some(shape), _) => (naturals(text, "shape", shape)?, shape.span()),
            (None, Some(tensor)) => (stored_shape(tensor.shape, tensor.dtype, dtype), self.span.clone()),
            (None, None) => return Err(self.missing("shape", "it is the number of elements, or one per dimension")),
        };
        let printed = format!("{shape:?}");
        let layout = Layout::dense(dtype, shape).map_err(|limit| text.value(place, "shape", printed, limit))?;
        let Some(strides) = &self.table.strides else { return Ok(layout) };
        let list = naturals(text, "strides", strides)?;
        let printed = format!("{list:?}");
        layout.strided(list).map_err(|limit| text.value(strides.span(), "strides", printed, limit))
    }

    fn contents(&self, layout: &Layout, memory: &mut Memory) -> Result<Contents, LaunchFileError> {
        let zeros = Spanned::new(self.span.clone(), Init::Word("zeros".to_owned()));
        let init = match (&self.table.init, self.table.output) {
            (Some(init), _) => init,
            (None, true) => &zeros,
            (None, false) => {
                return Err(self.missing("init", "only an output may leave it out: it then starts as zeros"));
            }
        };
        let elements = self.source.elements(init, layout.dtype, &layout.shape, self.name.get_ref())?;
        let fill = match elements {
            Elements::Uninitialised => Some(Fill::Uninitialised),
            Elements::Uniform(bits) => uniform_byte(bits, layout.dtype).map(Fill::Byte),
            _ => None,
        };
        let asked = self.table.is_virtual.as_ref().map(|asked| (*asked.get_ref(), asked.span()));
        match (fill, asked) {
            (None, Some((true, span))) => Err(self.conflict(
                span,
                "virtual",
                "only uninitialised, zeros and values whose bytes are all the same cost no memory",
            )),
            (Some(Fill::Uninitialised), Some((false, span))) => {
                Err(self.conflict(span, "virtual", "uninitialised bytes are always virtual"))
            }
            (Some(fill), None | Some((true, _))) => self.virtual_contents(fill, layout, memory),
            _ if !self.table.patch.is_empty() => Err(self.conflict(
                self.table.patch[0].span(),
                "patch",
                "a patch lies in a virtual buffer: uninitialised, zeros or a value whose bytes are all the same",
            )),
            _ => self.made_contents(elements, init, layout, memory),
        }
    }

    fn made_contents(
        &self,
        elements: Elements,
        init: &Spanned<Init>,
        layout: &Layout,
        memory: &mut Memory,
    ) -> Result<Contents, LaunchFileError> {
        self.take(init.span(), layout.length, memory)?;
        let dense = dense_bytes(layout.dtype, layout.elements);
        let made = self.make(elements, init, layout.dtype, layout.elements, dense)?;
        if layout.strides.is_none() {
            return Ok(Contents::Dense(made.into()));
        }
        let (bytes, runs) = scatter(&made, layout);
        if let [(0, end)] = runs.as_slice()
            && u64::try_from(*end) == Ok(layout.length)
        {
            return Ok(Contents::Dense(bytes.into()));
        }
        let cost = u64::try_from(runs.len()).unwrap_or(u64::MAX).saturating_mul(PATCH_COST);
        self.take(init.span(), cost, memory)?;
        let patches = runs
            .into_iter()
            .map(|(start, end)| (u64::try_from(start).unwrap_or(u64::MAX), Arc::from(&bytes[start..end])));
        Ok(Contents::Virtual { fill: Fill::Uninitialised, patches: patches.collect() })
    }

    fn virtual_contents(&self, fill: Fill, layout: &Layout, memory: &mut Memory) -> Result<Contents, LaunchFileError> {
        let mut patches = BTreeMap::new();
        for patch in &self.table.patch {
            let (start, bytes) = self.patch(layout, patch, memory)?;
            patches.insert(start, (patch.span(), bytes));
        }
        let mut free_from = 0;
        for (start, (span, bytes)) in &patches {
            if *start < free_from {
                return Err(self.conflict(span.clone(), "patch", "it overlaps the patch before it"));
            }
            free_from = start + u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        }
        if patches.len() != self.table.patch.len() {
            return Err(self.conflict(self.table.patch[0].span(), "patch", "two patches start at the same element"));
        }
        let patches = patches.into_iter().map(|(start, (_, bytes))| (start, bytes)).collect();
        Ok(Contents::Virtual { fill, patches })
    }

    fn patch(
        &self,
        layout: &Layout,
        patch: &Spanned<PatchTable>,
        memory: &mut Memory,
    ) -> Result<(u64, Arc<[u8]>), LaunchFileError> {
        let PatchTable { elements, init } = patch.get_ref();
        let range = self.element_range(layout, elements)?;
        let (first, last) = pair(self.source.text, "elements", elements)?;
        let half_byte = layout.dtype == DType::U4 && (first % 2 != 0 || last % 2 != 0 && last != layout.reach);
        if half_byte {
            return Err(self.conflict(
                elements.span(),
                "elements",
                "a patch of u4 elements starts and ends at an even one",
            ));
        }
        let stream = format!("{}[{first}]", self.name.get_ref());
        let made = self.source.elements(init, layout.dtype, &[last - first], &stream)?;
        if matches!(made, Elements::Uninitialised) {
            return Err(self.conflict(init.span(), "init", "a patch holds values"));
        }
        self.take(elements.span(), range.length().saturating_add(PATCH_COST), memory)?;
        let bytes = self.make(made, init, layout.dtype, last - first, range.length())?;
        Ok((range.start, bytes.into()))
    }

    fn make(
        &self,
        elements: Elements,
        init: &Spanned<Init>,
        dtype: DType,
        count: u64,
        bytes: u64,
    ) -> Result<Vec<u8>, LaunchFileError> {
        let narrow = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        elements
            .make(dtype, narrow(count), narrow(bytes))
            .map_err(|problem| self.source.text.error(init.span(), problem))
    }

    fn may_race(&self, layout: &Layout, declared: &Spanned<MayRaceTable>) -> Result<MayRace, LaunchFileError> {
        let MayRaceTable { bytes, elements, reason } = declared.get_ref();
        let range = match (bytes, elements) {
            (Some(bytes), None) => {
                let (start, end) = pair(self.source.text, "bytes", bytes)?;
                self.inside(bytes, "bytes", end, layout.length)?;
                ByteRange::new(start, end)
            }
            (None, Some(elements)) => self.element_range(layout, elements)?,
            _ => return Err(self.conflict(declared.span(), "may_race", "it takes one of bytes and elements")),
        };
        if reason.get_ref().trim().is_empty() {
            return Err(self.source.text.value(
                reason.span(),
                "reason",
                "\"\"",
                "it is printed in the report: say why",
            ));
        }
        Ok(MayRace { range, reason: reason.get_ref().clone() })
    }

    fn element_range(
        &self,
        layout: &Layout,
        elements: &Spanned<Vec<super::number::Number>>,
    ) -> Result<ByteRange, LaunchFileError> {
        let (first, last) = pair(self.source.text, "elements", elements)?;
        self.inside(elements, "elements", last, layout.reach)?;
        layout
            .element_bytes(first, last)
            .ok_or_else(|| self.source.text.value(elements.span(), "elements", last, "is beyond 64 bits"))
    }

    fn inside<T>(&self, place: &Spanned<T>, key: &str, end: u64, limit: u64) -> Result<(), LaunchFileError> {
        if end <= limit {
            return Ok(());
        }
        let limit = format!("`{}` has {limit} {key}", self.name.get_ref());
        Err(self.source.text.value(place.span(), key, format_args!("up to {end}"), limit))
    }

    fn take(&self, span: std::ops::Range<usize>, bytes: u64, memory: &mut Memory) -> Result<(), LaunchFileError> {
        let Memory { held, limit } = *memory;
        match held.checked_add(bytes).filter(|sum| *sum <= limit) {
            Some(sum) => {
                memory.held = sum;
                Ok(())
            }
            None => {
                let name = self.name.get_ref().clone();
                Err(self.source.text.error(span, Problem::Budget { name, bytes, held, limit }))
            }
        }
    }

    fn missing(&self, key: &'static str, why: &str) -> LaunchFileError {
        let why = format!("{why} (buffer `{}`)", self.name.get_ref());
        self.source.text.error(self.span.clone(), Problem::Missing { key, why })
    }

    fn conflict(&self, span: std::ops::Range<usize>, key: &str, why: &str) -> LaunchFileError {
        self.source.text.error(span, Problem::Conflict { key: key.to_owned(), why: why.to_owned() })
    }
}

/// The shape a buffer takes from its tensor: the same, but for nibbles stored as bytes.
fn stored_shape(mut shape: Vec<u64>, stored: DType, dtype: DType) -> Vec<u64> {
    if dtype == DType::U4
        && stored == DType::U8
        && let Some(last) = shape.last_mut()
    {
        *last = last.saturating_mul(2);
    }
    shape
}

fn dense_bytes(dtype: DType, elements: u64) -> u64 {
    dtype.bytes_for(elements).unwrap_or(u64::MAX)
}

/// Moves dense elements to their places and names the runs of bytes that hold any, in order.
fn scatter(dense: &[u8], layout: &Layout) -> (Vec<u8>, Vec<(usize, usize)>) {
    let size = usize::try_from(layout.dtype.bits() / 8).unwrap_or(1);
    let mut bytes = vec![0; usize::try_from(layout.length).unwrap_or(usize::MAX)];
    let mut starts = Vec::with_capacity(dense.len() / size);
    for (element, position) in dense.chunks_exact(size).zip(layout.positions()) {
        let start = usize::try_from(position).unwrap_or(usize::MAX) * size;
        bytes[start..start + size].copy_from_slice(element);
        starts.push(start);
    }
    starts.sort_unstable();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for start in starts {
        match runs.last_mut() {
            Some((_, end)) if *end == start => *end += size,
            _ => runs.push((start, start + size)),
        }
    }
    (bytes, runs)
}
