//! Places in the module's text and, through `.loc`, in what it was compiled from.

use std::collections::HashMap;
use std::sync::Arc;

use crate::frontend::source::saturating;
use crate::ir::{SourceFile, Span, SpanId};

/// All spans of a program, each kept once.
#[derive(Debug, Default)]
pub(super) struct Spans {
    list: Vec<Span>,
    known: HashMap<Span, SpanId>,
}

impl Spans {
    pub(super) fn intern(&mut self, span: Span) -> SpanId {
        let next = SpanId(saturating(self.list.len()));
        *self.known.entry(span).or_insert_with(|| {
            self.list.push(span);
            next
        })
    }

    /// Whether a span, or one that it was inlined at, is at the place of `other`.
    pub(super) fn passes(&self, from: SpanId, other: Span) -> bool {
        let at = |id: SpanId| usize::try_from(id.0).ok().and_then(|at| self.list.get(at));
        let mut chain = std::iter::successors(at(from), |span| span.inlined_at.and_then(at));
        chain.any(|span| (span.file, span.line, span.column) == (other.file, other.line, other.column))
    }

    pub(super) fn into_list(self) -> Vec<Span> {
        self.list
    }
}

/// The files that spans point into: the module's own text is the first.
#[derive(Debug)]
pub(super) struct Files {
    list: Vec<SourceFile>,
    /// `.file` index to position in the list.
    by_index: HashMap<u32, u32>,
    line_starts: Vec<Vec<usize>>,
}

impl Files {
    pub(super) fn new(name: &str, text: Arc<str>) -> Self {
        let list = vec![SourceFile { name: name.to_owned(), text: Some(text) }];
        Self { list, by_index: HashMap::new(), line_starts: vec![Vec::new()] }
    }

    /// `.file index "name"`, with its text where the launch has it.
    pub(super) fn add(&mut self, index: u32, name: &str, known: &[(String, Arc<str>)]) {
        let base = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned();
        let found = known.iter().find(|(other, _)| other == name).or_else(|| {
            let mut same = known.iter().filter(|(other, _)| base(other) == base(name));
            same.next().filter(|_| same.next().is_none())
        });
        let text = found.map(|(_, text)| text.clone());
        let starts = text.iter().flat_map(|text| {
            std::iter::once(0).chain(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1))
        });
        self.line_starts.push(starts.collect());
        let name = found.map_or_else(|| name.to_owned(), |(name, _)| name.clone());
        self.by_index.insert(index, saturating(self.list.len()));
        self.list.push(SourceFile { name, text });
    }

    /// The span of a `.loc`; `None` for line 0 (code nobody wrote) or an undeclared file.
    pub(super) fn span(&self, index: u32, line: u32, column: u32, inlined_at: Option<SpanId>) -> Option<Span> {
        let file = *self.by_index.get(&index)?;
        let at = usize::try_from(file).ok()?;
        if line == 0 {
            return None;
        }
        let text = self.list.get(at)?.text.as_deref().unwrap_or("");
        let starts = self.line_starts.get(at)?;
        let number = usize::try_from(line).ok()?;
        let first = starts.get(number - 1).copied().unwrap_or(0);
        let end = starts.get(number).map_or(text.len(), |&next| next - 1);
        let start = first.saturating_add(usize::try_from(column.saturating_sub(1)).ok()?).min(end);
        let (start, end) = (saturating(start), saturating(end));
        Some(Span { file, line, column: column.max(1), start, end, inlined_at })
    }

    /// Whether the launch has the text of the file.
    pub(super) fn has_text(&self, index: u32) -> bool {
        let at = self.by_index.get(&index).and_then(|&at| usize::try_from(at).ok());
        at.and_then(|at| self.list.get(at)).is_some_and(|file| file.text.is_some())
    }

    pub(super) fn into_list(self) -> Vec<SourceFile> {
        self.list
    }
}
