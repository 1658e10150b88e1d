//! A kernel with mistakes in its WGSL text, and what shows.

use std::collections::BTreeSet;

use gridproof_launch::{Launch, Source};
use gridproof_simulator::{Config, Outcome, prove};

/// What is found in a wrong kernel: rules and places, and the buffers that are not as the model says.
#[derive(Debug, PartialEq, Eq)]
pub struct Symptoms {
    pub rules: BTreeSet<(&'static str, String)>,
    pub wrong: Vec<String>,
}

impl Symptoms {
    /// No detector sees anything, but these buffers are wrong.
    pub fn only_wrong(buffers: &[&str]) -> Self {
        Self { rules: BTreeSet::new(), wrong: buffers.iter().map(|name| (*name).to_owned()).collect() }
    }
}

/// Replaces text in the launch's first module, each replacement somewhere at least, and proves the launch.
#[track_caller]
pub fn mistaken(launch: &Launch, config: &Config, edits: &[(&str, &str)]) -> Outcome {
    let mut launch = launch.clone();
    let source = &mut launch.modules[0].source;
    let Source::Wgsl(kernel) = source else { panic!("{} is not WGSL", source.language()) };
    let mut wrong = kernel.to_string();
    for (right, mistake) in edits {
        assert!(wrong.contains(right), "nothing to replace: {right}");
        wrong = wrong.replace(right, mistake);
    }
    *source = Source::Wgsl(wrong.into());
    prove(&launch, config).unwrap_or_else(|error| panic!("{edits:?}: {error}"))
}

/// The buffers that differences between outputs and model are about.
pub fn buffers(differences: &[String]) -> Vec<String> {
    differences.iter().map(|text| text.split('`').nth(1).unwrap_or("").to_owned()).collect()
}
