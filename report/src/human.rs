//! The report for a person, in the style of rustc: each finding with its source lines, then the verdict.
//!
//! The text is for reading only; programs read the JSON.

use annotate_snippets::renderer::{AnsiColor, Effects, Style};
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Message, Origin, Renderer, Snippet};
use gridproof_simulator::finding::Severity;
use gridproof_simulator::ir::{SourceFile, Span};
use gridproof_simulator::{Finding, Unsupported};

use crate::model::{CheckReport, ExpectedFinding, OutputError, ReplayReport, Subject, Verdict};
use crate::text::{count, entry, plain, printable, seconds, wrap};
use crate::verdict;
use crate::words::{Label, Words, format_place, place, severity, words};
use crate::{source, steps};

/// How to lay a report out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// Columns to keep to; held between 60 and 160.
    pub width: usize,
    /// How much to say.
    pub amount: Amount,
}

impl Default for Options {
    fn default() -> Self {
        Self { color: false, width: 100, amount: Amount::Normal }
    }
}

/// How much a report says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    /// One line per finding, and the verdict.
    Brief,
    /// Everything that helps to understand a finding; long lists are cut.
    #[default]
    Normal,
    /// Nothing is cut.
    Full,
}

/// Entries of a list that [`Amount::Normal`] shows.
const SHOWN: usize = 5;

/// The whole report.
pub fn render(report: &CheckReport, options: &Options) -> String {
    let page = Page { report, options, width: options.width.clamp(60, 160) };
    let mut text = String::new();
    for finding in &report.findings {
        text += &page.finding(finding);
    }
    if let Some(unsupported) = &report.unsupported {
        text += &page.unsupported(unsupported);
    }
    text += &page.summary();
    text
}

struct Page<'a> {
    report: &'a CheckReport,
    options: &'a Options,
    width: usize,
}

impl Page<'_> {
    fn full(&self) -> bool {
        self.options.amount == Amount::Full
    }

    fn brief(&self) -> bool {
        self.options.amount == Amount::Brief
    }

    fn finding(&self, finding: &Finding) -> String {
        let files = &self.report.files;
        let words = words(finding, files, self.full().then_some(usize::MAX));
        if self.brief() {
            let accepted = self.report.acceptance(finding).map(|reason| format!("    accepted: {}\n", plain(reason)));
            return one_line(finding, &words, files) + &accepted.unwrap_or_default();
        }
        let level = if finding.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
        let mut elements = located(&words.labels, files);
        elements.extend(words.notes.iter().map(|note| self.message(Level::NOTE, note)));
        let accepted = self.report.acceptance(finding);
        elements.extend(accepted.map(|reason| self.message(Level::NOTE, &format!("accepted: {}", plain(reason)))));
        elements.extend(self.schedule(finding, &words).map(Element::from));
        elements.push(self.message(Level::HELP, &words.help));
        let title = level.primary_title(words.title).id(finding.rule.code());
        self.group(title.elements(elements))
    }

    fn schedule(&self, finding: &Finding, words: &Words) -> Option<Message<'static>> {
        let schedule = finding.schedule.as_ref()?;
        let mut text = format!("a schedule that shows it, on {}:", steps::slots(schedule));
        for (number, step) in words.steps.iter().enumerate() {
            text += &format!("\n{:>2}. {}", number + 1, wrap(step, self.room(), "    "));
        }
        text += &format!("\nreplay it: {}", printable(&verdict::replay_command(self.report, schedule)));
        Some(Level::NOTE.message(text))
    }

    fn message(&self, level: Level<'static>, text: &str) -> Element<'static> {
        level.message(wrap(text, self.room(), "")).into()
    }

    /// Columns left beside the line-number gutter and `= note: `.
    fn room(&self) -> usize {
        self.width - 16
    }

    fn group(&self, group: Group<'_>) -> String {
        print(group, self.options, self.width)
    }

    fn unsupported(&self, unsupported: &Unsupported) -> String {
        let Unsupported { construct, file, line, column } = unsupported;
        let title = format!("unsupported: {}", plain(construct));
        if self.brief() {
            return format!("{}:{line}:{column}: {title}\n", plain(file));
        }
        let files = &self.report.files;
        let position = files.iter().position(|known| known.name == *file).and_then(|index| u32::try_from(index).ok());
        let mut elements = match position {
            Some(file) => {
                let span = Span { file, line: *line, column: *column, ..Span::default() };
                located(&[Label { span, text: "the simulator does not model this".to_owned() }], files)
            }
            None => vec![origin(file, *line, *column)],
        };
        elements
            .push(self.message(Level::NOTE, "nothing is said about races here: neither that there are any, nor none"));
        self.group(Level::ERROR.primary_title(title).elements(elements))
    }

    fn summary(&self) -> String {
        let mut lines = vec![self.verdict_line()];
        lines.extend(self.facts().into_iter().map(|(name, text)| fact(name, &text, self.width)));
        lines.join("\n") + "\n"
    }

    fn verdict_line(&self) -> String {
        let color = match self.report.verdict {
            Verdict::RaceFree => AnsiColor::BrightGreen,
            Verdict::Racy | Verdict::Faulty => AnsiColor::BrightRed,
            Verdict::Unsupported | Verdict::Incomplete => AnsiColor::BrightYellow,
        };
        let text = wrap(&verdict::verdict(self.report), self.width, "  ");
        if self.options.color { with_first_word(&text, self.report.verdict.word(), color) } else { text }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let report = self.report;
        let mut facts = vec![("checked", checked(report))];
        facts.extend(verdict::safe_under(report).map(|text| ("scheduler", text)));
        if self.brief() {
            return facts;
        }
        if !report.rungs.is_empty() {
            facts.push(("tried", verdict::ladder(report).join("\n") + "\n" + verdict::CAVEAT));
        }
        for one in &report.explorations {
            facts.push(("explored", verdict::exploration(one).join("\n")));
        }
        facts.extend(report.threshold.as_ref().map(|threshold| ("threshold", verdict::threshold(threshold))));
        if !report.output_errors.is_empty() {
            let lines: Vec<_> = report.output_errors.iter().map(output_error).collect();
            facts.push(("outputs", lines.join("\n")));
        }
        facts.extend(verdict::chosen_outputs(report).map(|text| ("outputs", text)));
        facts.extend(self.approximations().map(|text| ("devices", text)));
        facts.extend(verdict::exhausted(report).map(|text| ("ran out", text)));
        facts.push(("done", self.done()));
        facts.push(("time", seconds(report.elapsed)));
        facts.push(("repeat", report.command.clone()));
        facts
    }

    fn approximations(&self) -> Option<String> {
        let all = &self.report.approximations;
        if all.is_empty() {
            return None;
        }
        let shown = if self.full() { all.len() } else { SHOWN };
        let mut places: Vec<_> = all
            .iter()
            .take(shown)
            .map(|one| format!("{} at {}", plain(&one.operation), place(one.span, &self.report.files)))
            .collect();
        if all.len() > shown {
            places.push(format!("and {}", count((all.len() - shown) as u64, "more place")));
        }
        Some(format!("may compute different bits: {}", places.join(", ")))
    }

    fn done(&self) -> String {
        let mut text = verdict::stats(self.report);
        if self.full() {
            text += &format!(", at most {} of memory", crate::text::bytes(self.report.stats.peak_memory));
        }
        text
    }
}

fn one_line(finding: &Finding, words: &Words, files: &[SourceFile]) -> String {
    let (place, level) = (place(finding.first.span, files), severity(finding.severity));
    format!("{place}: {level}[{}]: {}\n", finding.rule.code(), words.title)
}

fn with_first_word(text: &str, word: &str, color: AnsiColor) -> String {
    let style = Style::new().fg_color(Some(color.into())).effects(Effects::BOLD);
    format!("{style}{word}{style:#}{}", text.strip_prefix(word).unwrap_or(text))
}

fn fact(name: &str, text: &str, width: usize) -> String {
    entry(name, 10, &printable_lines(text), width)
}

/// What a replay gave: one line per finding, then whether the expected one is among them.
pub fn replay(report: &ReplayReport, options: &Options) -> String {
    let width = options.width.clamp(60, 160);
    let mut text = String::new();
    for finding in &report.findings {
        text += &one_line(finding, &words(finding, &report.files, None), &report.files);
    }
    let word = if report.reproduced { "reproduced" } else { "not reproduced" };
    let color = if report.reproduced { AnsiColor::BrightRed } else { AnsiColor::BrightGreen };
    text += &if options.color { with_first_word(word, word, color) } else { word.to_owned() };
    for (name, value) in replay_facts(report, options.amount) {
        text += &format!("\n{}", fact(name, &value, width));
    }
    text + "\n"
}

fn replay_facts(report: &ReplayReport, amount: Amount) -> Vec<(&'static str, String)> {
    let mut facts = vec![("launch", verdict::subject(&report.replay.subject))];
    facts.extend(report.replay.expected.as_ref().map(|expected| ("expected", expected_words(expected))));
    if let Some(schedule) = &report.replay.schedule {
        let steps = steps::steps(schedule, (amount == Amount::Full).then_some(usize::MAX));
        let steps: Vec<_> = steps.iter().enumerate().map(|(number, step)| format!("{}. {step}", number + 1)).collect();
        facts.push(("schedule", format!("on {}:\n{}", steps::slots(schedule), steps.join("\n"))));
    }
    if let Some(exhausted) = &report.exhausted {
        facts.push(("ran out", verdict::exhausted_words(exhausted, &report.files)));
    }
    let differing = count(report.differing_bytes, "output byte");
    facts.push(("outputs", format!("{differing} differ from the race-free run, digest {:016x}", report.digest)));
    facts.push(("time", seconds(report.elapsed)));
    facts
}

fn expected_words(expected: &ExpectedFinding) -> String {
    let second = expected.second.as_ref().map(|second| format!(" and {}", format_place(second))).unwrap_or_default();
    format!("{} on `{}` at {}{second}", expected.rule.code(), plain(&expected.buffer), format_place(&expected.first))
}

/// What was checked, with its settings, in one line.
pub(crate) fn checked(report: &CheckReport) -> String {
    let settings = &report.settings;
    let (Subject::Catalogue { seed, .. } | Subject::File { seed, .. }) = &report.subject;
    format!(
        "{} (data seed {seed}, arithmetic {}, {} invocations a subgroup)",
        verdict::subject(&report.subject),
        report.arithmetic,
        settings.subgroup_size
    )
}

/// The distance of one output to the oracle, in one line.
pub(crate) fn output_error(error: &OutputError) -> String {
    let OutputError { run, buffer, relative, first_wrong_element, wrong_elements } = error;
    let mut text = format!("{}: `{}` has relative error {relative:.4} to f64", plain(run), plain(buffer));
    if let Some(first) = first_wrong_element {
        text += &format!(", {} wrong, the first is {first}", count(*wrong_elements, "element"));
    }
    text
}

fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// One message with its lines of source, and an empty line behind it.
pub(crate) fn print(group: Group<'_>, options: &Options, width: usize) -> String {
    let renderer = if options.color { Renderer::styled() } else { Renderer::plain() };
    let text = renderer.term_width(width).render(&[group]);
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n\n"
}

/// One snippet per file that has text, one origin line per label that has none.
pub(crate) fn located<'a>(labels: &[Label], files: &'a [SourceFile]) -> Vec<Element<'a>> {
    let mut elements = Vec::new();
    let mut snippets: Vec<(u32, Snippet<'a, Annotation<'a>>)> = Vec::new();
    for (position, label) in labels.iter().enumerate() {
        let kind = if position == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let Some((file, text, range)) = quoted(label.span, files) else {
            elements.extend(unquoted(label, files));
            continue;
        };
        let annotation = kind.span(range).label(label.text.clone());
        match snippets.iter().position(|(known, _)| *known == label.span.file) {
            Some(known) => {
                let (number, snippet) = snippets.remove(known);
                snippets.insert(known, (number, snippet.annotation(annotation)));
            }
            None => {
                let snippet = Snippet::source(text).path(plain(&file.name)).annotation(annotation);
                snippets.push((label.span.file, snippet));
            }
        }
    }
    snippets.into_iter().map(|(_, snippet)| snippet.into()).chain(elements).collect()
}

fn quoted(span: Span, files: &[SourceFile]) -> Option<(&SourceFile, &str, std::ops::Range<usize>)> {
    let file = source::file(span, files)?;
    let text = file.text.as_deref()?;
    Some((file, text, source::range(span, text)?))
}

fn unquoted(label: &Label, files: &[SourceFile]) -> [Element<'static>; 2] {
    let name = source::file(label.span, files).map_or("unknown source", |file| file.name.as_str());
    [origin(name, label.span.line, label.span.column), Level::NOTE.message(label.text.clone()).into()]
}

fn origin(file: &str, line: u32, column: u32) -> Element<'static> {
    let origin = Origin::path(plain(file));
    let known = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    if line == 0 { origin.into() } else { origin.line(known(line)).char_column(known(column)).into() }
}
