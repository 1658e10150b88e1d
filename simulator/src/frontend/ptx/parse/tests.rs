//! What parses, as what, and what does not.

use super::parse;
use crate::frontend::ptx::ast::{Operand, Statement, Type};

/// A module with one kernel of this body.
fn kernel(body: &str) -> String {
    format!(".version 8.5\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 k_param_0) {{\n{body}\n}}\n")
}

#[test]
fn a_kernel_has_its_parts() {
    let text = kernel(".reg .b32 %r<5>;\n@!%p1 ld.global.L1::no_allocate.v2.u32 {%r1, _}, [%rd1+-4];\n$L__BB0_1: ret;");
    let module = parse(&text).unwrap();
    assert_eq!((module.version, module.targets[0].text, module.address_size), ((8, 5), "sm_90a", 64));
    let kernel = &module.functions[0];
    assert!(kernel.is_entry && kernel.parameters[0].ty == Type::U64);
    let [Statement::Variable(registers), Statement::Instruction(load), Statement::Label(label), _] =
        kernel.body.as_deref().unwrap()
    else {
        panic!("{:?}", kernel.body)
    };
    assert_eq!((registers.name.text, registers.count, label.text), ("%r", Some(5), "$L__BB0_1"));
    assert!(load.guard.unwrap().negated);
    let modifiers: Vec<&str> = load.modifiers.iter().map(|modifier| modifier.text).collect();
    assert_eq!(modifiers, ["global", "L1::no_allocate", "v2", "u32"]);
    assert!(matches!(load.operands[1], Operand::Address { offset: -4, brackets: true, .. }));
}
