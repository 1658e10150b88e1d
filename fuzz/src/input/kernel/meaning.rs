//! What a drawn kernel computes: its statements executed one after the other, each for all invocations of a workgroup.
//!
//! Independent of the front ends and of the machine: only the tree is shared with them. A planted race makes no difference
//! here, as nothing is kept of what it reads.

use super::{FLOATS, Float, INPUTS, Kernel, OUTPUTS, Statement, WORDS, Word, WordOp, power_of_two};

/// The words of the output after the launch, [`OUTPUTS`] for each invocation.
pub fn outputs(kernel: &Kernel) -> Vec<u32> {
    (0..kernel.groups).flat_map(|group| Group::new(kernel, group).run()).collect()
}

#[derive(Clone)]
struct Invocation {
    local: u32,
    words: [u32; 4],
    floats: [f32; 2],
}

struct Group<'a> {
    kernel: &'a Kernel,
    group: u32,
    all: Vec<Invocation>,
}

impl<'a> Group<'a> {
    fn new(kernel: &'a Kernel, group: u32) -> Self {
        let start = |local| Invocation { local, words: [local, group, 1, 2], floats: [1.0, 0.5] };
        Self { kernel, group, all: (0..kernel.size).map(start).collect() }
    }

    fn run(mut self) -> Vec<u32> {
        let kernel = self.kernel;
        let everyone = vec![true; self.all.len()];
        self.block(&kernel.body, &everyone);
        let words = self.all.iter().flat_map(|one| {
            let floats = one.floats.map(bits);
            let all: [u32; OUTPUTS as usize] = std::array::from_fn(|at| match at < WORDS as usize {
                true => one.words[at],
                false => floats[at - WORDS as usize],
            });
            all
        });
        words.collect()
    }

    fn block(&mut self, block: &[Statement], active: &[bool]) {
        block.iter().for_each(|statement| self.statement(statement, active));
    }

    fn statement(&mut self, statement: &Statement, active: &[bool]) {
        match statement {
            Statement::Word(variable, word) | Statement::Output(variable, word) => {
                self.each(active, |group, one| group.words(one, *variable, word));
            }
            Statement::Float(variable, float) => self.each(active, |group, one| {
                let mut next = one.clone();
                next.floats[(*variable % FLOATS) as usize] = group.float(one, float);
                next
            }),
            Statement::Exchange { variable, word, distance } => {
                let tile: Vec<u32> = self.all.iter().map(|one| self.word(one, word)).collect();
                let length = tile.len();
                for (at, one) in self.all.iter_mut().enumerate() {
                    one.words[*variable as usize] = tile[(at + *distance as usize) % length];
                }
            }
            Statement::If(one, other, accept, reject) => {
                let below = |lane: &Invocation| self.word(lane, one) < self.word(lane, other);
                let truth: Vec<bool> = self.all.iter().map(below).collect();
                let both = |wanted: bool| active.iter().zip(&truth).map(|(&on, &is)| on && is == wanted).collect();
                let (accepting, rejecting): (Vec<bool>, Vec<bool>) = (both(true), both(false));
                self.block(accept, &accepting);
                self.block(reject, &rejecting);
            }
            Statement::Repeat(word, body) => {
                let times: Vec<u32> = self.all.iter().map(|one| self.word(one, word) & 3).collect();
                for round in 0..3 {
                    let going: Vec<bool> = active.iter().zip(&times).map(|(&on, &times)| on && round < times).collect();
                    self.block(body, &going);
                }
            }
            Statement::Uniform(times, body) => (0..*times).for_each(|_| self.block(body, active)),
            Statement::Race => {}
        }
    }

    fn each(&mut self, active: &[bool], step: impl Fn(&Self, &Invocation) -> Invocation) {
        let next: Vec<Invocation> = self.all.iter().map(|one| step(self, one)).collect();
        for ((one, next), &on) in self.all.iter_mut().zip(next).zip(active) {
            if on {
                *one = next;
            }
        }
    }

    fn words(&self, one: &Invocation, variable: u32, word: &Word) -> Invocation {
        let mut next = one.clone();
        next.words[variable as usize] = self.word(one, word);
        next
    }

    fn word(&self, one: &Invocation, word: &Word) -> u32 {
        match word {
            Word::Constant(value) => *value,
            Word::Variable(variable) => one.words[*variable as usize],
            Word::Local => one.local,
            Word::Workgroup => self.group,
            Word::Input(index) => self.kernel.input[(self.word(one, index) % INPUTS) as usize],
            Word::Binary(operation, a, b) => binary(*operation, self.word(one, a), self.word(one, b)),
            Word::Left(a, by) => self.word(one, a) << by,
            Word::Right(a, by) => self.word(one, a) >> by,
            Word::Select(all) => {
                let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| self.word(one, &all[at]));
                if c < d { a } else { b }
            }
            Word::Bits(float) => bits(self.float(one, float)),
        }
    }

    fn float(&self, one: &Invocation, float: &Float) -> f32 {
        match float {
            Float::Variable(variable) => one.floats[(*variable % FLOATS) as usize],
            // 16 bits are exact in a float.
            Float::Of(word, exponent) => f32::from((self.word(one, word) & 0xffff) as u16) * power_of_two(*exponent),
            Float::Add(a, b) => self.float(one, a) + self.float(one, b),
            Float::Mul(a, b) => self.float(one, a) * self.float(one, b),
            Float::MulAdd(all) => self.float(one, &all[0]).mul_add(self.float(one, &all[1]), self.float(one, &all[2])),
        }
    }
}

fn binary(operation: WordOp, a: u32, b: u32) -> u32 {
    match operation {
        WordOp::Add => a.wrapping_add(b),
        WordOp::Sub => a.wrapping_sub(b),
        WordOp::Mul => a.wrapping_mul(b),
        WordOp::And => a & b,
        WordOp::Or => a | b,
        WordOp::Xor => a ^ b,
        WordOp::Min => a.min(b),
        WordOp::Max => a.max(b),
    }
}

const fn bits(float: f32) -> u32 {
    if float.is_nan() { 0 } else { float.to_bits() }
}
