//! Where results go: standard output in one form, files in others. Progress and errors never come here.
//!
//! A reader that goes away (`gridproof | head`) ends the writing, not the program: the exit code still says what
//! was found.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf, is_separator};

use anyhow::{Context, bail};
use clap::ValueEnum;
use gridproof_report::html::Page;
use gridproof_report::human::{Amount, Options};

use crate::flags::{Color, CommonFlags, Format};

/// A file to write, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The form.
    pub format: Format,
    /// Where.
    pub path: PathBuf,
}

impl OutputFile {
    /// Reads `FORMAT=PATH`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (format, path) = text.split_once('=').ok_or("expected FORMAT=PATH, as json=report.json")?;
        let format = Format::from_str(format, false)
            .map_err(|_| format!("unknown format `{format}`: expected human, json, junit, sarif, html or trace"))?;
        if path.is_empty() {
            return Err("the path is empty".to_owned());
        }
        Ok(Self { format, path: PathBuf::from(path) })
    }

    /// Whether pages go into a folder: the path ends with a separator, or is one. A page that is to be a file has the
    /// ending that browsers know.
    fn is_folder(&self) -> anyhow::Result<bool> {
        let path = &self.path;
        if self.format != Format::Html {
            return Ok(false);
        }
        if path.is_dir() || path.as_os_str().to_string_lossy().ends_with(is_separator) {
            return Ok(true);
        }
        match path.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("html") || ending.eq_ignore_ascii_case("htm") => Ok(false),
            _ => bail!("{0}: expected a file that ends in .html, or a folder as {0}/", path.display()),
        }
    }
}

/// Where the results of this run go.
#[derive(Clone, Debug)]
pub struct Output {
    format: Format,
    files: Vec<OutputFile>,
    color: Color,
    /// How much the human form says.
    pub amount: Amount,
}

/// Something that has its result in all forms, or in some.
pub trait Rendered {
    /// The result in one form. Files have no colour and no terminal.
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String>;

    /// The result as pages for a folder.
    fn pages(&self, layout: &Layout) -> anyhow::Result<Vec<Page>> {
        Ok(vec![Page { name: "index.html".to_owned(), text: self.render(Format::Html, layout)? }])
    }
}

/// What a human form may look like.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Colour, width and amount.
    pub options: Options,
    /// Whether a person looks at it right now.
    pub terminal: bool,
}

impl Output {
    /// Takes the flags, and looks at the folders now: a long run should not end in a path that cannot be written.
    pub fn new(flags: &CommonFlags) -> anyhow::Result<Self> {
        for file in &flags.output {
            if !file.is_folder()? {
                check_folder(&file.path)?;
            }
        }
        let amount = match (flags.quiet, flags.verbose) {
            (true, _) => Amount::Brief,
            (_, true) => Amount::Full,
            _ => Amount::Normal,
        };
        Ok(Self { format: flags.format, files: flags.output.clone(), color: flags.color, amount })
    }

    /// Whether some form draws what each turn of a schedule did.
    pub fn draws_turns(&self) -> bool {
        let draws = |format: Format| matches!(format, Format::Html | Format::Trace);
        draws(self.format) || self.files.iter().any(|file| draws(file.format))
    }

    /// Whether progress may be shown.
    pub fn shows_progress(&self) -> bool {
        self.amount != Amount::Brief
    }

    /// Writes a result to standard output and to all files.
    pub fn write(&self, result: &impl Rendered) -> anyhow::Result<()> {
        print(&result.render(self.format, &self.layout())?)?;
        let options = Options { amount: self.amount, ..Options::default() };
        let layout = Layout { options, terminal: false };
        for file in &self.files {
            if file.is_folder()? {
                write_folder(&file.path, &result.pages(&layout)?)?;
            } else {
                write_file(&file.path, &result.render(file.format, &layout)?)?;
            }
        }
        Ok(())
    }

    fn layout(&self) -> Layout {
        let terminal = io::stdout().is_terminal();
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        let width = width.unwrap_or(Options::default().width);
        Layout { options: Options { color: self.color(terminal), width, amount: self.amount }, terminal }
    }

    fn color(&self, terminal: bool) -> bool {
        let unwanted = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                terminal && !unwanted("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Writes pages side by side; the folder is made where it is missing.
fn write_folder(folder: &Path, pages: &[Page]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    pages.iter().try_for_each(|page| write_file(&folder.join(&page.name), &page.text))
}

/// Writes to standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output: cannot be written")
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error. Where that is closed there is nobody to tell.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn check_folder(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!("{}: is a folder, expected a file to write", path.display());
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            bail!("{}: there is no folder `{}` to write it in", path.display(), folder.display())
        }
        _ => Ok(()),
    }
}

/// The error for a form that a command does not have.
pub fn no_form(command: &str, format: Format) -> anyhow::Error {
    let name = format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    anyhow::anyhow!("`{command}` has no {name} form: expected human or json")
}
