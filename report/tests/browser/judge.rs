//! What must hold for a page that was opened.

use serde_json::Value;

use crate::chromium::Seen;

/// What a page must have.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub lanes: usize,
    pub turns: usize,
    pub steps: usize,
    pub arrow: bool,
    /// Lines of the source that are marked.
    pub marked_lines: usize,
}

/// Whether a page is as it must be; if not, the first thing that is wrong.
pub fn judge(seen: &Seen, expected: Expected) -> Result<(), String> {
    let Seen { measured, console, .. } = seen;
    if let Some(line) = console.first() {
        return Err(format!("the console has {} lines, the first: {line}", console.len()));
    }
    if measured["script"] != "ran" {
        return Err(format!("the script did not run: {}", measured["script"]));
    }
    for (what, number) in [
        ("lanes", expected.lanes),
        ("turns", expected.turns),
        ("steps", expected.steps),
        ("marked_lines", expected.marked_lines),
        ("elements_from_elsewhere", 0),
    ] {
        if measured[what] != number {
            return Err(format!("{} {what}, expected {number}", measured[what]));
        }
    }
    let (width, room) = (measured["width"][0].as_u64(), measured["width"][1].as_u64());
    if width > room {
        return Err(format!("the page is wider than the window: {width:?} of {room:?}"));
    }
    if measured["text_outside"].as_array().is_none_or(|outside| !outside.is_empty()) {
        return Err(format!("text leaves its box: {}", measured["text_outside"]));
    }
    arrow(&measured["arrow"], expected.arrow)
}

fn arrow(arrow: &Value, expected: bool) -> Result<(), String> {
    if arrow.is_null() || !expected {
        return if arrow.is_null() == expected { Err(format!("arrow: {arrow}")) } else { Ok(()) };
    }
    for (name, end, which) in [("starts", &arrow["from"], "first"), ("ends", &arrow["to"], "second")] {
        if arrow[which] != true {
            return Err(format!("the arrow {name} at a box that is not that of the {which} access"));
        }
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let [x, y] = [0, 1].map(|index| number(&end["point"][index]));
        let [left, top, right, bottom] = [0, 1, 2, 3].map(|index| number(&end["box"][index]));
        if !(left <= x && x <= right && top <= y && y <= bottom) {
            return Err(format!("the arrow {name} outside of its box: {end}"));
        }
    }
    Ok(())
}
