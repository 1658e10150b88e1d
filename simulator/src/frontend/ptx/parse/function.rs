//! Kernels and device functions.

use super::ParseError;
use super::cursor::{Parsed, Parser};
use super::directive::is_known;
use crate::frontend::ptx::ast::{Function, Linkage, Name};

/// Directives of a function, in the order of the text.
#[derive(Debug, Default)]
struct Directives<'t> {
    required_size: Option<[u32; 3]>,
    largest_size: Option<[u32; 3]>,
    others: Vec<Name<'t>>,
}

impl<'t> Parser<'t> {
    /// `.entry ...` or `.func ...`, at the directive; `start` is the first byte of its linkage.
    pub(super) fn function(&mut self, start: u32, linkage: Linkage) -> Parsed<Function<'t>> {
        let is_entry = self.dotted() == Some("entry");
        self.advance()?;
        self.scoped(|parser| {
            let mut directives = Directives::default();
            parser.directives(&mut directives)?;
            let returns = if !is_entry && parser.at(b'(') { parser.parameters()? } else { Vec::new() };
            let name = parser.name(if is_entry { "the kernel's name" } else { "the function's name" })?;
            let parameters = if parser.at(b'(') { parser.parameters()? } else { Vec::new() };
            parser.directives(&mut directives)?;
            let body = if parser.at(b'{') {
                Some(parser.block()?)
            } else {
                parser.expect(b';', "or `{` after the function's head")?;
                None
            };
            let Directives { required_size, largest_size, others: directives } = directives;
            let place = parser.since(start);
            Ok(Function {
                is_entry,
                linkage,
                name,
                returns,
                parameters,
                required_size,
                largest_size,
                directives,
                body,
                place,
            })
        })
    }

    fn directives(&mut self, found: &mut Directives<'t>) -> Parsed<()> {
        while let Some(word) = self.dotted() {
            match word {
                "reqntid" => found.required_size = Some(self.extents()?),
                "maxntid" => found.largest_size = Some(self.extents()?),
                "pragma" => self.pragma().map(drop)?,
                "attribute" => found.others.extend(self.attribute()?),
                "reqnctapercluster" => {
                    found.others.push(self.undotted(self.token));
                    self.extents()?;
                }
                "minnctapersm"
                | "maxnctapersm"
                | "maxnreg"
                | "maxclusterrank"
                | "abi_preserve"
                | "abi_preserve_control" => {
                    let directive = self.advance()?;
                    found.others.push(self.undotted(directive));
                    self.number(&format!("`.{word}`"), u32::MAX)?;
                }
                "noreturn" | "explicitcluster" | "blocksareclusters" => {
                    let directive = self.advance()?;
                    found.others.push(self.undotted(directive));
                }
                _ if is_known(word) => break,
                _ => return Err(self.misplaced("in the head of a function")),
            }
        }
        Ok(())
    }

    /// `.directive x, y, z`; what is left out is 1.
    fn extents(&mut self) -> Parsed<[u32; 3]> {
        let directive = self.advance()?;
        let what = format!("`{}`", self.text(directive));
        let mut extents = [1; 3];
        for (axis, extent) in extents.iter_mut().enumerate() {
            if axis > 0 && !self.take(b',')? {
                break;
            }
            *extent = self.number(&what, u32::MAX)?;
        }
        if extents.contains(&0) {
            return Err(ParseError::new(self.since(directive.place.start), format!("{what} has an extent of 0")));
        }
        Ok(extents)
    }

    /// `.attribute(.name, .name(value, ...))`, at the directive: the names.
    pub(super) fn attribute(&mut self) -> Parsed<Vec<Name<'t>>> {
        self.advance()?;
        self.expect(b'(', "after `.attribute`")?;
        let mut names = Vec::new();
        while let Some(word) = self.dotted() {
            if !matches!(word, "managed" | "unified") {
                return Err(self.expected("`.managed` or `.unified`"));
            }
            let token = self.advance()?;
            names.push(self.undotted(token));
            if self.take(b'(')? {
                self.attribute_values()?;
            }
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(b')', "after the attributes")?;
        Ok(names)
    }

    fn attribute_values(&mut self) -> Parsed<()> {
        loop {
            self.constant()?;
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(b')', "after the attribute's values").map(drop)
    }
}
