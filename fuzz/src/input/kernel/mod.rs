//! Kernels that are drawn: trees of typed statements that are valid by construction, written as WGSL and as PTX.
//!
//! Every invocation has four words and two floats of its own. It computes with them, reads an input that nobody writes
//! (at an index taken modulo its length), writes and reads its own element of the output, and exchanges words with others
//! of its workgroup through a tile, with a barrier before and behind. Barriers stand under uniform control flow only. So a
//! kernel without a [`Plant`] is free of races and other faults, under every schedule, and its outputs are what [`meaning`]
//! computes. With one, the two lines that race are known.
//!
//! Not drawn: atomics (`litmus` draws those), subgroup operations, 16-bit and 64-bit types, division.

pub mod meaning;
pub mod ptx;
pub mod wgsl;

use crate::draw::Draw;

/// Words of an invocation's own.
pub const WORDS: u32 = 4;
/// Floats of an invocation's own.
pub const FLOATS: u32 = 2;
/// Words of the input.
pub const INPUTS: u32 = 16;
/// Words of the output that belong to an invocation.
pub const OUTPUTS: u32 = WORDS + FLOATS;

/// An operation on two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordOp {
    /// Modulo 2^32.
    Add,
    /// Modulo 2^32.
    Sub,
    /// Modulo 2^32.
    Mul,
    /// Bits.
    And,
    /// Bits.
    Or,
    /// Bits.
    Xor,
    /// Unsigned.
    Min,
    /// Unsigned.
    Max,
}

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// A constant.
    Constant(u32),
    /// A variable.
    Variable(u32),
    /// The invocation in its workgroup.
    Local,
    /// The workgroup.
    Workgroup,
    /// An element of the input, the index taken modulo its length.
    Input(Box<Word>),
    /// An operation on two words.
    Binary(WordOp, Box<Word>, Box<Word>),
    /// Shifted to the left.
    Left(Box<Word>, u32),
    /// Shifted to the right, zeros coming in.
    Right(Box<Word>, u32),
    /// The first where the third is below the fourth, else the second.
    Select(Box<[Word; 4]>),
    /// The bits of a float; 0 for a NaN, whose bits languages do not agree on.
    Bits(Box<Float>),
}

/// A 32-bit float.
#[derive(Clone, Debug, PartialEq)]
pub enum Float {
    /// A variable.
    Variable(u32),
    /// The low 16 bits of a word times a power of two.
    Of(Box<Word>, i32),
    /// A sum, rounded.
    Add(Box<Float>, Box<Float>),
    /// A product, rounded.
    Mul(Box<Float>, Box<Float>),
    /// A product and a sum, rounded once.
    MulAdd(Box<[Float; 3]>),
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// A word variable becomes a word.
    Word(u32, Word),
    /// A float variable becomes a float.
    Float(u32, Float),
    /// The invocation's own output element becomes a word, and the variable what is read back.
    Output(u32, Word),
    /// The invocation's place in the tile becomes a word; behind a barrier the variable becomes the place so many further
    /// on, around the end; and a barrier.
    Exchange {
        /// The variable.
        variable: u32,
        /// What is stored.
        word: Word,
        /// How much further on.
        distance: u32,
    },
    /// One way or the other, by invocation: below or not.
    If(Word, Word, Vec<Statement>, Vec<Statement>),
    /// As often as the two lowest bits of the word say, by invocation.
    Repeat(Word, Vec<Statement>),
    /// The same number of times for everyone.
    Uniform(u32, Vec<Statement>),
    /// The planted race.
    Race,
}

/// A race that is put into a kernel on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// An exchange through the tile without the barrier in the middle.
    Tile,
    /// The first invocation of workgroup 0 writes a word that the first invocation of the last workgroup reads.
    Workgroups,
}

/// A kernel and its launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Workgroups.
    pub groups: u32,
    /// Invocations of a workgroup.
    pub size: u32,
    /// Invocations of a subgroup, for WGSL.
    pub subgroup_size: u32,
    /// What every invocation does.
    pub body: Vec<Statement>,
    /// The race in it.
    pub plant: Option<Plant>,
    /// Words of the input.
    pub input: [u32; 16],
    /// Seed and slots of the schedule that a race-free one is run under.
    pub schedule: (u64, u32),
}

/// The two lines that race, counted from 1, in the order of the text.
pub type Lines = [u32; 2];

/// A kernel's text, and where the planted race is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The module.
    pub text: String,
    /// The lines of the planted race.
    pub race: Option<Lines>,
}

/// Statements of a kernel, all blocks together.
const MOST_STATEMENTS: u32 = 14;

/// Draws a kernel.
pub fn draw(draw: &mut Draw<'_, '_>) -> Kernel {
    let plant = match draw.below(4) {
        2 => Some(Plant::Tile),
        3 => Some(Plant::Workgroups),
        _ => None,
    };
    let groups = draw.between(1, 4).max(if plant == Some(Plant::Workgroups) { 2 } else { 1 });
    // A workgroup of one invocation has nobody to race with.
    let size = draw.pick(&[2, 3, 8, 31, 32, 33, 64]);
    let subgroup_size = draw.pick(&[32, 4, 8, 16, 64]);
    let schedule = (u64::from(draw.word()), draw.between(1, 4));
    let input = [(); 16].map(|()| draw.word());
    let place = draw.below(3);
    let mut author = Author { draw, left: MOST_STATEMENTS };
    let mut body = author.block(Place::Everyone, 2);
    if plant.is_some() {
        let at = usize::try_from(place).unwrap_or(0).min(body.len());
        body.insert(at, Statement::Race);
    }
    Kernel { groups, size, subgroup_size, body, plant, input, schedule }
}

/// Who executes a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// All invocations together.
    Everyone,
    /// Some of them.
    Some,
}

struct Author<'a, 'b, 'c> {
    draw: &'c mut Draw<'a, 'b>,
    left: u32,
}

impl Author<'_, '_, '_> {
    fn block(&mut self, place: Place, depth: u32) -> Vec<Statement> {
        let wanted = self.draw.between(1, 4).min(self.left);
        self.left -= wanted;
        (0..wanted).map(|_| self.statement(place, depth)).collect()
    }

    fn statement(&mut self, place: Place, depth: u32) -> Statement {
        let variable = self.draw.below(WORDS);
        match self.draw.below(if depth == 0 { 6 } else { 10 }) {
            0 | 1 => Statement::Word(variable, self.word(3)),
            2 => Statement::Float(variable % FLOATS, self.float(2)),
            3 => Statement::Output(variable, self.word(2)),
            4 | 5 if place == Place::Everyone => {
                Statement::Exchange { variable, word: self.word(2), distance: self.draw.between(1, 40) }
            }
            4 | 5 => Statement::Word(variable, self.word(2)),
            6 | 7 => {
                let (one, other) = (self.word(2), self.word(1));
                Statement::If(one, other, self.block(Place::Some, depth - 1), self.block(Place::Some, depth - 1))
            }
            8 => Statement::Repeat(self.word(2), self.block(Place::Some, depth - 1)),
            _ => Statement::Uniform(self.draw.between(1, 3), self.block(place, depth - 1)),
        }
    }

    fn word(&mut self, depth: u32) -> Word {
        let leaf = match self.draw.below(5) {
            0 => Word::Variable(self.draw.below(WORDS)),
            1 => Word::Local,
            2 => Word::Workgroup,
            3 => Word::Constant(self.draw.below(20)),
            _ => Word::Constant(self.draw.word()),
        };
        if depth == 0 {
            return leaf;
        }
        let next = depth - 1;
        match self.draw.below(9) {
            0 => leaf,
            1..=3 => {
                let all = [
                    WordOp::Add,
                    WordOp::Sub,
                    WordOp::Mul,
                    WordOp::And,
                    WordOp::Or,
                    WordOp::Xor,
                    WordOp::Min,
                    WordOp::Max,
                ];
                let operation = self.draw.pick(&all);
                Word::Binary(operation, Box::new(self.word(next)), Box::new(self.word(next)))
            }
            4 => Word::Left(Box::new(self.word(next)), self.draw.below(32)),
            5 => Word::Right(Box::new(self.word(next)), self.draw.below(32)),
            6 => Word::Input(Box::new(self.word(next))),
            7 => Word::Select(Box::new([(); 4].map(|()| self.word(next)))),
            _ => Word::Bits(Box::new(self.float(next))),
        }
    }

    fn float(&mut self, depth: u32) -> Float {
        if depth == 0 {
            return match self.draw.below(2) {
                0 => Float::Variable(self.draw.below(FLOATS)),
                _ => Float::Of(Box::new(self.word(0)), i32::try_from(self.draw.below(24)).unwrap_or(0) - 12),
            };
        }
        let next = depth - 1;
        match self.draw.below(4) {
            0 => Float::Add(Box::new(self.float(next)), Box::new(self.float(next))),
            1 => Float::Mul(Box::new(self.float(next)), Box::new(self.float(next))),
            2 => Float::MulAdd(Box::new([(); 3].map(|()| self.float(next)))),
            _ => Float::Of(Box::new(self.word(next)), i32::try_from(self.draw.below(24)).unwrap_or(0) - 12),
        }
    }
}

/// `2^exponent`, exactly.
pub fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(u32::try_from(127 + exponent.clamp(-126, 127)).unwrap_or(127) << 23)
}
