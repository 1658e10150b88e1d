//! Each form of the grammar, as the syntax tree has it.

use super::{EVERY_FORM, first_operand, kernel, parse, refusal, round_trip};
use crate::frontend::ptx::ast::{Initialiser, Linkage, Module, Operand, StateSpace, Statement, Type};

fn body<'m>(module: &'m Module<'m>) -> &'m [Statement<'m>] {
    module.functions[0].body.as_deref().unwrap()
}

#[test]
fn every_form_survives_a_round_trip() {
    let module = parse(EVERY_FORM).unwrap();
    assert_eq!((module.functions.len(), module.variables.len(), module.files.len()), (4, 9, 3));
    round_trip(&module);
}

#[test]
fn a_kernel_has_its_parts() {
    let text = kernel(".reg .b32 %r<5>;\n@!%p1 ld.global.L1::no_allocate.v2.u32 {%r1, _}, [%rd1+-4];\n$L__BB0_1: ret;");
    let module = parse(&text).unwrap();
    assert_eq!((module.version, module.targets[0].text, module.address_size), ((8, 5), "sm_90a", 64));
    let kernel = &module.functions[0];
    assert!(kernel.is_entry && kernel.parameters[0].ty == Type::U64);
    let [Statement::Variable(registers), Statement::Instruction(load), Statement::Label(label), _] = body(&module)
    else {
        panic!("{:?}", kernel.body)
    };
    assert_eq!((registers.name.text, registers.count, label.text), ("%r", Some(5), "$L__BB0_1"));
    assert!(load.guard.unwrap().negated);
    let modifiers: Vec<&str> = load.modifiers.iter().map(|modifier| modifier.text).collect();
    assert_eq!(modifiers, ["global", "L1::no_allocate", "v2", "u32"]);
    assert!(matches!(load.operands[1], Operand::Address { offset: -4, brackets: true, .. }));
    let place = crate::cast::at(load.place.start)..crate::cast::at(load.place.end);
    assert_eq!(&text[place], "@!%p1 ld.global.L1::no_allocate.v2.u32 {%r1, _}, [%rd1+-4];");
}

#[test]
fn operands_of_every_form() {
    let forms = [
        ("%tid.x", "Name(Name { text: \"%tid.x\", place: Place })"),
        ("_", "Sink(Place)"),
        ("!p", "Not(Name { text: \"p\", place: Place })"),
        ("p|q", "Pair([Name(Name { text: \"p\", place: Place }), Name(Name { text: \"q\", place: Place })])"),
        ("_|q", "Pair([Sink(Place), Name(Name { text: \"q\", place: Place })])"),
        ("[8]", "Address { base: None, offset: 8, brackets: true, place: Place }"),
        ("[a, {b, c}]", "List(Place)"),
        ("[a+4, b]", "List(Place)"),
        ("{1}", "Vector { parts: [Integer { bits: 1, place: Place }], place: Place }"),
    ];
    for (text, expected) in forms {
        assert_eq!(first_operand(&format!("op {text};")), expected, "{text}");
    }
    let address = |base: &str, offset: i64, brackets: bool| {
        let base = format!("Some(Name {{ text: {base:?}, place: Place }})");
        format!("Address {{ base: {base}, offset: {offset}, brackets: {brackets}, place: Place }}")
    };
    assert_eq!(first_operand("op [a];"), address("a", 0, true));
    assert_eq!(first_operand("op [%SP+0];"), address("%SP", 0, true));
    assert_eq!(first_operand("op [a+4*2-1+-3];"), address("a", 4, true));
    assert_eq!(first_operand("op a+8;"), address("a", 8, false));
    assert_eq!(first_operand("op a-8;"), address("a", -8, false));
    assert_eq!(first_operand("op [a+0xFFFFFFFFFFFFFFFF];"), address("a", -1, true));
}

#[test]
fn calls_of_every_form() {
    let text = kernel("call (r), f, (a, 4), p; call.uni f; call f, (); call (r), f;");
    let module = parse(&text).unwrap();
    let shapes: Vec<String> = body(&module)
        .iter()
        .map(|statement| match statement {
            Statement::Instruction(call) => call
                .operands
                .iter()
                .map(|operand| if matches!(operand, Operand::Group { .. }) { 'g' } else { 'n' })
                .collect(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shapes, ["gngn", "n", "ng", "gn"]);
}

#[test]
fn variables_of_every_form() {
    let module = parse(EVERY_FORM).unwrap();
    let [dynamic, counts, addresses, .., packed, corner, first, second] = &module.variables[..] else { panic!() };
    assert_eq!((dynamic.linkage, dynamic.alignment, &dynamic.extents[..]), (Linkage::Extern, Some(16), &[None][..]));
    assert_eq!((counts.linkage, &counts.extents[..]), (Linkage::Visible, &[Some(2), Some(3)][..]));
    let Some(Initialiser::List(parts)) = &addresses.initialiser else { panic!() };
    assert!(matches!(parts[1], Initialiser::Symbol { offset: 4, generic: true, mask: None, .. }));
    let Some(Initialiser::List(parts)) = &packed.initialiser else { panic!() };
    assert!(matches!(parts[1], Initialiser::Symbol { offset: 4, generic: false, mask: Some(0xFF00), .. }));
    assert_eq!((corner.vector, corner.ty, corner.space), (4, Type::F32, StateSpace::Global));
    assert_eq!((&first.initialiser, &second.initialiser), (&Some(Initialiser::Integer(31)), &None));
}

#[test]
fn functions_of_every_form() {
    let module = parse(EVERY_FORM).unwrap();
    let [_, stop, helper, kernel] = &module.functions[..] else { panic!() };
    let directives = |at: usize| module.functions[at].directives.iter().map(|name| name.text).collect::<Vec<_>>();
    assert!(stop.body.is_none() && directives(1) == ["unified", "noreturn", "abi_preserve"]);
    assert!(helper.returns[0].space == StateSpace::Reg && helper.parameters.len() == 2);
    assert_eq!((kernel.largest_size, kernel.required_size), (Some([128, 2, 1]), None));
    assert_eq!(directives(3), ["minnctapersm", "maxnreg", "reqnctapercluster", "explicitcluster"]);
    let pointers: Vec<(bool, Option<u32>)> = kernel.parameters.iter().map(|p| (p.pointer, p.alignment)).collect();
    assert_eq!(pointers, [(true, None), (true, None), (false, Some(8)), (false, None)]);
}

#[test]
fn files_and_places_of_the_source() {
    let module = parse(EVERY_FORM).unwrap();
    let names: Vec<&str> = module.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["kernel.cu", "C:\\kernels\\a \"b\".cu", "/folder/nameé.c"]);
    let kernel = module.functions[3].body.as_deref().unwrap();
    let mut locations = kernel.iter().filter_map(|statement| match statement {
        Statement::Location(location) => Some(location),
        _ => None,
    });
    assert_eq!(locations.next().map(|location| (location.line, location.inlined_at)), Some((12, None)));
    let inlined = locations.next().unwrap();
    assert_eq!((inlined.file, inlined.inlined_at), (2, Some((1, 12, 5))));
    assert_eq!(inlined.function.unwrap().text, "$L__info_string0");
}

#[test]
fn names_are_unique_in_their_scope_alone() {
    let fine = "{ .reg .b32 t; a: { .reg .b32 t; a: } } { .reg .b32 t; a: } .reg .b32 %r<2>; .reg .b32 %r;";
    assert!(parse(&kernel(fine)).is_ok());
    assert_eq!(refusal("{ a: { } a: }").message, "label `a` is declared twice in its scope");
    assert!(refusal(".reg .b32 k_param_0;").message.contains("declared twice"));
    let declared = ".version 8.0 .extern .func f(.param .b32 a); .func f(.param .b32 a); .func f(.param .b32 a) { }";
    assert!(parse(declared).is_ok());
}

#[test]
fn the_text_may_end_with_nul_bytes() {
    assert!(parse(&(EVERY_FORM.to_owned() + "\0\0")).is_ok());
}

#[test]
fn versions_and_address_sizes() {
    let version = |text: &str| parse(text).map(|module| (module.version, module.address_size));
    assert_eq!(version(".version 6.0 .target sm_70"), Ok(((6, 0), 32)));
    assert_eq!(version(".version 9.10 .target sm_70 .address_size 64"), Ok(((9, 10), 64)));
    assert!(version(".version 10.0").unwrap_err().unsupported);
    assert!(version(".version 5.9").unwrap_err().unsupported);
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let error = parse(&" ".repeat((64 << 20) + 1)).unwrap_err();
    assert_eq!(error.message, "a module of 67108865 bytes: the limit is 67108864");
}
