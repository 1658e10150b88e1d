//! PTX in which some workgroups sleep before the accesses that a finding names.
//!
//! A block with registers of its own goes in front of the first instruction of each such place, so that the kernel's own
//! instructions stay what they are. Who sleeps is drawn from the device's clock and the workgroup's number.

use super::job::Place;

/// Every how many-th time somebody sleeps; a power of two.
const ONE_IN: u32 = 4;

/// The text with delays of so many nanoseconds, and how many there are.
pub(super) fn delayed(ptx: &str, module: &str, places: &[Place], nanoseconds: u32) -> (String, usize) {
    let files = files(ptx);
    let mut text = String::with_capacity(ptx.len() * 2);
    let mut inserted = 0;
    // A block may stand only inside a body, in front of an instruction.
    let mut due = false;
    let mut depth = 0_u32;
    for (line, number) in ptx.lines().zip(1_u32..) {
        let code = line.trim_start();
        if let Some((file, at)) = location(code) {
            let name = files.iter().find(|(known, _)| *known == file).map(|(_, name)| name.as_str());
            due = name.is_some_and(|name| places.iter().any(|place| place.line == at && place.file == name));
        } else if places.iter().any(|place| place.line == number && place.file == module) {
            due = true;
        }
        if due && depth > 0 && is_instruction(code) {
            text += &block(inserted, nanoseconds);
            inserted += 1;
            due = false;
        }
        depth = depth.saturating_add(u32::from(code.starts_with('{'))).saturating_sub(u32::from(code.starts_with('}')));
        text += line;
        text.push('\n');
    }
    (text, inserted)
}

/// Numbers and names of `.file` lines.
fn files(ptx: &str) -> Vec<(u32, String)> {
    let lines = ptx.lines().filter_map(|line| line.trim_start().strip_prefix(".file"));
    let file = |rest: &str| {
        let number = rest.split_whitespace().next()?.parse().ok()?;
        Some((number, rest.split('"').nth(1)?.to_owned()))
    };
    lines.filter_map(file).collect()
}

/// File and line of a `.loc` line.
fn location(code: &str) -> Option<(u32, u32)> {
    let mut numbers = code.strip_prefix(".loc")?.split_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Neither a directive, a label, a comment nor a brace.
fn is_instruction(code: &str) -> bool {
    let first = code.chars().next();
    first.is_some_and(|first| first.is_ascii_alphabetic() || first == '@') && code.contains(';')
}

fn block(number: usize, nanoseconds: u32) -> String {
    let (p, r) = (format!("%gp_p{number}"), format!("%gp_r{number}"));
    format!(
        "{{\n.reg .pred {p};\n.reg .b32 {r}, {r}b;\nmov.u32 {r}, %clock;\nmov.u32 {r}b, %ctaid.x;\n\
         mad.lo.u32 {r}, {r}b, -1640531535, {r};\nshr.u32 {r}b, {r}, 13;\nxor.b32 {r}, {r}, {r}b;\n\
         and.b32 {r}, {r}, {};\nsetp.eq.u32 {p}, {r}, 0;\n@{p} nanosleep.u32 {nanoseconds};\n}}\n",
        ONE_IN - 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTX: &str = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(\n.param .u64 a\n)\n{\n.reg .b32 %r<3>;\n\
                       .loc 1 7 3\nmov.u32 %r1, 1;\n.loc 1 9 3, function_name $L, inlined_at 1 12 1\n$LABEL:\nadd.u32 %r2, %r1, 1;\n\
                       st.shared.u32 [0], %r2;\n.loc 1 7 9\nmov.u32 %r1, 2;\nret;\n}\n.file 1 \"k.cu\"\n";

    fn place(file: &str, line: u32) -> Place {
        Place { file: file.to_owned(), line }
    }

    /// The instruction lines that have a block in front of them.
    fn before(places: &[Place]) -> Vec<String> {
        let (text, inserted) = delayed(PTX, "k.ptx", places, 100);
        let lines: Vec<&str> = text.lines().collect();
        let next = |(at, line): (usize, &&str)| {
            let closes = *line == "}" && at > 0 && lines[at - 1].contains("nanosleep.u32 100;");
            closes.then(|| lines[at + 1].to_owned())
        };
        let found: Vec<String> = lines.iter().enumerate().filter_map(next).collect();
        assert_eq!(found.len(), inserted);
        // Without the blocks nothing has changed.
        let mut kept = String::new();
        let mut inside = false;
        for (at, line) in lines.iter().enumerate() {
            inside |= *line == "{" && lines[at + 1].contains("%gp_p");
            if !inside {
                kept += &format!("{line}\n");
            }
            inside &= *line != "}";
        }
        assert_eq!(kept, PTX);
        found
    }

    #[test]
    fn delays_stand_before_the_first_instruction_of_each_place() {
        assert_eq!(before(&[place("k.cu", 7)]), ["mov.u32 %r1, 1;", "mov.u32 %r1, 2;"]);
        assert_eq!(before(&[place("k.cu", 9)]), ["add.u32 %r2, %r1, 1;"]);
        assert_eq!(before(&[place("k.cu", 8), place("other.cu", 7)]), [""; 0]);
        // Where the source's text is not known, findings name the lines of the PTX.
        assert_eq!(before(&[place("k.ptx", 10)]), ["mov.u32 %r1, 1;"]);
    }

    #[test]
    fn text_without_line_information_goes_by_its_own_lines() {
        let ptx = ".entry k()\n{\nmov.u32 %r1, 1;\nmov.u32 %r1, 2;\nret;\n}\n";
        let (text, inserted) = delayed(ptx, "k.ptx", &[place("k.ptx", 4)], 5);
        assert_eq!((inserted, text.contains("nanosleep.u32 5;\n}\nmov.u32 %r1, 2;\n")), (1, true));
    }
}
