//! The module's own directives: what stands outside of functions, and line information.

use std::collections::HashSet;

use super::ParseError;
use super::cursor::{Parsed, Parser};
use super::lexer::Kind;
use super::variable::state_space;
use crate::frontend::ptx::ast::{File, Location, Module, Name};

/// Oldest `.version` whose grammar this is.
const OLDEST: u32 = 6;
/// Newest major `.version` that is known.
const NEWEST: u32 = 9;

/// Whether PTX has a directive of this name, wherever it belongs.
pub(super) fn is_known(word: &str) -> bool {
    const KNOWN: [&str; 40] = [
        "version",
        "target",
        "address_size",
        "file",
        "loc",
        "section",
        "pragma",
        "visible",
        "extern",
        "weak",
        "common",
        "entry",
        "func",
        "alias",
        "reg",
        "const",
        "global",
        "local",
        "param",
        "shared",
        "align",
        "ptr",
        "attribute",
        "maxntid",
        "reqntid",
        "minnctapersm",
        "maxnctapersm",
        "maxnreg",
        "noreturn",
        "reqnctapercluster",
        "explicitcluster",
        "maxclusterrank",
        "blocksareclusters",
        "abi_preserve",
        "abi_preserve_control",
        "branchtargets",
        "calltargets",
        "callprototype",
        "tex",
        "sreg",
    ];
    KNOWN.contains(&word)
}

impl<'t> Parser<'t> {
    /// The whole text.
    pub(super) fn module(&mut self) -> Parsed<Module<'t>> {
        let mut module = Module {
            version: self.version()?,
            targets: Vec::new(),
            address_size: 32,
            files: Vec::new(),
            variables: Vec::new(),
            functions: Vec::new(),
        };
        let mut defined = HashSet::new();
        while self.token.kind != Kind::End {
            if self.take(b';')? {
                continue;
            }
            self.item(&mut module, &mut defined)?;
        }
        Ok(module)
    }

    fn version(&mut self) -> Parsed<(u32, u32)> {
        if self.dotted() != Some("version") {
            return Err(self.expected("`.version` first"));
        }
        self.advance()?;
        let token = self.token;
        let text = self.text(token);
        let parts = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let (Kind::Number, Some((major, minor))) = (token.kind, parts) else {
            return Err(self.expected("a version such as `8.5`"));
        };
        if !(OLDEST..=NEWEST).contains(&major) {
            let limit = format!("PTX version {text}: versions {OLDEST}.0 to {NEWEST}.x are supported");
            return Err(ParseError::unsupported(token.place, limit));
        }
        self.advance()?;
        Ok((major, minor))
    }

    fn item(&mut self, module: &mut Module<'t>, defined: &mut HashSet<&'t str>) -> Parsed<()> {
        let start = self.token.place.start;
        let linkage = self.linkage()?;
        let Some(word) = self.dotted() else { return Err(self.expected("a directive")) };
        if let Some(space) = state_space(word) {
            let linkage = linkage.unwrap_or_default();
            return self.variables(space, linkage, |variable| module.variables.push(variable));
        }
        if matches!(word, "entry" | "func") {
            let function = self.function(start, linkage.unwrap_or_default())?;
            let name = function.name;
            if function.body.is_some() && !defined.insert(name.text) {
                return Err(ParseError::new(name.place, format!("function `{}` is defined twice", name.text)));
            }
            module.functions.push(function);
            return Ok(());
        }
        if linkage.is_some() {
            return Err(self.expected("a state space, `.entry` or `.func`"));
        }
        self.module_directive(word, module)
    }

    fn module_directive(&mut self, word: &str, module: &mut Module<'t>) -> Parsed<()> {
        match word {
            "version" => Err(ParseError::new(self.token.place, "a second `.version`: a module has one")),
            "target" => self.targets(&mut module.targets),
            "address_size" => {
                module.address_size = self.address_size()?;
                Ok(())
            }
            "file" => {
                module.files.push(self.file()?);
                Ok(())
            }
            "loc" => self.location().map(drop),
            "section" => self.section(),
            "pragma" => self.pragma().map(drop),
            "alias" => Err(ParseError::unsupported(self.token.place, "`.alias`")),
            "tex" | "sreg" => Err(ParseError::unsupported(self.token.place, format!("`.{word}` variables"))),
            _ => Err(self.misplaced("outside of functions")),
        }
    }

    fn targets(&mut self, targets: &mut Vec<Name<'t>>) -> Parsed<()> {
        self.advance()?;
        loop {
            targets.push(self.name("a target such as `sm_90`")?);
            if !self.take(b',')? {
                return Ok(());
            }
        }
    }

    fn address_size(&mut self) -> Parsed<u32> {
        self.advance()?;
        let start = self.token.place.start;
        let size = self.number("`.address_size`", u32::MAX)?;
        if matches!(size, 32 | 64) {
            return Ok(size);
        }
        Err(ParseError::new(self.since(start), format!("`.address_size` is {size}: expected 32 or 64")))
    }

    /// `.file index ["folder"] "name"[, timestamp, size]`.
    fn file(&mut self) -> Parsed<File> {
        self.advance()?;
        let index = self.plain("a file index")?;
        let mut name = self.string("a file name")?;
        if self.token.kind == Kind::Text {
            name = name + "/" + &self.string("a file name")?;
        }
        while self.take(b',')? {
            self.integer("a timestamp or size")?;
        }
        Ok(File { index, name })
    }

    /// `.loc file line column[, function_name label[+offset], inlined_at file line column]`.
    pub(super) fn location(&mut self) -> Parsed<Location<'t>> {
        self.advance()?;
        let (file, line, column) = self.position()?;
        let mut location = Location { file, line, column, inlined_at: None, function: None };
        while self.take(b',')? {
            let word = self.token;
            match self.text(word) {
                "function_name" => {
                    self.advance()?;
                    location.function = Some(self.name("a label")?);
                    self.offset()?;
                }
                "inlined_at" => {
                    self.advance()?;
                    location.inlined_at = Some(self.position()?);
                }
                _ => return Err(self.expected("`function_name` or `inlined_at`")),
            }
        }
        Ok(location)
    }

    fn position(&mut self) -> Parsed<(u32, u32, u32)> {
        Ok((self.plain("a file index")?, self.plain("a line")?, self.plain("a column")?))
    }

    /// A number without operators, as `1 -1` is two of them here.
    fn plain(&mut self, what: &str) -> Parsed<u32> {
        if self.token.kind != Kind::Number {
            return Err(self.expected(what));
        }
        let token = self.advance()?;
        let value = self.literal(token)?.magnitude().and_then(|value| u32::try_from(value).ok());
        value.ok_or_else(|| {
            let text = super::constant::shorten(self.text(token));
            ParseError::new(token.place, format!("{what} is {text}: expected an integer from 0 to {}", u32::MAX))
        })
    }

    /// `.section .name { ... }`: debug information, which nothing here needs.
    fn section(&mut self) -> Parsed<()> {
        self.advance()?;
        if !matches!(self.token.kind, Kind::Dotted | Kind::Word) {
            return Err(self.expected("a section's name"));
        }
        self.advance()?;
        if !self.at(b'{') {
            return Err(self.expected("`{` after the section's name"));
        }
        self.lexer.skip_braces(self.token.place)?;
        self.advance().map(drop)
    }

    /// `.pragma "...", "...";`, at the directive: the strings, joined by commas.
    pub(super) fn pragma(&mut self) -> Parsed<String> {
        self.advance()?;
        let mut text = self.string("a pragma's text")?;
        while self.take(b',')? {
            text.push(',');
            text.push_str(&self.string("a pragma's text")?);
        }
        self.expect(b';', "after the pragma")?;
        Ok(text)
    }

    /// A directive that is unknown, or stands where it may not.
    pub(super) fn misplaced(&self, here: &str) -> ParseError {
        let found = self.found();
        let known = self.dotted().is_some_and(is_known);
        let message = if known {
            format!("directive {found} cannot stand {here}")
        } else {
            format!("unknown directive {found} {here}")
        };
        ParseError::new(self.token.place, message)
    }

    fn string(&mut self, what: &str) -> Parsed<String> {
        if self.token.kind != Kind::Text {
            return Err(self.expected(what));
        }
        let token = self.advance()?;
        let quoted = self.text(token);
        Ok(unescape(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()))
    }
}

/// `\\`, `\"` and `\303` as assemblers write them; any other backslash is one, as in a path of Windows.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [next @ (b'\\' | b'"'), after @ ..]) => {
                bytes.push(*next);
                after
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                after
            }
            _ => {
                bytes.push(first);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
