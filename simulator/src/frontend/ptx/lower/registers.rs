//! Which rows a PTX register has, by name and scope.

use std::collections::HashMap;

use super::emit::Emitter;
use crate::frontend::ptx::ast::{Type, Variable};
use crate::ir::Reg;

/// Digits of the largest 32-bit number.
const NUMBER: usize = 10;

/// Rows of a register of a type.
pub(super) const fn rows_of(ty: Type, vector: u32) -> u32 {
    let one = match ty.bits() {
        64 => 2,
        128 => 4,
        _ => 1,
    };
    one * vector
}

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register {
    /// Its first row.
    pub(super) reg: Reg,
    /// Its declared type.
    pub(super) ty: Type,
    /// Elements: more than 1 for `.v2` and `.v4` registers.
    pub(super) vector: u32,
}

/// The registers that one pair of braces declares.
#[derive(Debug, Default)]
struct Scope<'t> {
    single: HashMap<&'t str, (Type, u32)>,
    /// `%r<n>`: prefix, then type and n.
    families: HashMap<&'t str, (Type, u32)>,
    rows: HashMap<&'t str, Register>,
}

/// Scopes from the outside to the inside.
#[derive(Debug, Default)]
pub(super) struct Registers<'t> {
    scopes: Vec<Scope<'t>>,
}

impl<'t> Registers<'t> {
    pub(super) fn open(&mut self) {
        self.scopes.push(Scope::default());
    }

    pub(super) fn close(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn declare(&mut self, variable: &Variable<'t>) {
        let Some(scope) = self.scopes.last_mut() else { return };
        let name = variable.name.text;
        match variable.count {
            Some(count) => scope.families.insert(name, (variable.ty, count)),
            None => scope.single.insert(name, (variable.ty, variable.vector)),
        };
    }

    /// The register called `name`, or the component of one (`v.x`), given rows when first asked for.
    pub(super) fn find(&mut self, name: &'t str, emitter: &mut Emitter) -> Option<Register> {
        if let Some(found) = self.whole(name, emitter) {
            return Some(found);
        }
        let (vector, component) = name.rsplit_once('.')?;
        let component = match component {
            "x" | "r" => 0,
            "y" | "g" => 1,
            "z" | "b" => 2,
            "w" | "a" => 3,
            _ => return None,
        };
        self.component(vector, component, emitter)
    }

    /// A component of a vector register.
    pub(super) fn component(&mut self, name: &'t str, component: u32, emitter: &mut Emitter) -> Option<Register> {
        let vector = self.whole(name, emitter).filter(|vector| component < vector.vector && vector.vector > 1)?;
        Some(Register { reg: Reg(vector.reg.0 + component * rows_of(vector.ty, 1)), ty: vector.ty, vector: 1 })
    }

    fn whole(&mut self, name: &'t str, emitter: &mut Emitter) -> Option<Register> {
        let scope = self.scopes.iter_mut().rev().find(|scope| scope.declares(name).is_some())?;
        let (ty, vector) = scope.declares(name)?;
        let found = scope.rows.entry(name);
        Some(*found.or_insert_with(|| Register { reg: emitter.fresh(rows_of(ty, vector)), ty, vector }))
    }
}

impl Scope<'_> {
    fn declares(&self, name: &str) -> Option<(Type, u32)> {
        if let Some(&found) = self.single.get(name) {
            return Some(found);
        }
        let prefix = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let digits = name.get(prefix.len()..)?;
        // A family's own prefix may end in digits: try every split. No number of a register is longer than NUMBER, and a
        // hostile name has megabytes of digits.
        (digits.len().saturating_sub(NUMBER)..digits.len()).find_map(|cut| {
            let number = digits.get(cut..)?;
            let &(ty, count) = self.families.get(name.get(..prefix.len() + cut)?)?;
            let plain = number.len() == 1 || !number.starts_with('0');
            (plain && number.parse::<u32>().is_ok_and(|number| number < count)).then_some((ty, 1))
        })
    }
}
