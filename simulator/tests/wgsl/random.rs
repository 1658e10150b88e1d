//! Random kernels of assignments, branches, loops, switches, calls and arrays, against an interpreter of the
//! same statements: what the front end leaves out, shares or moves must not show.

use std::fmt::Write;

use crate::Run;

/// Variables `v0` to `v3`, of which `v3` is never written; arrays `a` of 4 elements.
const VARIABLES: usize = 4;
const INVOCATIONS: u32 = 16;

#[derive(Clone, Debug)]
enum Expr {
    Literal(u32),
    Variable(usize),
    /// A value named by an earlier `let` in scope.
    Named(usize),
    Element(Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(Box<Expr>),
}

#[derive(Clone, Debug)]
enum Stmt {
    Let(usize, Expr),
    Assign(usize, Expr),
    Store(Expr, Expr),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// At most 5 iterations.
    For(Vec<Stmt>),
    /// A `loop` with `continuing` and `break if`, at most 4 iterations.
    Loop(Vec<Stmt>, Vec<Stmt>),
    Switch(Expr, Vec<(u32, Vec<Stmt>)>, Vec<Stmt>),
    Break,
    Continue,
    Return,
    Bump(usize),
}

struct Maker {
    state: u64,
    named: Vec<usize>,
    next: usize,
    text: String,
    loops: usize,
}

impl Maker {
    fn draw(&mut self, below: u32) -> u32 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.state >> 33).unwrap() % below
    }

    fn expr(&mut self, depth: u32) -> Expr {
        let variable = |maker: &mut Self| Expr::Variable(usize::try_from(maker.draw(4)).unwrap());
        match self.draw(if depth == 0 { 4 } else { 10 }) {
            0 => Expr::Literal(self.draw(7)),
            1 | 2 => variable(self),
            3 if self.named.is_empty() => variable(self),
            3 => {
                let at = usize::try_from(self.draw(u32::try_from(self.named.len()).unwrap())).unwrap();
                Expr::Named(self.named[at])
            }
            4 => Expr::Element(Box::new(self.expr(depth - 1))),
            5 => Expr::Select(
                Box::new(self.expr(depth - 1)),
                Box::new(self.expr(depth - 1)),
                Box::new(self.expr(depth - 1)),
            ),
            6 if depth > 1 => Expr::Call(Box::new(self.expr(depth - 1))),
            _ => {
                let ops = ["+", "-", "*", "^", "&", "|", "%", "/"];
                let op = ops[usize::try_from(self.draw(8)).unwrap()];
                Expr::Binary(op, Box::new(self.expr(depth - 1)), Box::new(self.expr(depth - 1)))
            }
        }
    }

    fn block(&mut self, depth: u32, inside: Inside) -> Vec<Stmt> {
        let outer = self.named.len();
        let mut block = Vec::new();
        for _ in 0..=self.draw(4) {
            let stmt = self.stmt(depth, inside);
            let last = matches!(stmt, Stmt::Break | Stmt::Continue | Stmt::Return);
            block.push(stmt);
            if last {
                break;
            }
        }
        self.named.truncate(outer);
        block
    }

    fn stmt(&mut self, depth: u32, inside: Inside) -> Stmt {
        let target = usize::try_from(self.draw(3)).unwrap();
        match self.draw(if depth == 0 { 8 } else { 16 }) {
            0 | 1 => {
                let value = self.expr(2);
                self.next += 1;
                self.named.push(self.next);
                Stmt::Let(self.next, value)
            }
            2..=4 => Stmt::Assign(target, self.expr(3)),
            5 => Stmt::Store(self.expr(1), self.expr(2)),
            6 => Stmt::Bump(target),
            7 => match (self.draw(6), inside) {
                (0, Inside::Loop | Inside::Switch) => Stmt::Break,
                (1, Inside::Loop) => Stmt::Continue,
                (2, Inside::Function | Inside::Loop | Inside::Switch) => Stmt::Return,
                _ => Stmt::Assign(target, self.expr(1)),
            },
            8 | 9 => Stmt::If(self.expr(2), self.block(depth - 1, inside), self.block(depth - 1, inside)),
            10 => Stmt::If(self.expr(2), self.block(depth - 1, inside), Vec::new()),
            11 | 12 => Stmt::For(self.block(depth - 1, Inside::Loop)),
            13 => {
                let body = self.block(depth - 1, Inside::Loop);
                Stmt::Loop(body, vec![Stmt::Assign(target, self.expr(2))])
            }
            _ => {
                // `continue` in a switch belongs to a loop that may not be there.
                let cases = (0..=self.draw(2)).map(|value| (value, self.block(depth - 1, Inside::Switch))).collect();
                Stmt::Switch(self.expr(1), cases, self.block(depth - 1, Inside::Switch))
            }
        }
    }

    fn print(&mut self, block: &[Stmt]) {
        for stmt in block {
            match stmt {
                Stmt::Let(name, value) => writeln!(self.text, "let n{name} = {};", show(value)).unwrap(),
                Stmt::Assign(variable, value) => writeln!(self.text, "v{variable} = {};", show(value)).unwrap(),
                Stmt::Store(at, value) => writeln!(self.text, "a[({}) & 3u] = {};", show(at), show(value)).unwrap(),
                Stmt::Bump(variable) => writeln!(self.text, "bump(&v{variable});").unwrap(),
                Stmt::Break => self.text += "break;\n",
                Stmt::Continue => self.text += "continue;\n",
                Stmt::Return => self.text += "finish(i, v0, v1, v2, a); return;\n",
                Stmt::If(condition, accept, reject) => {
                    writeln!(self.text, "if (({}) & 1u) == 1u {{", show(condition)).unwrap();
                    self.print(accept);
                    self.text += "} else {\n";
                    self.print(reject);
                    self.text += "}\n";
                }
                Stmt::For(body) => {
                    self.loops += 1;
                    let k = self.loops;
                    writeln!(self.text, "for (var k{k} = 0u; k{k} < 5u; k{k}++) {{").unwrap();
                    self.print(body);
                    self.text += "}\n";
                }
                Stmt::Loop(body, continuing) => {
                    self.loops += 1;
                    let k = self.loops;
                    writeln!(self.text, "var k{k} = 0u; loop {{").unwrap();
                    self.print(body);
                    self.text += "continuing {\n";
                    self.print(continuing);
                    writeln!(self.text, "k{k}++; break if k{k} == 4u; }} }}").unwrap();
                }
                Stmt::Switch(selector, cases, default) => {
                    writeln!(self.text, "switch ({}) & 3u {{", show(selector)).unwrap();
                    for (value, body) in cases {
                        writeln!(self.text, "case {value}u: {{").unwrap();
                        self.print(body);
                        self.text += "}\n";
                    }
                    self.text += "default: {\n";
                    self.print(default);
                    self.text += "} }\n";
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Function,
    Loop,
    Switch,
}

fn show(expr: &Expr) -> String {
    match expr {
        Expr::Literal(value) => format!("{value}u"),
        Expr::Variable(variable) => format!("v{variable}"),
        Expr::Named(name) => format!("n{name}"),
        Expr::Element(at) => format!("a[({}) & 3u]", show(at)),
        Expr::Binary(op @ ("%" | "/"), a, b) => format!("(({}) {op} (({}) | 1u))", show(a), show(b)),
        Expr::Binary("*", a, b) => format!("(({}) * (({}) & 15u))", show(a), show(b)),
        Expr::Binary(op, a, b) => format!("(({}) {op} ({}))", show(a), show(b)),
        Expr::Select(a, b, c) => format!("select({}, {}, ({}) > 3u)", show(a), show(b), show(c)),
        Expr::Call(x) => format!("call({})", show(x)),
    }
}

#[derive(Default)]
struct State {
    variables: [u32; VARIABLES],
    elements: [u32; 4],
    named: std::collections::HashMap<usize, u32>,
}

#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
    Return,
}

impl State {
    fn eval(&self, expr: &Expr) -> u32 {
        match expr {
            Expr::Literal(value) => *value,
            Expr::Variable(variable) => self.variables[*variable],
            Expr::Named(name) => self.named[name],
            Expr::Element(at) => self.elements[usize::try_from(self.eval(at) & 3).unwrap()],
            Expr::Select(a, b, c) => {
                if self.eval(c) > 3 {
                    self.eval(b)
                } else {
                    self.eval(a)
                }
            }
            Expr::Call(x) => call(self.eval(x)),
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.eval(a), self.eval(b));
                match *op {
                    "+" => a.wrapping_add(b),
                    "-" => a.wrapping_sub(b),
                    "*" => a.wrapping_mul(b & 15),
                    "^" => a ^ b,
                    "&" => a & b,
                    "|" => a | b,
                    "%" => a % (b | 1),
                    _ => a / (b | 1),
                }
            }
        }
    }

    fn run(&mut self, block: &[Stmt]) -> Flow {
        for stmt in block {
            let flow = self.step(stmt);
            if flow != Flow::On {
                return flow;
            }
        }
        Flow::On
    }

    fn step(&mut self, stmt: &Stmt) -> Flow {
        match stmt {
            Stmt::Let(name, value) => drop(self.named.insert(*name, self.eval(value))),
            Stmt::Assign(variable, value) => self.variables[*variable] = self.eval(value),
            Stmt::Store(at, value) => {
                let at = usize::try_from(self.eval(at) & 3).unwrap();
                self.elements[at] = self.eval(value);
            }
            Stmt::Bump(variable) => {
                let value = self.variables[*variable];
                self.variables[*variable] = if value > 100 { value / 2 } else { value + 3 };
            }
            Stmt::Break => return Flow::Break,
            Stmt::Continue => return Flow::Continue,
            Stmt::Return => return Flow::Return,
            Stmt::If(condition, accept, reject) => {
                let taken = if self.eval(condition) & 1 == 1 { accept } else { reject };
                return self.run(taken);
            }
            Stmt::For(body) => {
                for _ in 0..5 {
                    match self.run(body) {
                        Flow::Break => break,
                        Flow::Return => return Flow::Return,
                        _ => {}
                    }
                }
            }
            Stmt::Loop(body, continuing) => {
                for _ in 0..4 {
                    match self.run(body) {
                        Flow::Break => break,
                        Flow::Return => return Flow::Return,
                        _ => drop(self.run(continuing)),
                    }
                }
            }
            Stmt::Switch(selector, cases, default) => {
                let value = self.eval(selector) & 3;
                let body = cases.iter().find(|(case, _)| *case == value).map_or(default, |(_, body)| body);
                let flow = self.run(body);
                return if flow == Flow::Break { Flow::On } else { flow };
            }
        }
        Flow::On
    }

    fn results(&self) -> [u32; 4] {
        let [a, b, c, d] = self.elements;
        let sum = a ^ b.rotate_left(3) ^ c.rotate_left(7) ^ d.rotate_left(11);
        [self.variables[0], self.variables[1], self.variables[2], sum]
    }
}

fn call(x: u32) -> u32 {
    if x & 1 == 1 {
        return x / 3;
    }
    for k in 0..3 {
        if x & (2 << k) == 0 {
            return k + 5;
        }
    }
    x ^ 9
}

const HELPERS: &str = "
    @group(0) @binding(1) var<storage, read_write> output: array<u32>;
    fn rotate(x: u32, n: u32) -> u32 { return (x << n) | (x >> (32u - n)); }
    fn finish(i: u32, v0: u32, v1: u32, v2: u32, a: array<u32, 4>) {
        output[i * 4u] = v0; output[i * 4u + 1u] = v1; output[i * 4u + 2u] = v2;
        output[i * 4u + 3u] = a[0] ^ rotate(a[1], 3u) ^ rotate(a[2], 7u) ^ rotate(a[3], 11u);
    }
    fn bump(p: ptr<function, u32>) { if *p > 100u { *p = *p / 2u; return; } *p += 3u; }
    fn call(x: u32) -> u32 {
        if (x & 1u) == 1u { return x / 3u; }
        for (var k = 0u; k < 3u; k++) { if (x & (2u << k)) == 0u { return k + 5u; } }
        return x ^ 9u;
    }";

#[test]
fn random_kernels_mean_what_they_say() {
    for seed in 0..400 {
        let mut maker = Maker { state: seed, named: Vec::new(), next: 0, text: HELPERS.to_owned(), loops: 0 };
        for _ in 0..4 {
            let _ = maker.draw(2);
        }
        let body = (0..3).flat_map(|_| maker.block(3, Inside::Function)).collect::<Vec<_>>();
        let end = body.iter().position(|stmt| matches!(stmt, Stmt::Return)).unwrap_or(body.len());
        let body = &body[..end];
        maker.text += "@compute @workgroup_size(16) fn main(@builtin(local_invocation_index) i: u32) {
            var v0 = i; var v1 = i * 7u; var v2 = 3u; var v3 = i ^ 5u; var a: array<u32, 4>;\n";
        maker.print(body);
        maker.text += "finish(i, v0, v1, v2, a); }\n";
        let mut expected = Vec::new();
        for i in 0..INVOCATIONS {
            let mut state = State { variables: [i, i * 7, 3, i ^ 5], ..State::default() };
            state.run(body);
            expected.extend(state.results());
        }
        let mut run = Run::wgsl(&maker.text, &[], u64::from(INVOCATIONS) * 4);
        run.subgroup_size = 8;
        let actual = crate::words(&run.outcome());
        assert_eq!(actual, expected, "seed {seed}\n{}", maker.text);
    }
}
