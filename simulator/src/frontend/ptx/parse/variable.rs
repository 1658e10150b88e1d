//! Declarations of variables, registers and parameters, and their initial values.

use super::ParseError;
use super::constant::Value;
use super::cursor::{Parsed, Parser};
use super::lexer::Kind;
use crate::frontend::ptx::ast::{Initialiser, Linkage, StateSpace, Type, Variable};

/// Most registers that one `%r<n>` may declare.
const REGISTERS: u32 = 1 << 20;
/// Largest `.align`, in bytes.
const ALIGNMENT: u32 = 1 << 30;

/// What stands before the names of a declaration.
#[derive(Clone, Copy, Debug)]
struct Head {
    space: StateSpace,
    linkage: Linkage,
    alignment: Option<u32>,
    ty: Type,
    vector: u32,
    pointer: bool,
}

/// The state space that a directive names.
pub(super) fn state_space(word: &str) -> Option<StateSpace> {
    Some(match word {
        "reg" => StateSpace::Reg,
        "const" => StateSpace::Const,
        "global" => StateSpace::Global,
        "local" => StateSpace::Local,
        "param" => StateSpace::Param,
        "shared" => StateSpace::Shared,
        _ => return None,
    })
}

impl<'t> Parser<'t> {
    /// `.space ... name, name = value, ...;`, at the space.
    pub(super) fn variables(
        &mut self,
        space: StateSpace,
        linkage: Linkage,
        mut keep: impl FnMut(Variable<'t>),
    ) -> Parsed<()> {
        let head = self.head(space, linkage)?;
        loop {
            let variable = self.declarator(head)?;
            let what = if space == StateSpace::Reg { "register" } else { "variable" };
            if linkage != Linkage::Extern {
                self.declare(what, variable.name, variable.count.is_some())?;
            }
            keep(variable);
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(b';', "after the declaration").map(drop)
    }

    /// `(.param ... name, ...)`, at the parenthesis.
    pub(super) fn parameters(&mut self) -> Parsed<Vec<Variable<'t>>> {
        let mut parameters = Vec::new();
        self.expect(b'(', "before the parameters")?;
        while !self.at(b')') {
            let space = match self.dotted().and_then(state_space) {
                Some(space @ (StateSpace::Param | StateSpace::Reg)) => space,
                _ => return Err(self.expected("`.param` or `.reg`")),
            };
            let head = self.head(space, Linkage::Internal)?;
            let variable = self.declarator(head)?;
            self.declare("parameter", variable.name, false)?;
            parameters.push(variable);
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(b')', "after the parameters")?;
        Ok(parameters)
    }

    fn head(&mut self, space: StateSpace, linkage: Linkage) -> Parsed<Head> {
        let directive = self.advance()?;
        let mut head = Head { space, linkage, alignment: None, ty: Type::Pred, vector: 1, pointer: false };
        let mut ty = None;
        while let Some(word) = self.dotted() {
            match word {
                "align" => {
                    self.advance()?;
                    head.alignment = Some(self.alignment()?);
                }
                "attribute" => self.attribute().map(drop)?,
                "ptr" => {
                    self.pointer()?;
                    head.pointer = true;
                }
                "v2" | "v4" | "v8" => {
                    head.vector = if word == "v2" {
                        2
                    } else if word == "v4" {
                        4
                    } else {
                        8
                    };
                    self.advance()?;
                }
                _ => {
                    ty = Some(self.fundamental_type(word)?);
                    self.advance()?;
                }
            }
        }
        let Some(ty) = ty else {
            let directive = self.text(directive);
            return Err(self.expected(&format!("a type after `{directive}`")));
        };
        head.ty = ty;
        Ok(head)
    }

    fn fundamental_type(&self, word: &str) -> Parsed<Type> {
        match word {
            "texref" | "samplerref" | "surfref" => {
                Err(ParseError::unsupported(self.token.place, format!("`.{word}` variables")))
            }
            _ => Type::parse(word).ok_or_else(|| self.expected("a type")),
        }
    }

    fn alignment(&mut self) -> Parsed<u32> {
        let start = self.token.place.start;
        let bytes = self.number("`.align`", ALIGNMENT)?;
        if bytes.is_power_of_two() {
            return Ok(bytes);
        }
        Err(ParseError::new(self.since(start), format!("`.align` is {bytes}: expected a power of two")))
    }

    /// `.ptr .space .align n`: what a parameter points to, of which the syntax tree keeps nothing.
    fn pointer(&mut self) -> Parsed<()> {
        self.advance()?;
        if matches!(self.dotted(), Some("const" | "global" | "local" | "shared")) {
            self.advance()?;
        }
        if self.dotted() == Some("align") {
            self.advance()?;
            self.alignment()?;
        }
        Ok(())
    }

    fn declarator(&mut self, head: Head) -> Parsed<Variable<'t>> {
        let Head { space, linkage, alignment, ty, vector, pointer } = head;
        let name = self.name("a name")?;
        let count = if self.at(b'<') { Some(self.count()?) } else { None };
        let mut extents = Vec::new();
        while self.at(b'[') {
            extents.push(self.extent(extents.is_empty())?);
        }
        let initialiser = if self.take(b'=')? { Some(self.initialiser()?) } else { None };
        Ok(Variable { space, linkage, alignment, ty, vector, name, count, extents, initialiser, pointer })
    }

    /// `<5>`. A comparison cannot stand here, so the number is a plain one.
    fn count(&mut self) -> Parsed<u32> {
        self.advance()?;
        if self.token.kind != Kind::Number {
            return Err(self.expected("a number of registers"));
        }
        let token = self.advance()?;
        let count = self.literal(token)?.magnitude().and_then(|count| u32::try_from(count).ok());
        let Some(count) = count.filter(|&count| count <= REGISTERS) else {
            let message = format!("{} registers: the limit is {REGISTERS}", self.text(token));
            return Err(ParseError::unsupported(token.place, message));
        };
        self.expect(b'>', "after the number of registers")?;
        Ok(count)
    }

    fn extent(&mut self, outermost: bool) -> Parsed<Option<u64>> {
        self.advance()?;
        if outermost && self.take(b']')? {
            return Ok(None);
        }
        let start = self.token.place.start;
        let Some(extent) = self.constant()?.magnitude() else {
            return Err(ParseError::new(self.since(start), "an array extent is not an integer from 0"));
        };
        self.expect(b']', "after the array extent")?;
        Ok(Some(extent))
    }

    fn initialiser(&mut self) -> Parsed<Initialiser<'t>> {
        match self.token.kind {
            Kind::Mark(b'{') => self.nested(Self::initialiser_list),
            Kind::Word if self.text(self.token) != "WARP_SZ" => self.symbol(None),
            Kind::Number if self.peek()?.kind == Kind::Mark(b'(') => self.masked(),
            _ => Ok(match self.constant()? {
                Value::Signed(value) => Initialiser::Integer(value.cast_unsigned()),
                Value::Unsigned(value) => Initialiser::Integer(value),
                Value::Single(bits) => Initialiser::Float32(bits),
                Value::Double(value) => Initialiser::Float64(value.to_bits()),
            }),
        }
    }

    fn initialiser_list(&mut self) -> Parsed<Initialiser<'t>> {
        let open = self.advance()?.place;
        let mut parts = Vec::new();
        while !self.at(b'}') {
            parts.push(self.initialiser()?);
            if !self.take(b',')? {
                break;
            }
        }
        if self.token.kind == Kind::End {
            return Err(ParseError::new(open, "`{` is never closed"));
        }
        self.expect(b'}', "after the initial values")?;
        Ok(Initialiser::List(parts))
    }

    /// `0xFF00(symbol)`.
    fn masked(&mut self) -> Parsed<Initialiser<'t>> {
        let token = self.advance()?;
        let Some(mask) = self.literal(token)?.bits() else {
            return Err(ParseError::new(token.place, "a mask is a float, not an integer"));
        };
        self.advance()?;
        let symbol = self.symbol(Some(mask))?;
        self.expect(b')', "after the masked symbol")?;
        Ok(symbol)
    }

    /// `symbol+4`, `generic(symbol)+4`.
    fn symbol(&mut self, mask: Option<u64>) -> Parsed<Initialiser<'t>> {
        let mut name = self.name("a symbol")?;
        let generic = name.text == "generic" && self.at(b'(');
        if generic {
            self.advance()?;
            name = self.name("a symbol")?;
            self.expect(b')', "after the generic symbol")?;
        }
        Ok(Initialiser::Symbol { name, offset: self.offset()?, generic, mask })
    }
}
