//! What a PTX module says, before anything is known about what it means.
//!
//! The parser ([`super::parse`]) accepts the grammar of PTX ISA 8.x and 9.x; which opcodes, modifiers and operands
//! make sense together is the business of [`super::lower`]. Names borrow from the module's text; every part knows its
//! place in it.

/// Bytes of the text: first, and one past the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A word of the text. Modifiers come without their dot, opcodes without their modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'t> {
    /// The word.
    pub text: &'t str,
    /// Where.
    pub place: Place,
}

/// A whole module.
#[derive(Clone, Debug, PartialEq)]
pub struct Module<'t> {
    /// `.version major.minor`.
    pub version: (u32, u32),
    /// `.target` words (`sm_90a`, `debug`, ...).
    pub targets: Vec<Name<'t>>,
    /// `.address_size`: 32 or 64.
    pub address_size: u32,
    /// `.file index "name"`.
    pub files: Vec<File>,
    /// Variables of the module.
    pub variables: Vec<Variable<'t>>,
    /// Kernels and functions, declarations included.
    pub functions: Vec<Function<'t>>,
}

/// `.file index "name"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What `.loc` calls it.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// State spaces of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are PTX's state spaces")]
pub enum StateSpace {
    Reg,
    Const,
    Global,
    Local,
    Param,
    Shared,
}

/// Fundamental types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are PTX's types")]
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    F32,
    F64,
}

impl Type {
    /// Width in bits; a predicate takes 1.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Pred => 1,
            Self::B8 | Self::U8 | Self::S8 => 8,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::Bf16 => 16,
            Self::B32 | Self::U32 | Self::S32 | Self::F16x2 | Self::Bf16x2 | Self::F32 => 32,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 64,
            Self::B128 => 128,
        }
    }

    /// The type a modifier or directive names, without its dot.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "pred" => Self::Pred,
            "b8" => Self::B8,
            "b16" => Self::B16,
            "b32" => Self::B32,
            "b64" => Self::B64,
            "b128" => Self::B128,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "s8" => Self::S8,
            "s16" => Self::S16,
            "s32" => Self::S32,
            "s64" => Self::S64,
            "f16" => Self::F16,
            "f16x2" => Self::F16x2,
            "bf16" => Self::Bf16,
            "bf16x2" => Self::Bf16x2,
            "f32" => Self::F32,
            "f64" => Self::F64,
            _ => return None,
        })
    }
}

/// Who else may use a variable or function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linkage {
    /// This module.
    #[default]
    Internal,
    /// `.visible`, `.weak`, `.common`.
    Visible,
    /// `.extern`: defined elsewhere.
    Extern,
}

/// A declared variable, parameter or set of registers.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable<'t> {
    /// Where it lives.
    pub space: StateSpace,
    /// Who may use it.
    pub linkage: Linkage,
    /// `.align`, in bytes.
    pub alignment: Option<u32>,
    /// Type of one element.
    pub ty: Type,
    /// 1, or 2, 4, 8 for `.v2`, `.v4`, `.v8`.
    pub vector: u32,
    /// Its name, without the `<n>` of parameterised registers.
    pub name: Name<'t>,
    /// `%r<5>` declares `%r0` to `%r4`: 5.
    pub count: Option<u32>,
    /// Array extents, outermost first; `None` for `[]`.
    pub extents: Vec<Option<u64>>,
    /// Initial value.
    pub initialiser: Option<Initialiser<'t>>,
    /// `.ptr`: a kernel parameter that points somewhere.
    pub pointer: bool,
}

/// Initial value of a `.global` or `.const` variable.
#[derive(Clone, Debug, PartialEq)]
pub enum Initialiser<'t> {
    /// An integer, as 64 bits.
    Integer(u64),
    /// A 32-bit float, by bits.
    Float32(u32),
    /// A 64-bit float, by bits.
    Float64(u64),
    /// The address of a variable or function, plus bytes.
    Symbol {
        /// Its name.
        name: Name<'t>,
        /// Bytes added.
        offset: i64,
        /// `generic(name)`.
        generic: bool,
        /// `mask(name)`: only these bits of it, shifted down.
        mask: Option<u64>,
    },
    /// `{a, b, ...}`.
    List(Vec<Self>),
}

/// A kernel or device function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function<'t> {
    /// Whether it is an `.entry`.
    pub is_entry: bool,
    /// Who may use it.
    pub linkage: Linkage,
    /// Its name.
    pub name: Name<'t>,
    /// Return values.
    pub returns: Vec<Variable<'t>>,
    /// Parameters.
    pub parameters: Vec<Variable<'t>>,
    /// `.reqntid`: the only workgroup size it may be launched with.
    pub required_size: Option<[u32; 3]>,
    /// `.maxntid`: the largest number of threads, as extents.
    pub largest_size: Option<[u32; 3]>,
    /// Other performance and attribute directives (`noreturn`, `minnctapersm`, `reqnctapercluster`,
    /// `explicitcluster`, `maxclusterrank`, `blocksareclusters`, ...), by name.
    pub directives: Vec<Name<'t>>,
    /// Statements; `None` for a declaration.
    pub body: Option<Vec<Statement<'t>>>,
    /// From its first to its last byte.
    pub place: Place,
}

/// One statement of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement<'t> {
    /// A variable or registers.
    Variable(Variable<'t>),
    /// `name:`.
    Label(Name<'t>),
    /// An instruction.
    Instruction(Instruction<'t>),
    /// `.loc`.
    Location(Location<'t>),
    /// `{ ... }`: a scope of its own.
    Block(Vec<Self>),
    /// `name: .branchtargets a, b, ...;`.
    BranchTargets {
        /// The list's label.
        name: Name<'t>,
        /// Labels to jump to.
        targets: Vec<Name<'t>>,
    },
    /// `name: .callprototype ...;` or `name: .calltargets ...;`: only calls through a register use them.
    CallInfo {
        /// The label.
        name: Name<'t>,
    },
    /// `.pragma "...";`.
    Pragma(String),
}

/// `.loc file line column[, function_name ..., inlined_at file line column]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'t> {
    /// File index.
    pub file: u32,
    /// Line, counted from 1.
    pub line: u32,
    /// Column, counted from 1; 0 for unknown.
    pub column: u32,
    /// File, line and column of the call this was inlined for.
    pub inlined_at: Option<(u32, u32, u32)>,
    /// The label in the string section that names the inlined function.
    pub function: Option<Name<'t>>,
}

/// `@p` or `@!p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard<'t> {
    /// Whether the instruction runs where the predicate is false.
    pub negated: bool,
    /// The predicate.
    pub register: Name<'t>,
}

/// One instruction: `@p opcode.modifier.modifier a, b, c;`.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction<'t> {
    /// Its guard.
    pub guard: Option<Guard<'t>>,
    /// The word before the first dot.
    pub opcode: Name<'t>,
    /// The words after it, each without its dot; `shared::cta` and `L1::no_allocate` are one word each.
    pub modifiers: Vec<Name<'t>>,
    /// Operands in order. For `call`: an optional [`Operand::Group`] of results, the callee, an optional
    /// group of arguments, an optional prototype.
    pub operands: Vec<Operand<'t>>,
    /// From the guard to the semicolon.
    pub place: Place,
}

/// One operand. Constant expressions are folded by the parser.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand<'t> {
    /// A register, special register, variable, label or function, `%tid.x` included (whole).
    Name(Name<'t>),
    /// An integer constant, as 64 bits.
    Integer {
        /// Two's complement bits.
        bits: u64,
        /// Where.
        place: Place,
    },
    /// `0f3F800000`: a 32-bit float by bits.
    Float32 {
        /// Its bits.
        bits: u32,
        /// Where.
        place: Place,
    },
    /// `0d3FF0000000000000` or `1.5`: a 64-bit float by bits.
    Float64 {
        /// Its bits.
        bits: u64,
        /// Where.
        place: Place,
    },
    /// `[base]`, `[base+offset]`, `[offset]`; also a name plus bytes without brackets (`mov.u64 %rd, var+8`),
    /// then `brackets` is false.
    Address {
        /// Register or variable; `None` for an absolute address.
        base: Option<Name<'t>>,
        /// Bytes added.
        offset: i64,
        /// Whether it stands in brackets.
        brackets: bool,
        /// Where.
        place: Place,
    },
    /// Component of a vector register: never written so, but what the name of the whole stands for.
    Component {
        /// The register.
        name: Name<'t>,
        /// Which, counted from 0.
        component: u32,
    },
    /// `{a, b, ...}`.
    Vector {
        /// The parts.
        parts: Vec<Self>,
        /// Where.
        place: Place,
    },
    /// `p|q`: two destinations.
    Pair(Box<[Self; 2]>),
    /// `!p`.
    Not(Name<'t>),
    /// `_`: nowhere.
    Sink(Place),
    /// `(a, b)` of a call.
    Group {
        /// The parts.
        parts: Vec<Self>,
        /// Where.
        place: Place,
    },
    /// `[tensor, {x, y}]` and other bracketed lists: no supported instruction has one.
    List(Place),
}

impl Operand<'_> {
    /// Where it stands.
    pub fn place(&self) -> Place {
        match self {
            Self::Name(name) | Self::Not(name) | Self::Component { name, .. } => name.place,
            Self::Integer { place, .. }
            | Self::Float32 { place, .. }
            | Self::Float64 { place, .. }
            | Self::Address { place, .. }
            | Self::Vector { place, .. }
            | Self::Group { place, .. }
            | Self::Sink(place)
            | Self::List(place) => *place,
            Self::Pair(parts) => Place { start: parts[0].place().start, end: parts[1].place().end },
        }
    }
}
