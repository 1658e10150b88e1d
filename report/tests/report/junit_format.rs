//! What readers of JUnit XML take: a check of the constraints of the format that Jenkins, GitLab and others read.
//!
//! There is no official schema. These are the rules of Jenkins's `junit-10.xsd`, as far as our files need them: which elements
//! stand where, which attributes they must and may have, and besides that numbers are numbers and counts are right.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// Counts of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub tests: usize,
    pub failures: usize,
    pub errors: usize,
    pub skipped: usize,
}

/// Parent, element, attributes that must be there, attributes that may be.
const ELEMENTS: [(&str, &str, &[&str], &[&str]); 8] = [
    ("", "testsuites", &["name", "tests", "failures", "errors"], &["time"]),
    ("testsuites", "testsuite", &["name", "tests", "failures", "errors", "skipped"], &["time", "timestamp"]),
    ("testsuite", "testcase", &["name"], &["classname", "time"]),
    ("testcase", "skipped", &[], &["message", "type"]),
    ("testcase", "failure", &[], &["message", "type"]),
    ("testcase", "error", &[], &["message", "type"]),
    ("testcase", "system-out", &[], &[]),
    ("testcase", "system-err", &[], &[]),
];

/// The counts of a file that keeps to the format.
///
/// # Errors
/// The first thing that does not.
pub fn counts(text: &str) -> Result<Counts, String> {
    let mut reader = Reader::from_str(text);
    let (mut open, mut told, mut found) = (Vec::<String>::new(), Vec::new(), Counts::default());
    loop {
        let at = reader.buffer_position();
        match reader.read_event().map_err(|error| format!("byte {at}: {error}"))? {
            Event::Start(element) => {
                enter(&element, &open, &mut told, &mut found)?;
                open.push(String::from_utf8_lossy(element.name().as_ref()).into_owned());
            }
            Event::Empty(element) => enter(&element, &open, &mut told, &mut found)?,
            Event::End(_) => {
                open.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if told.is_empty() || !open.is_empty() {
        return Err("no whole document".to_owned());
    }
    let Counts { tests, failures, errors, skipped } = found;
    let is_right = |told: &Told| *told == (tests, failures, errors, told.3.and(Some(skipped)));
    match told.iter().find(|told| !is_right(told)) {
        Some(told) => Err(format!("the file says {told:?} and has {found:?}")),
        None => Ok(found),
    }
}

/// Tests, failures, errors, and skips where the element counts them.
type Told = (usize, usize, usize, Option<usize>);

fn enter(element: &BytesStart<'_>, open: &[String], told: &mut Vec<Told>, found: &mut Counts) -> Result<(), String> {
    let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
    let parent = open.last().map_or("", String::as_str);
    let (_, _, must, may) = ELEMENTS
        .into_iter()
        .find(|(within, known, _, _)| *within == parent && *known == name)
        .ok_or_else(|| format!("`{name}` inside `{parent}`"))?;
    let mut attributes = Vec::new();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| format!("`{name}`: {error}"))?;
        let value = String::from_utf8_lossy(&attribute.value).into_owned();
        attributes.push((String::from_utf8_lossy(attribute.key.as_ref()).into_owned(), value));
    }
    let value = |key: &str| attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    if let Some(missing) = must.iter().find(|key| value(key).is_none()) {
        return Err(format!("`{name}` has no `{missing}`"));
    }
    if let Some((other, _)) =
        attributes.iter().find(|(key, _)| !must.contains(&key.as_str()) && !may.contains(&key.as_str()))
    {
        return Err(format!("`{name}` has `{other}`"));
    }
    if value("time").is_some_and(|time| time.parse::<f64>().is_err()) {
        return Err(format!("`{name}`: time = {:?}", value("time")));
    }
    let number = |key: &str| match value(key) {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| format!("`{name}`: {key} = {text}")),
    };
    match name.as_str() {
        "testsuites" => told.push((number("tests")?, number("failures")?, number("errors")?, None)),
        "testsuite" => {
            let skipped = number("skipped")?;
            told.push((number("tests")?, number("failures")?, number("errors")?, Some(skipped)));
        }
        "testcase" => found.tests += 1,
        "failure" => found.failures += 1,
        "error" => found.errors += 1,
        "skipped" => found.skipped += 1,
        _ => {}
    }
    Ok(())
}

#[test]
fn what_breaks_the_format_is_noticed() {
    let good = "<testsuites name=\"a\" tests=\"1\" failures=\"1\" errors=\"0\"><testsuite name=\"b\" tests=\"1\" skipped=\"0\" \
                errors=\"0\" failures=\"1\"><testcase name=\"c\" time=\"0.5\"><failure/></testcase></testsuite></testsuites>";
    assert_eq!(counts(good), Ok(Counts { tests: 1, failures: 1, errors: 0, skipped: 0 }));
    for (what, broken) in [
        ("a count", good.replace("failures=\"1\"", "failures=\"0\"")),
        ("an element", good.replace("<failure/>", "<failed/>")),
        ("a place", good.replace("<failure/></testcase>", "</testcase><failure/>")),
        ("a count of skips", good.replace("skipped=\"0\"", "skipped=\"1\"")),
        ("an attribute of another element", good.replace("<testsuites ", "<testsuites skipped=\"0\" ")),
        ("a missing attribute", good.replace("testcase name=\"c\"", "testcase")),
        ("an unknown attribute", good.replace("time=\"0.5\"", "seconds=\"0.5\"")),
        ("a number", good.replace("0.5", "half")),
        ("XML", good.replace("</testcase>", "")),
    ] {
        assert_ne!(broken, good, "{what}");
        assert!(counts(&broken).is_err(), "{what}");
    }
}
