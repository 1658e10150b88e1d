//! A finding in words: the one place where they are made, for all renderers.
//!
//! [`words`] turns a [`Finding`] into a title, labels for its source lines, notes and help. Names that come from
//! users' files are made safe to print here; renderers may print what they get.

use gridproof_simulator::Finding;
use gridproof_simulator::explore::Progress;
use gridproof_simulator::finding::{AccessSite, Action, BoundsLimit, Detail, Rule, Severity, Unordered};
use gridproof_simulator::ir::{SourceFile, Space, Span};

use crate::model::Place;
use crate::steps::steps;
use crate::text::{bytes, count, number, plain};

/// A finding as text, without layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub title: String,
    /// What happens where; the first is the primary one.
    pub labels: Vec<Label>,
    /// Facts, most important first.
    pub notes: Vec<String>,
    /// How to mend it.
    pub help: String,
    /// The schedule as steps; empty where there is none.
    pub steps: Vec<String>,
}

/// A text for a place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What happens there.
    pub text: String,
}

/// The finding in words. `files` are what its spans point into; `most_steps` bounds the steps (`None`: the
/// usual bound).
pub fn words(finding: &Finding, files: &[SourceFile], most_steps: Option<usize>) -> Words {
    Words {
        title: title(finding),
        labels: labels(finding),
        notes: notes(finding, files),
        help: help(finding),
        steps: finding.schedule.as_ref().map(|schedule| steps(schedule, most_steps)).unwrap_or_default(),
    }
}

/// The word for a severity.
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// What an access did, as one word for machines.
pub const fn kind(action: Action) -> &'static str {
    match action {
        Action::Read => "read",
        Action::Write => "write",
        Action::AtomicRead => "atomic-read",
        Action::AtomicWrite => "atomic-write",
        Action::Barrier => "barrier",
        Action::Ended => "ended",
    }
}

fn title(finding: &Finding) -> String {
    let site = &finding.first;
    let name = name(site);
    match finding.rule {
        Rule::CrossWorkgroupRace => format!("{}race between workgroups on {name}", status_word(finding)),
        Rule::WorkgroupRace => format!("{}race inside a workgroup on {name}", status_word(finding)),
        Rule::BarrierDivergence => "invocations of a workgroup do not meet at the same barrier".to_owned(),
        Rule::OutOfBounds => out_of_bounds(finding),
        Rule::WrappedOffset => format!("the offset of this {} wrapped, so that it names another place", noun(site)),
        Rule::UninitialisedRead => format!("read of {}, which nobody has written", element(site)),
        Rule::NoProgress => match &finding.schedule {
            Some(schedule) => format!("no progress on {}", count(schedule.slots.into(), "slot")),
            None => "no progress".to_owned(),
        },
        Rule::Misaligned => format!("misaligned {} of {name}", noun(site)),
        Rule::ScheduleDependent => format!("{} depends on the schedule", output_name(finding)),
        Rule::LegsDisagree => format!("{} is not what the model computes", output_name(finding)),
        Rule::Trap => "the kernel stopped itself".to_owned(),
    }
}

fn status_word(finding: &Finding) -> &'static str {
    match finding {
        Finding { declared: Some(_), .. } => "declared ",
        Finding { benign: true, .. } => "benign ",
        _ => "",
    }
}

fn out_of_bounds(finding: &Finding) -> String {
    let site = &finding.first;
    let (noun, name) = (noun(site), name(site));
    match &finding.detail {
        Detail::Bounds { limit: BoundsLimit::Array { index, elements } } => {
            format!("{noun} of index {index} in {name}, which has {elements} elements")
        }
        Detail::Bounds { limit: BoundsLimit::Unmapped { address } } => {
            format!("{noun} at address {address:#x}, where no buffer lies")
        }
        Detail::Bounds { limit: BoundsLimit::ReadOnly } => format!("write to {name}, which the launch may only read"),
        _ if site.byte_offset < 0 => format!("{noun} before the start of {name}"),
        _ => format!("{noun} past the end of {name}"),
    }
}

fn labels(finding: &Finding) -> Vec<Label> {
    let first = &finding.first;
    let mut labels = vec![Label { span: first.span, text: label(finding, first) }];
    match &finding.second {
        Some(second) if same_place(first.span, second.span) => {
            labels[0].text += &format!(", and {}", label(finding, second));
        }
        Some(second) => labels.push(Label { span: second.span, text: label(finding, second) }),
        None => {}
    }
    match finding.detail {
        Detail::Wrapped { origin, .. } if !same_place(origin, first.span) => {
            labels.push(Label { span: origin, text: "wraps here".to_owned() });
        }
        _ => {}
    }
    labels
}

fn label(finding: &Finding, site: &AccessSite) -> String {
    let who = match finding.rule {
        Rule::WorkgroupRace | Rule::BarrierDivergence => invocation(site),
        _ => format!("workgroup {}", position(site.workgroup)),
    };
    match (site.action, &finding.detail) {
        (Action::Barrier, Detail::Divergence { waiting, .. }) if std::ptr::eq(site, &finding.first) => {
            format!("{who} waits here, with {}", of_them(*waiting))
        }
        (Action::Barrier, Detail::Divergence { elsewhere, .. }) => {
            format!("{who} waits here instead, with {}", of_them(*elsewhere))
        }
        (Action::Ended, Detail::Divergence { elsewhere, .. }) => {
            format!("{who} has ended, with {}", of_them(*elsewhere))
        }
        (_, Detail::NoProgress { .. }) if std::ptr::eq(site, &finding.first) => {
            format!("{who} waits here, where it {} {}", verb(site.action), element(site))
        }
        (_, Detail::NoProgress { .. }) => format!("{who} would end the wait here, at {}", element(site)),
        _ => format!("{who} {} {}", verb(site.action), element(site)),
    }
}

fn of_them(count_in_all: u32) -> String {
    let others = count_in_all.saturating_sub(1);
    format!("{} other{}", number(others), if others == 1 { "" } else { "s" })
}

fn notes(finding: &Finding, files: &[SourceFile]) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(why(finding));
    notes.extend(detail(finding));
    notes.push(site_note("first", finding.second.is_some(), &finding.first));
    let happened = finding.second.as_ref().filter(|_| finding.rule != Rule::NoProgress);
    notes.extend(happened.map(|second| site_note("second", true, second)));
    notes.extend(calls("first", finding.second.is_some(), &finding.first, files));
    notes.extend(finding.second.iter().flat_map(|second| calls("second", true, second, files)));
    if finding.rule != Rule::NoProgress {
        notes.push(how_many(finding));
    }
    notes.extend(status(finding));
    notes
}

/// Why nothing orders the two accesses.
fn why(finding: &Finding) -> Option<String> {
    let Detail::Unordered { why } = finding.detail else { return None };
    let space = finding.first.space;
    Some(match why {
        Unordered::Workgroups => {
            "unordered: workgroups of one dispatch are not ordered by their index, by a barrier, or by being resident together"
                .to_owned()
        }
        Unordered::NoBarrier => "unordered: no barrier stands between the two accesses".to_owned(),
        Unordered::WrongBarrier => {
            format!("unordered: the barrier between the two accesses does not order {} memory", space)
        }
    })
}

fn detail(finding: &Finding) -> Option<String> {
    let site = &finding.first;
    match &finding.detail {
        Detail::Bounds { limit: BoundsLimit::Binding { length } } => {
            let end = site.byte_offset.saturating_add(site.bytes.into());
            let range = format!("bytes {} to {}", site.byte_offset, end.saturating_sub(1));
            Some(format!("the access touches {range}, but {} has {length} bytes", name(site)))
        }
        Detail::Wrapped { exact, computed, .. } => {
            Some(format!("exact arithmetic gives {}, the kernel computed {}", number(*exact), number(*computed)))
        }
        Detail::Alignment { required } => {
            Some(format!("byte offset {} is not a multiple of {required}", number(site.byte_offset)))
        }
        Detail::Divergence { waiting, elsewhere } => Some(format!(
            "{} wait at the first place, {} do not: a barrier needs all invocations of the workgroup",
            number(*waiting),
            number(*elsewhere)
        )),
        Detail::NoProgress { progress, slots, waiting, unstarted, other_has_started } => {
            Some(no_progress(finding, *progress, *slots, [*waiting, *unstarted], *other_has_started))
        }
        Detail::Outputs { buffer, differing_bytes } => {
            Some(format!("{} of `{}` differ", count(*differing_bytes, "byte"), plain(buffer)))
        }
        Detail::Mismatch { buffer, element, computed, expected, bytes, differing_bytes } => {
            let element = format!("`{}`[{}]", plain(buffer), number(*element));
            let computed = match computed {
                Some(bits) => format!("{element} is {}", hexadecimal(*bits, *bytes)),
                None => format!("nobody writes {element}"),
            };
            let expected = match expected {
                Some(bits) => format!("the model says {}", hexadecimal(*bits, *bytes)),
                None => "the model leaves it alone".to_owned(),
            };
            let all = count(*differing_bytes, "byte");
            Some(format!(
                "{computed}, {expected}; {all} of the buffer {}",
                if *differing_bytes == 1 { "differs" } else { "differ" }
            ))
        }
        Detail::None | Detail::Bounds { .. } | Detail::Unordered { .. } => None,
    }
}

/// Who waits for whom, and why that never comes.
fn no_progress(
    finding: &Finding,
    progress: Progress,
    slots: u32,
    [waiting, unstarted]: [u64; 2],
    other_has_started: bool,
) -> String {
    let promise = match progress {
        Progress::Fair => "under fair scheduling every workgroup advances".to_owned(),
        Progress::Obe => {
            format!("under OBE only workgroups that have started advance, here {}", count(slots.into(), "slot"))
        }
        Progress::Lobe => format!(
            "under LOBE only workgroups that have started advance, and they start in index order, here on {}",
            count(slots.into(), "slot")
        ),
        Progress::Hsa => "under HSA only the lowest workgroup that has not ended is promised to advance".to_owned(),
        Progress::HsaObe => format!(
            "under HSA+OBE the lowest workgroup and those that have started advance, here {}",
            count(slots.into(), "slot")
        ),
    };
    let whom = match &finding.second {
        None => "nothing that any workgroup would do ends the wait".to_owned(),
        Some(second) if other_has_started => {
            format!("the wait would end with what workgroup {} does at the second place", position(second.workgroup))
        }
        Some(second) => format!(
            "the wait would end with what workgroup {} does at the second place, but that has no slot",
            position(second.workgroup)
        ),
    };
    let left = if unstarted > 0 { format!(", {} never started", count(unstarted, "workgroup")) } else { String::new() };
    format!(
        "{promise}; {whom} ({} for ever{left})",
        if waiting == 1 { "1 waits".to_owned() } else { format!("{} wait", number(waiting)) }
    )
}

/// Who exactly, which bytes, which value.
fn site_note(which: &str, several: bool, site: &AccessSite) -> String {
    let which = if several { format!("{which}: ") } else { String::new() };
    let who = format!("{}, subgroup {}, of workgroup {}", invocation(site), site.subgroup, position(site.workgroup));
    let dispatch = if site.dispatch > 0 { format!(" in dispatch {}", site.dispatch) } else { String::new() };
    match site.action {
        Action::Barrier => return format!("{which}{who}{dispatch} waits at a barrier"),
        Action::Ended => return format!("{which}{who}{dispatch} has ended"),
        _ => {}
    }
    let what =
        format!("{} {} at byte {} of {}", verb(site.action), bytes(site.bytes.into()), site.byte_offset, name(site));
    let value = site.value.map(|value| format!(", value {}", hexadecimal(value, site.bytes))).unwrap_or_default();
    format!("{which}{who}{dispatch} {what} ({}){value}", site.space)
}

fn calls(which: &str, several: bool, site: &AccessSite, files: &[SourceFile]) -> Vec<String> {
    let which = if several { format!("{which}: ") } else { String::new() };
    let outer =
        |position: usize, span: &Span| format!("{which}{} {}", outwards(site, position, files), place(*span, files));
    site.call_stack.iter().enumerate().map(|(position, span)| outer(position, span)).collect()
}

/// How a place of the call stack leads to the one before it: by a call; or, where that is quoted and this is in a file
/// whose text nobody has, by a compiler (the `.loc` of a PTX instruction).
pub fn outwards(site: &AccessSite, position: usize, files: &[SourceFile]) -> &'static str {
    let quoted = |span: Span| {
        usize::try_from(span.file).ok().and_then(|index| files.get(index)).is_some_and(|file| file.text.is_some())
    };
    let compiled = position == 0 && quoted(site.span) && site.call_stack.first().is_some_and(|&span| !quoted(span));
    if compiled { "compiled from" } else { "called from" }
}

fn how_many(finding: &Finding) -> String {
    let more = count(finding.count, if is_race(finding.rule) { "element" } else { "invocation" });
    format!("{more} {} this at these lines", if finding.count == 1 { "shows" } else { "show" })
}

pub(crate) const fn is_race(rule: Rule) -> bool {
    matches!(rule, Rule::CrossWorkgroupRace | Rule::WorkgroupRace)
}

/// Benign, declared, output-invisible, or not.
fn status(finding: &Finding) -> Option<String> {
    if let Some(reason) = &finding.declared {
        return Some(format!("the launch declares that this range may race: {}", plain(reason)));
    }
    if finding.benign {
        return Some("benign: every order leaves the same bytes everywhere".to_owned());
    }
    match finding.output_visible {
        Some(true) => Some("outputs differ between the orders of the two accesses".to_owned()),
        Some(false) => Some("output-invisible in the orders of the two accesses that were tried".to_owned()),
        None => None,
    }
}

fn help(finding: &Finding) -> String {
    let space = finding.first.space;
    match (finding.rule, &finding.detail) {
        (Rule::CrossWorkgroupRace, _) => {
            "move one of the two into a dispatch of its own, or give the readers a buffer that nobody writes in this dispatch"
                .to_owned()
        }
        (Rule::WorkgroupRace, Detail::Unordered { why: Unordered::WrongBarrier }) => {
            format!("use a barrier that orders {} memory: {}", space, barrier(space))
        }
        (Rule::WorkgroupRace, _) => {
            format!("put a barrier that all invocations reach between the two: {}", barrier(space))
        }
        (Rule::BarrierDivergence, _) => {
            "move the barrier out of the branch or loop, so that every invocation reaches it equally often".to_owned()
        }
        (Rule::OutOfBounds, Detail::Bounds { limit: BoundsLimit::ReadOnly }) => {
            "bind the buffer as writable, or do not write it".to_owned()
        }
        (Rule::OutOfBounds, _) => "guard the access with the buffer's length, or make the grid fit the data".to_owned(),
        (Rule::WrappedOffset, _) => {
            "compute the offset in 64 bits, or limit the shape on the host so that it fits in 32".to_owned()
        }
        (Rule::UninitialisedRead, _) => "write the element first, or give the buffer initial contents".to_owned(),
        (Rule::NoProgress, _) => "split the kernel in two dispatches where it waits for other workgroups".to_owned(),
        (Rule::Misaligned, _) => "align the offset, or use narrower accesses".to_owned(),
        (Rule::ScheduleDependent, _) => "make the result independent of the order in which workgroups run".to_owned(),
        (Rule::Trap, _) => "the kernel says that this cannot be: look at the condition that leads here".to_owned(),
        (Rule::LegsDisagree, _) => {
            "look at the first differing element; mend races first, then built-in functions and division".to_owned()
        }
    }
}

const fn barrier(space: Space) -> &'static str {
    match space {
        Space::Workgroup => "`workgroupBarrier()` in WGSL, `bar.sync` in PTX",
        _ => "`storageBarrier()` in WGSL, `bar.sync` in PTX",
    }
}

/// `file:line:column`, or what is known of it.
pub fn place(span: Span, files: &[SourceFile]) -> String {
    let file = usize::try_from(span.file).ok().and_then(|index| files.get(index));
    let file = file.map_or("unknown source", |file| file.name.as_str());
    format_place(&Place { file: file.to_owned(), line: span.line, column: span.column })
}

/// A place as `file:line:column`.
pub fn format_place(place: &Place) -> String {
    let file = plain(&place.file);
    if place.line == 0 { file } else { format!("{file}:{}:{}", place.line, place.column) }
}

/// Whether two spans are the same stretch of source, however the code was inlined.
pub fn same_place(a: Span, b: Span) -> bool {
    (a.file, a.line, a.column, a.start, a.end) == (b.file, b.line, b.column, b.start, b.end)
}

/// A position in the grid or a workgroup: one number where y and z are zero.
pub fn position([x, y, z]: [u32; 3]) -> String {
    if y == 0 && z == 0 { x.to_string() } else { format!("({x}, {y}, {z})") }
}

pub(crate) fn invocation(site: &AccessSite) -> String {
    format!("invocation {}", position(site.local))
}

fn name(site: &AccessSite) -> String {
    format!("`{}`", plain(&site.buffer))
}

pub(crate) fn element(site: &AccessSite) -> String {
    match site.element {
        Some(index) => format!("element {index} of {}", name(site)),
        None => format!("byte {} of {}", site.byte_offset, name(site)),
    }
}

fn output_name(finding: &Finding) -> String {
    match &finding.detail {
        Detail::Outputs { buffer, .. } | Detail::Mismatch { buffer, .. } => format!("`{}`", plain(buffer)),
        _ => name(&finding.first),
    }
}

pub(crate) const fn verb(action: Action) -> &'static str {
    match action {
        Action::Read => "reads",
        Action::Write => "writes",
        Action::AtomicRead => "atomically reads",
        Action::AtomicWrite => "atomically updates",
        Action::Barrier => "waits at",
        Action::Ended => "ended before",
    }
}

const fn noun(site: &AccessSite) -> &'static str {
    match site.action {
        Action::Write => "write",
        Action::AtomicRead | Action::AtomicWrite => "atomic access",
        _ => "read",
    }
}

/// The low bits that were read or written, as many digits as the access has.
pub fn hexadecimal(value: u64, bytes: u32) -> String {
    let digits = usize::try_from(bytes.clamp(1, 8)).unwrap_or(8) * 2;
    format!("{value:#0width$x}", width = digits + 2)
}
