//! What a loom model gave, as JSON between two processes of this program. Not a public format: both ends are the same
//! binary.

use std::fmt::Debug;
use std::time::Duration;

use gridproof_launch::ByteRange;
use gridproof_simulator::explore::loom::{Limit, LoomOutcome, LoomRace, NoProgress, Verdict, Waiting, WaitsFor};
use gridproof_simulator::finding::{AccessSite, Action};
use gridproof_simulator::ir::{Order, Scope, SourceFile, Space, Span, SpanId};
use serde::{Deserialize, Serialize};

/// The answer of a child.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The model ran.
    Outcome(Box<OutcomeText>),
    /// The launch or the options cannot be explored.
    Refused(String),
}

/// A [`LoomOutcome`].
#[derive(Debug, Serialize, Deserialize)]
pub struct OutcomeText {
    verdict: VerdictText,
    iterations: u64,
    restarts: u64,
    complete: bool,
    granules: u64,
    microseconds: u64,
    files: Vec<(String, Option<String>)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum VerdictText {
    Clean,
    Race { first: Box<SiteText>, second: Box<SiteText>, bytes: (u64, u64), schedule: String, message: String },
    NoProgress { waiting: Vec<WaitingText>, dispatch: usize, schedule: String },
    Limit(LimitText),
}

#[derive(Debug, Serialize, Deserialize)]
struct WaitingText {
    workgroup: u32,
    subgroup: Option<u32>,
    what: String,
    at: Option<(u32, SpanText)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum LimitText {
    Iterations(u64),
    Duration,
    Branches(usize),
    Instructions(SpanText),
    Operations(u32),
    Granules(usize),
    Accesses(usize),
    Divergence,
    Arrival,
    EarlierDispatch(String),
    InsideSubgroup(SpanText, SpanText),
    Loom(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct SpanText {
    file: u32,
    line: u32,
    column: u32,
    start: u32,
    end: u32,
    inlined_at: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SiteText {
    action: String,
    atomic: Option<(String, String)>,
    bytes: u32,
    space: String,
    buffer: String,
    /// As text: JSON's numbers are narrower.
    byte_offset: String,
    element: Option<String>,
    dispatch: u32,
    workgroup: [u32; 3],
    local: [u32; 3],
    subgroup: u32,
    pc: u32,
    span: SpanText,
    call_stack: Vec<SpanText>,
    value: Option<u64>,
}

const ACTIONS: [Action; 6] =
    [Action::Read, Action::Write, Action::AtomicRead, Action::AtomicWrite, Action::Barrier, Action::Ended];
const SPACES: [Space; 4] = [Space::Storage, Space::Uniform, Space::Workgroup, Space::Private];
const ORDERS: [Order; 5] =
    [Order::Relaxed, Order::Acquire, Order::Release, Order::AcquireRelease, Order::SequentiallyConsistent];
const SCOPES: [Scope; 3] = [Scope::Workgroup, Scope::Device, Scope::System];
const WAITS: [WaitsFor; 3] = [WaitsFor::Change, WaitsFor::Barrier, WaitsFor::Slot];
const BUDGETS: [&str; 3] = ["instructions", "memory", "time"];

fn name(value: impl Debug) -> String {
    format!("{value:?}")
}

fn named<T: Copy + Debug>(all: &[T], text: &str) -> Result<T, String> {
    all.iter().copied().find(|value| name(value) == text).ok_or_else(|| format!("unknown name `{text}`"))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

impl OutcomeText {
    /// As text.
    pub fn new(outcome: &LoomOutcome) -> Self {
        let file = |file: &SourceFile| (file.name.clone(), file.text.as_deref().map(str::to_owned));
        Self {
            verdict: VerdictText::new(&outcome.verdict),
            iterations: outcome.iterations,
            restarts: outcome.restarts,
            complete: outcome.complete,
            granules: outcome.granules,
            microseconds: u64::try_from(outcome.elapsed.as_micros()).unwrap_or(u64::MAX),
            files: outcome.files.iter().map(file).collect(),
        }
    }

    /// As it was.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn outcome(self) -> Result<LoomOutcome, String> {
        let file = |(name, text): (String, Option<String>)| SourceFile { name, text: text.map(Into::into) };
        Ok(LoomOutcome {
            verdict: self.verdict.verdict()?,
            iterations: self.iterations,
            restarts: self.restarts,
            complete: self.complete,
            granules: self.granules,
            elapsed: Duration::from_micros(self.microseconds),
            files: self.files.into_iter().map(file).collect(),
        })
    }
}

impl VerdictText {
    fn new(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Clean => Self::Clean,
            Verdict::Race(race) => Self::Race {
                first: Box::new(SiteText::new(&race.first)),
                second: Box::new(SiteText::new(&race.second)),
                bytes: (race.bytes.start, race.bytes.end),
                schedule: race.schedule.to_string(),
                message: race.message.clone(),
            },
            Verdict::NoProgress(stuck) => Self::NoProgress {
                waiting: stuck.waiting.iter().map(WaitingText::new).collect(),
                dispatch: stuck.dispatch,
                schedule: stuck.schedule.to_string(),
            },
            Verdict::Limit(limit) => Self::Limit(LimitText::new(limit)),
        }
    }

    fn verdict(self) -> Result<Verdict, String> {
        let schedule = |text: String| text.parse().map_err(|error| format!("{error}"));
        Ok(match self {
            Self::Clean => Verdict::Clean,
            Self::Race { first, second, bytes: (start, end), schedule: turns, message } => {
                Verdict::Race(Box::new(LoomRace {
                    first: first.site()?,
                    second: second.site()?,
                    bytes: ByteRange::new(start, end),
                    schedule: schedule(turns)?,
                    message,
                }))
            }
            Self::NoProgress { waiting, dispatch, schedule: turns } => Verdict::NoProgress(NoProgress {
                waiting: waiting.into_iter().map(WaitingText::waiting).collect::<Result<_, _>>()?,
                dispatch,
                schedule: schedule(turns)?,
            }),
            Self::Limit(limit) => Verdict::Limit(limit.limit()?),
        })
    }
}

impl WaitingText {
    fn new(waiting: &Waiting) -> Self {
        let at = waiting.at.map(|(pc, span)| (pc, SpanText::new(span)));
        Self { workgroup: waiting.workgroup, subgroup: waiting.subgroup, what: name(waiting.what), at }
    }

    fn waiting(self) -> Result<Waiting, String> {
        let at = self.at.map(|(pc, span)| (pc, span.span()));
        Ok(Waiting { workgroup: self.workgroup, subgroup: self.subgroup, what: named(&WAITS, &self.what)?, at })
    }
}

impl LimitText {
    fn new(limit: &Limit) -> Self {
        match limit {
            Limit::Iterations(limit) => Self::Iterations(*limit),
            Limit::Duration => Self::Duration,
            Limit::Branches(limit) => Self::Branches(*limit),
            Limit::Instructions(span) => Self::Instructions(SpanText::new(*span)),
            Limit::Operations(limit) => Self::Operations(*limit),
            Limit::Granules(limit) => Self::Granules(*limit),
            Limit::Accesses(limit) => Self::Accesses(*limit),
            Limit::Divergence => Self::Divergence,
            Limit::Arrival => Self::Arrival,
            Limit::EarlierDispatch(budget) => Self::EarlierDispatch((*budget).to_owned()),
            Limit::InsideSubgroup(first, second) => Self::InsideSubgroup(SpanText::new(*first), SpanText::new(*second)),
            Limit::Loom(message) => Self::Loom(message.clone()),
        }
    }

    fn limit(self) -> Result<Limit, String> {
        Ok(match self {
            Self::Iterations(limit) => Limit::Iterations(limit),
            Self::Duration => Limit::Duration,
            Self::Branches(limit) => Limit::Branches(limit),
            Self::Instructions(span) => Limit::Instructions(span.span()),
            Self::Operations(limit) => Limit::Operations(limit),
            Self::Granules(limit) => Limit::Granules(limit),
            Self::Accesses(limit) => Limit::Accesses(limit),
            Self::Divergence => Limit::Divergence,
            Self::Arrival => Limit::Arrival,
            Self::EarlierDispatch(budget) => {
                let known = BUDGETS.into_iter().find(|known| *known == budget);
                Limit::EarlierDispatch(known.ok_or_else(|| format!("unknown budget `{budget}`"))?)
            }
            Self::InsideSubgroup(first, second) => Limit::InsideSubgroup(first.span(), second.span()),
            Self::Loom(message) => Limit::Loom(message),
        })
    }
}

impl SpanText {
    fn new(span: Span) -> Self {
        let Span { file, line, column, start, end, inlined_at } = span;
        Self { file, line, column, start, end, inlined_at: inlined_at.map(|id| id.0) }
    }

    fn span(self) -> Span {
        let Self { file, line, column, start, end, inlined_at } = self;
        Span { file, line, column, start, end, inlined_at: inlined_at.map(SpanId) }
    }
}

impl SiteText {
    fn new(site: &AccessSite) -> Self {
        Self {
            action: name(site.action),
            atomic: site.atomic.map(|(order, scope)| (name(order), name(scope))),
            bytes: site.bytes,
            space: name(site.space),
            buffer: site.buffer.clone(),
            byte_offset: site.byte_offset.to_string(),
            element: site.element.map(|element| element.to_string()),
            dispatch: site.dispatch,
            workgroup: site.workgroup,
            local: site.local,
            subgroup: site.subgroup,
            pc: site.pc,
            span: SpanText::new(site.span),
            call_stack: site.call_stack.iter().map(|span| SpanText::new(*span)).collect(),
            value: site.value,
        }
    }

    fn site(self) -> Result<AccessSite, String> {
        let atomic = match &self.atomic {
            Some((order, scope)) => Some((named(&ORDERS, order)?, named(&SCOPES, scope)?)),
            None => None,
        };
        Ok(AccessSite {
            action: named(&ACTIONS, &self.action)?,
            atomic,
            bytes: self.bytes,
            space: named(&SPACES, &self.space)?,
            buffer: self.buffer,
            byte_offset: number(&self.byte_offset)?,
            element: self.element.as_deref().map(number).transpose()?,
            dispatch: self.dispatch,
            workgroup: self.workgroup,
            local: self.local,
            subgroup: self.subgroup,
            pc: self.pc,
            span: self.span.span(),
            call_stack: self.call_stack.into_iter().map(SpanText::span).collect(),
            value: self.value,
        })
    }
}
