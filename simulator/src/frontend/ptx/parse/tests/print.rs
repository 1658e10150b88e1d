//! From syntax tree to text. What the tree does not keep (a list in brackets, a prototype, the value of `.maxnreg`)
//! is made up.

use std::fmt::Write;

use crate::frontend::ptx::ast::{
    Function, Guard, Initialiser, Instruction, Linkage, Location, Module, Name, Operand, StateSpace, Statement, Type,
    Variable,
};

/// The text of a module.
pub(super) fn print(module: &Module<'_>) -> String {
    let (major, minor) = module.version;
    let mut text = format!(".version {major}.{minor}\n");
    if !module.targets.is_empty() {
        let _ = writeln!(text, ".target {}", words(&module.targets, ", "));
    }
    let _ = writeln!(text, ".address_size {}", module.address_size);
    for file in &module.files {
        let _ = writeln!(text, ".file {} {}", file.index, quoted(&file.name));
    }
    for variable in &module.variables {
        let _ = writeln!(text, "{};", declaration(variable));
    }
    for function in &module.functions {
        print_function(&mut text, function);
    }
    text
}

fn words(names: &[Name<'_>], between: &str) -> String {
    names.iter().map(|name| name.text).collect::<Vec<_>>().join(between)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn linkage(linkage: Linkage) -> &'static str {
    match linkage {
        Linkage::Internal => "",
        Linkage::Visible => ".visible ",
        Linkage::Extern => ".extern ",
    }
}

fn space(space: StateSpace) -> &'static str {
    match space {
        StateSpace::Reg => ".reg",
        StateSpace::Const => ".const",
        StateSpace::Global => ".global",
        StateSpace::Local => ".local",
        StateSpace::Param => ".param",
        StateSpace::Shared => ".shared",
    }
}

fn type_name(ty: Type) -> String {
    format!("{ty:?}").to_lowercase()
}

fn declaration(variable: &Variable<'_>) -> String {
    let mut text = linkage(variable.linkage).to_owned() + space(variable.space);
    if let Some(bytes) = variable.alignment {
        let _ = write!(text, " .align {bytes}");
    }
    if variable.vector > 1 {
        let _ = write!(text, " .v{}", variable.vector);
    }
    let _ = write!(
        text,
        " .{}{} {}",
        type_name(variable.ty),
        if variable.pointer { " .ptr" } else { "" },
        variable.name.text
    );
    if let Some(count) = variable.count {
        let _ = write!(text, "<{count}>");
    }
    for extent in &variable.extents {
        let _ = write!(text, "[{}]", extent.map_or(String::new(), |extent| extent.to_string()));
    }
    match &variable.initialiser {
        Some(value) => text + " = " + &initialiser(value),
        None => text,
    }
}

fn initialiser(value: &Initialiser<'_>) -> String {
    match value {
        Initialiser::Integer(bits) => format!("{bits}"),
        Initialiser::Float32(bits) => format!("0f{bits:08X}"),
        Initialiser::Float64(bits) => format!("0d{bits:016X}"),
        Initialiser::List(parts) => format!("{{{}}}", parts.iter().map(initialiser).collect::<Vec<_>>().join(", ")),
        Initialiser::Symbol { name, offset, generic, mask } => {
            let symbol = if *generic { format!("generic({})", name.text) } else { name.text.to_owned() };
            let symbol = symbol + &offset_text(*offset);
            mask.map_or(symbol.clone(), |mask| format!("{mask:#X}({symbol})"))
        }
    }
}

fn offset_text(offset: i64) -> String {
    if offset == 0 { String::new() } else { format!("+{offset}") }
}

fn parameters(variables: &[Variable<'_>]) -> String {
    format!("({})", variables.iter().map(declaration).collect::<Vec<_>>().join(", "))
}

fn print_function(text: &mut String, function: &Function<'_>) {
    let kind = if function.is_entry { ".entry" } else { ".func" };
    let returns = if function.returns.is_empty() { String::new() } else { parameters(&function.returns) };
    let (name, parameters) = (function.name.text, parameters(&function.parameters));
    let _ = writeln!(text, "{}{kind} {returns} {name}{parameters}", linkage(function.linkage));
    for (directive, size) in [(".reqntid", function.required_size), (".maxntid", function.largest_size)] {
        if let Some([x, y, z]) = size {
            let _ = writeln!(text, "{directive} {x}, {y}, {z}");
        }
    }
    for directive in &function.directives {
        let _ = match directive.text {
            "noreturn" | "explicitcluster" | "blocksareclusters" => writeln!(text, ".{}", directive.text),
            "unified" => writeln!(text, ".attribute(.unified(1, 2))"),
            other => writeln!(text, ".{other} 1"),
        };
    }
    match &function.body {
        Some(body) => print_block(text, body),
        None => text.push_str(";\n"),
    }
}

fn print_block(text: &mut String, statements: &[Statement<'_>]) {
    text.push_str("{\n");
    for statement in statements {
        print_statement(text, statement);
    }
    text.push_str("}\n");
}

fn print_statement(text: &mut String, statement: &Statement<'_>) {
    let _ = match statement {
        Statement::Variable(variable) => writeln!(text, "{};", declaration(variable)),
        Statement::Label(name) => writeln!(text, "{}:", name.text),
        Statement::Instruction(one) => writeln!(text, "{};", instruction(one)),
        Statement::Location(one) => writeln!(text, "{}", location(one)),
        Statement::Block(statements) => {
            print_block(text, statements);
            Ok(())
        }
        Statement::BranchTargets { name, targets } => {
            writeln!(text, "{}: .branchtargets {};", name.text, words(targets, ", "))
        }
        Statement::CallInfo { name } => writeln!(text, "{}: .callprototype _ ();", name.text),
        Statement::Pragma(pragma) => writeln!(text, ".pragma {};", quoted(pragma)),
    };
}

fn location(location: &Location<'_>) -> String {
    let Location { file, line, column, inlined_at, function } = location;
    let mut text = format!(".loc {file} {line} {column}");
    if let Some(label) = function {
        let _ = write!(text, ", function_name {}", label.text);
    }
    if let Some((file, line, column)) = inlined_at {
        let _ = write!(text, ", inlined_at {file} {line} {column}");
    }
    text
}

fn instruction(instruction: &Instruction<'_>) -> String {
    let guard = instruction.guard.map_or(String::new(), |Guard { negated, register }| {
        format!("@{}{} ", if negated { "!" } else { "" }, register.text)
    });
    let modifiers: String = instruction.modifiers.iter().flat_map(|modifier| [".", modifier.text]).collect();
    format!("{guard}{}{modifiers} {}", instruction.opcode.text, operands(&instruction.operands))
}

fn operands(parts: &[Operand<'_>]) -> String {
    parts.iter().map(operand).collect::<Vec<_>>().join(", ")
}

fn operand(operand: &Operand<'_>) -> String {
    match operand {
        Operand::Name(name) | Operand::Component { name, .. } => name.text.to_owned(),
        Operand::Not(name) => format!("!{}", name.text),
        Operand::Integer { bits, .. } => bits.to_string(),
        Operand::Float32 { bits, .. } => format!("0f{bits:08X}"),
        Operand::Float64 { bits, .. } => format!("0d{bits:016X}"),
        Operand::Address { base: Some(base), offset, brackets: true, .. } => {
            format!("[{}{}]", base.text, offset_text(*offset))
        }
        Operand::Address { base: Some(base), offset, brackets: false, .. } => format!("{}+{offset}", base.text),
        Operand::Address { base: None, offset, .. } => format!("[{offset}]"),
        Operand::Vector { parts, .. } => format!("{{{}}}", operands(parts)),
        Operand::Group { parts, .. } => format!("({})", operands(parts)),
        Operand::Pair(parts) => format!("{}|{}", self::operand(&parts[0]), self::operand(&parts[1])),
        Operand::Sink(_) => "_".to_owned(),
        Operand::List(_) => "[list, 0]".to_owned(),
    }
}
