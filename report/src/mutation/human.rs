//! The mutation table for a person, and what can be left out as suggestions.

use annotate_snippets::{Element, Level};
use gridproof_launch::Construct;
use gridproof_simulator::finding::Severity;
use gridproof_simulator::ir::Span;

use super::{Evidence, Fate, Kernel, LeftOut, Mutant, MutationReport};
use crate::human::{Amount, Options, located, print};
use crate::text::{count, entry, number, plain, printable, seconds, wrap};
use crate::words::{Label, place, severity, words};

/// Columns before the texts of a mutant.
const INDENT: usize = 11;

/// One table a kernel, with its suggestions, then the totals.
pub fn render(report: &MutationReport, options: &Options) -> String {
    let width = options.width.clamp(60, 160);
    let mut text: String = report.kernels.iter().map(|kernel| Page { kernel, options, width }.text()).collect();
    let all: usize = report.kernels.iter().map(|kernel| kernel.mutants.len()).sum();
    let noticed = report.kernels.iter().map(Kernel::noticed).sum();
    let skipped = report.kernels.iter().filter(|kernel| kernel.skipped.is_some()).count();
    let skips = if skipped == 0 { String::new() } else { format!(", {} skipped", count(skipped as u64, "kernel")) };
    text += &format!("{}{skips}, in {}\n", share(noticed, all), seconds(report.elapsed));
    text
}

/// How many mutants there are, and the share that was noticed.
fn share(noticed: usize, all: usize) -> String {
    let mutants = count(all as u64, "mutant");
    match (noticed * 100).checked_div(all) {
        Some(percent) => format!("{mutants}, {noticed} noticed ({percent} %)"),
        None => mutants,
    }
}

struct Page<'a> {
    kernel: &'a Kernel,
    options: &'a Options,
    width: usize,
}

impl Page<'_> {
    fn text(&self) -> String {
        let kernel = self.kernel;
        if let Some(reason) = &kernel.skipped {
            return format!("{}: skipped: {}\n\n", plain(&kernel.name), printable(reason));
        }
        let mut text = format!("{}: {}\n", plain(&kernel.name), share(kernel.noticed(), kernel.mutants.len()));
        if self.options.amount != Amount::Brief {
            for (position, launch) in kernel.launches.iter().enumerate() {
                text += &self.entry(&format!("launch {}", position + 1), &plain(launch));
            }
            for LeftOut { launch, reason, .. } in &kernel.left_out {
                text += &self.entry("left out", &format!("{}: {}", plain(launch), printable(reason)));
            }
        }
        for mutant in &kernel.mutants {
            text += &self.entry(mutant.site.construct.name(), &self.mutant(mutant));
        }
        text += "\n";
        let survivors = kernel.mutants.iter().filter(|mutant| !matches!(mutant.fate, Fate::Needed { .. }));
        if self.options.amount != Amount::Brief {
            text.extend(survivors.map(|mutant| self.survivor(mutant)));
            text.extend(self.together());
        }
        text
    }

    fn entry(&self, label: &str, text: &str) -> String {
        entry(label, INDENT, text, self.width) + "\n"
    }

    fn mutant(&self, mutant: &Mutant) -> String {
        let place = place(mutant.span, &self.kernel.files);
        format!("{place} in {}: {}", plain(&mutant.entries.join(", ")), self.fate(mutant))
    }

    fn fate(&self, mutant: &Mutant) -> String {
        match &mutant.fate {
            Fate::Needed { launch, evidence } => format!("needed: {}{}", self.evidence(evidence), self.on(*launch)),
            Fate::Redundant => "REDUNDANT".to_owned(),
            Fate::Idle => match mutant.site.construct {
                Construct::Barrier => "idle: no launch came to it".to_owned(),
                Construct::Guard => "idle: it left nothing out in any launch".to_owned(),
            },
            Fate::Undecided { launch, reason } => format!("undecided: {}{}", printable(reason), self.on(*launch)),
        }
    }

    /// What redundant means.
    fn clean(&self, clean: &str) -> String {
        let launches = match self.kernel.launches.len() {
            1 => "the launch is".to_owned(),
            several => format!("all {several} launches are"),
        };
        let schedules = if self.kernel.explored { "every schedule explored" } else { "every schedule" };
        format!("without it, {launches} {clean} under {schedules}, with the same outputs")
    }

    /// On which launch, where there are several.
    fn on(&self, launch: usize) -> String {
        if self.kernel.launches.len() > 1 { format!(" (launch {})", launch + 1) } else { String::new() }
    }

    fn evidence(&self, evidence: &Evidence) -> String {
        match evidence {
            Evidence::Finding { finding, others, files } => {
                let code = finding.rule.code();
                let level = match finding.severity {
                    Severity::Error => String::new(),
                    Severity::Warning => format!("{} ", severity(finding.severity)),
                };
                let first = place(finding.first.span, files);
                let second = finding.second.as_ref().map(|second| format!(" and {}", place(second.span, files)));
                let rest = if *others == 0 { String::new() } else { format!(", and {others} more") };
                let title = words(finding, files, None).title;
                format!("{level}{code}: {title}, at {first}{}{rest}", second.unwrap_or_default())
            }
            Evidence::Outputs { differing_bytes } => {
                format!("{} of the outputs differ, and no detector says why", count(*differing_bytes, "byte"))
            }
            Evidence::Endless { exhausted } => {
                format!("it does not end within {} instructions", number(exhausted.limit))
            }
        }
    }

    /// What survived, with its line and the reason.
    fn survivor(&self, mutant: &Mutant) -> String {
        let construct = mutant.site.construct;
        let name = construct.name();
        let (level, title, note) = match (&mutant.fate, construct) {
            (Fate::Redundant, Construct::Barrier) => (
                self.suggestion(),
                "this barrier is redundant in every launch tried".to_owned(),
                self.clean("race-free"),
            ),
            (Fate::Redundant, Construct::Guard) => (
                self.suggestion(),
                "this guard is redundant in every launch tried, though it leaves accesses out".to_owned(),
                self.clean("clean"),
            ),
            (Fate::Idle, _) => (
                Level::NOTE,
                format!("nothing is known about this {name}: {}", self.fate(mutant).trim_start_matches("idle: ")),
                "try a launch where it matters".to_owned(),
            ),
            (Fate::Undecided { reason, .. }, _) => {
                (Level::WARNING, format!("not decided whether this {name} is needed"), printable(reason))
            }
            (Fate::Needed { .. }, _) => return String::new(),
        };
        let label = Label { span: mutant.span, text: format!("in {}", plain(&mutant.entries.join(", "))) };
        let mut elements = located(&[label], &self.kernel.files);
        elements.push(self.note(&note));
        elements.extend(self.wrong());
        print(level.primary_title(title).elements(elements), self.options, self.width)
    }

    /// A kernel that is wrong elsewhere has to be mended before anything is left out of it.
    fn suggestion(&self) -> Level<'static> {
        if self.kernel.is_wrong() { Level::NOTE } else { Level::HELP }
    }

    fn wrong(&self) -> Option<Element<'static>> {
        let text = "the kernel is wrong as it is on the launches left out: mend that first, then ask again";
        self.kernel.is_wrong().then(|| self.note(text))
    }

    /// Which redundant barriers go together.
    fn together(&self) -> Option<String> {
        let together = self.kernel.together.as_ref()?;
        let at = |position: &usize| self.kernel.mutants.get(*position).map(|mutant| mutant.span).unwrap_or_default();
        let places = |positions: &[usize]| {
            let places: Vec<String> =
                positions.iter().map(|position| place(at(position), &self.kernel.files)).collect();
            places.join(", ")
        };
        let labels: Vec<Label> = together.without.iter().map(|position| self.label(at(position))).collect();
        let mut elements = located(&labels, &self.kernel.files);
        if !together.not_with_these.is_empty() {
            let text = format!("with these left out, one is needed at {}", places(&together.not_with_these));
            elements.push(self.note(&text));
        }
        let title = match together.without.len() {
            1 => "only one of the redundant barriers can be left out".to_owned(),
            several => format!("{several} redundant barriers can be left out together"),
        };
        elements.extend(self.wrong());
        Some(print(self.suggestion().primary_title(title).elements(elements), self.options, self.width))
    }

    fn label(&self, span: Span) -> Label {
        Label { span, text: "can go".to_owned() }
    }

    fn note(&self, text: &str) -> Element<'static> {
        Level::NOTE.message(wrap(text, self.width - 16, "")).into()
    }
}
