//! Words and JSON for what a fingerprint measures, whatever kind of device it is of.

use gridproof_gpu::{DenormalHandling, Exact, Folding, LoopCount, MultiplyAddCount, Rounding};
use gridproof_launch::Arithmetic;
use gridproof_report::text::number;
use serde_json::{Value, json};

/// One line of a page: what, and how it is.
pub(super) type Fact = (&'static str, String);

pub(super) fn profile_words(profiles: &[Arithmetic]) -> String {
    let profiles: Vec<_> = profiles.iter().map(ToString::to_string).collect();
    if profiles.is_empty() { "none can be compared bit for bit".to_owned() } else { profiles.join(" and ") }
}

pub(super) fn loop_facts(loops: &[LoopCount]) -> impl Iterator<Item = Fact> {
    loops.iter().map(|count| {
        let text = format!("{:?}: ran {} of {}", count.form, number(count.observed), number(count.expected));
        ("loop", text.to_lowercase())
    })
}

pub(super) fn loops_value(loops: &[LoopCount]) -> Value {
    let loops = loops.iter().map(|count| {
        json!({
            "form": format!("{:?}", count.form).to_lowercase(),
            "expected": count.expected,
            "observed": count.observed,
        })
    });
    loops.collect()
}

pub(super) fn exact_facts(exact: &Exact) -> [Fact; 7] {
    [
        ("exact a*b+c", multiply_add(exact.multiply_add)),
        ("exact fma", multiply_add(exact.fma)),
        ("exact algebra", folding(exact.folding)),
        ("exact a/b", rounding(exact.division)),
        ("exact sqrt", rounding(exact.square_root)),
        ("denormal operands", denormals(exact.denormal_inputs).to_owned()),
        ("denormal results", denormals(exact.denormal_results).to_owned()),
    ]
}

pub(super) fn multiply_add(count: MultiplyAddCount) -> String {
    let MultiplyAddCount { sample, once, twice, neither } = count;
    if count.is_fused() {
        format!("rounds once, in all of {}", number(sample))
    } else if count.is_separate() {
        format!("rounds twice, in all of {}", number(sample))
    } else {
        format!(
            "of {}: {} round once, {} twice, {} neither",
            number(sample),
            number(once),
            number(twice),
            number(neither)
        )
    }
}

pub(super) fn folding(folding: Folding) -> String {
    match folding.wrong {
        0 => format!("as written, in all of {}", number(folding.sample)),
        wrong => format!("rewritten in {} of {}", number(wrong), number(folding.sample)),
    }
}

pub(super) fn rounding(rounding: Rounding) -> String {
    let Rounding { sample, wrong, worst_ulp } = rounding;
    if rounding.is_correct() {
        format!("correctly rounded, in all of {}", number(sample))
    } else {
        format!("wrong in {} of {}, by up to {worst_ulp:.2} ulp", number(wrong), number(sample))
    }
}

pub(super) const fn denormals(handling: DenormalHandling) -> &'static str {
    match handling {
        DenormalHandling::Kept => "kept",
        DenormalHandling::Flushed => "flushed to zero",
        DenormalHandling::Mixed => "now kept, now flushed",
    }
}

pub(super) fn exact_value(exact: &Exact) -> Value {
    json!({
        "multiply_add": multiply_add_value(exact.multiply_add),
        "fma": multiply_add_value(exact.fma),
        "folding": folding_value(exact.folding),
        "division": rounding_value(exact.division),
        "square_root": rounding_value(exact.square_root),
        "denormal_operands": denormals(exact.denormal_inputs),
        "denormal_results": denormals(exact.denormal_results),
    })
}

pub(super) fn multiply_add_value(count: MultiplyAddCount) -> Value {
    json!({ "sample": count.sample, "once": count.once, "twice": count.twice, "neither": count.neither })
}

pub(super) fn folding_value(folding: Folding) -> Value {
    json!({ "sample": folding.sample, "wrong": folding.wrong })
}

pub(super) fn rounding_value(rounding: Rounding) -> Value {
    json!({ "sample": rounding.sample, "wrong": rounding.wrong, "worst_ulp": rounding.worst_ulp })
}
