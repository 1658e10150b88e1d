//! `gridproof explain`.

use gridproof_report::explain;
use gridproof_simulator::finding::Rule;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::flags::{ExplainFlags, Format};
use crate::output::{Layout, Output, Rendered, no_form};

pub fn run(flags: &ExplainFlags, output: &Output) -> anyhow::Result<Exit> {
    let page = match &flags.code {
        Some(code) => Page::One(explain::rule(code)?),
        None => Page::All,
    };
    output.write(&page)?;
    Ok(Exit::Clean)
}

enum Page {
    One(Rule),
    All,
}

impl Rendered for Page {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        match (format, self) {
            (Format::Human, Self::One(rule)) => Ok(explain::render(*rule, layout.options.width.clamp(60, 100))),
            (Format::Human, Self::All) => Ok(Rule::ALL.map(line).concat()),
            (Format::Json, Self::One(rule)) => Ok(format!("{:#}\n", value(*rule))),
            (Format::Json, Self::All) => Ok(format!("{:#}\n", Value::from(Rule::ALL.map(value).to_vec()))),
            _ => Err(no_form("explain", format)),
        }
    }
}

fn line(rule: Rule) -> String {
    format!("{}  {}\n", rule.code(), explain::explanation(rule).title)
}

fn value(rule: Rule) -> Value {
    let explain::Explanation { name, title, meaning, example, mend, limits, .. } = explain::explanation(rule);
    json!({
        "rule": rule.code(),
        "name": name,
        "title": title,
        "meaning": meaning,
        "example": example,
        "mend": mend,
        "limits": limits,
    })
}
