//! `gridproof list`: the catalogue.

use gridproof_kernels::catalogue::{Kernel, catalogue};
use gridproof_report::text::entry;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::flags::Format;
use crate::output::{Layout, Output, Rendered, no_form};

pub fn run(output: &Output) -> anyhow::Result<Exit> {
    output.write(&Catalogue(catalogue()))?;
    Ok(if catalogue().is_empty() { Exit::Nothing } else { Exit::Clean })
}

struct Catalogue(&'static [Kernel]);

impl Rendered for Catalogue {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => {
                let pages: Vec<_> =
                    self.0.iter().map(|kernel| page(kernel, layout.options.width.clamp(60, 120))).collect();
                Ok(pages.join("\n"))
            }
            Format::Json => Ok(format!("{:#}\n", Value::from(self.0.iter().map(value).collect::<Vec<_>>()))),
            Format::Junit | Format::Sarif | Format::Html | Format::Trace => Err(no_form("list", format)),
        }
    }
}

fn page(kernel: &Kernel, width: usize) -> String {
    let mut lines = vec![kernel.name.to_owned()];
    let mut add = |name: &str, text: &str| lines.push(entry(name, 20, text, width));
    add("", kernel.summary);
    add("", &format!("from {}", kernel.source));
    let languages: Vec<&str> = kernel.languages.iter().map(|language| language.name()).collect();
    add("--language", &languages.join(", "));
    for key in kernel.shape_keys {
        add(&format!("--shape {}", key.name), &format!("{} (default {})", key.meaning, key.default));
    }
    for variant in kernel.variants {
        add(&format!(":{}", variant.name), variant.summary);
        add("", &format!("must be: {}", variant.required));
        let shape = |shape: &&'static str| if shape.is_empty() { "the defaults" } else { *shape };
        let shapes = |shapes: &[&'static str]| shapes.iter().map(shape).collect::<Vec<_>>().join("; ");
        add("", &format!("main job: {}", shapes(variant.shapes)));
        if !variant.long_shapes.is_empty() {
            add("", &format!("in CUDA C++ also: {}", shapes(variant.long_shapes)));
        }
    }
    lines.join("\n") + "\n"
}

fn value(kernel: &Kernel) -> Value {
    let keys =
        kernel.shape_keys.iter().map(|key| json!({ "key": key.name, "meaning": key.meaning, "default": key.default }));
    let variants = kernel.variants.iter().map(|variant| {
        json!({
            "variant": variant.name,
            "summary": variant.summary,
            "required": variant.required,
            "shapes": variant.shapes,
        })
    });
    json!({
        "kernel": kernel.name,
        "summary": kernel.summary,
        "source": kernel.source,
        "languages": kernel.languages.iter().map(|language| language.name()).collect::<Vec<_>>(),
        "shape_keys": keys.collect::<Vec<_>>(),
        "variants": variants.collect::<Vec<_>>(),
    })
}
