//! Mutation of kernels: what is noticed without each barrier and guard, and what can go.

use std::path::{Path, PathBuf};

use gridproof_conformance::check::{CheckError, CheckOptions};
use gridproof_conformance::mutate::{MutateOptions, mutate_catalogue, mutate_files};
use gridproof_launch::Construct;
use gridproof_report::mutation::{Evidence, Fate, Kernel, Mutant, MutationReport};
use gridproof_simulator::Config;

fn kernels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels")
}

fn files(module: &str, launches: &[&str], options: &MutateOptions) -> Result<MutationReport, CheckError> {
    let launches: Vec<PathBuf> = launches.iter().map(|launch| kernels().join(launch)).collect();
    mutate_files(&kernels().join(module), &launches, options, &|_| {})
}

fn mutants() -> Kernel {
    files("mutants.wgsl", &["mutants.toml"], &MutateOptions::default()).unwrap().kernels.remove(0)
}

/// The fate of a mutant as the comments of `mutants.wgsl` have it.
fn told(mutant: &Mutant) -> String {
    match &mutant.fate {
        Fate::Needed { evidence, .. } => match &**evidence {
            Evidence::Finding { finding, .. } => format!("needed: {}", finding.rule.code()),
            Evidence::Outputs { .. } => "needed: outputs".to_owned(),
            Evidence::Endless { .. } => "needed: endless".to_owned(),
        },
        fate => fate.word().to_owned(),
    }
}

#[test]
fn every_fate_comes_out_where_the_kernel_says_so() {
    let text = std::fs::read_to_string(kernels().join("mutants.wgsl")).unwrap();
    let commented = text.lines().zip(1..).filter_map(|(line, number)| {
        let comment = line.split_once(" // ")?.1;
        let fate = if comment.starts_with("needed") { comment } else { comment.split(':').next()? };
        Some((number, fate.to_owned()))
    });
    let found = mutants().mutants.iter().map(|mutant| (mutant.site.line, told(mutant))).collect::<Vec<_>>();
    assert_eq!(found, commented.collect::<Vec<(u32, String)>>());
    assert!(found.iter().any(|(_, fate)| fate == "idle") && found.iter().any(|(_, fate)| fate == "needed: endless"));
}

#[test]
fn of_two_barriers_in_a_row_one_can_go() {
    let kernel = mutants();
    let together = kernel.together.clone().unwrap();
    let redundant: Vec<usize> = (0..kernel.mutants.len())
        .filter(|&position| {
            let mutant = &kernel.mutants[position];
            mutant.site.construct == Construct::Barrier && mutant.fate == Fate::Redundant
        })
        .collect();
    let [first, second, last] = redundant[..] else { panic!("{redundant:?}") };
    assert_eq!((together.without, together.not_with_these), (vec![first, last], vec![second]));
    assert_eq!((kernel.noticed(), kernel.mutants.len(), kernel.is_wrong()), (5, 11, false));
}

#[test]
fn the_same_comes_out_every_time() {
    assert_eq!(mutants(), mutants());
}

#[test]
fn wrong_kernels_are_skipped_and_say_why() {
    let report = files("missing_barrier.wgsl", &["missing_barrier.toml"], &MutateOptions::default()).unwrap();
    let [kernel] = report.kernels.as_slice() else { panic!() };
    let expected = "wrong as it is: GP0002: race inside a workgroup on `shared_`";
    assert_eq!((kernel.skipped.as_deref(), kernel.mutants.len(), kernel.is_wrong()), (Some(expected), 0, true));
}

#[test]
fn unsupported_kernels_and_those_that_do_not_end_are_skipped() {
    for (module, launch, reason) in
        [("texture.wgsl", "texture.toml", "unsupported: "), ("endless.wgsl", "endless.toml", "instructions")]
    {
        let mut options = MutateOptions::default();
        options.check.config.budget.instructions = 1 << 24;
        let report = files(module, &[launch], &options).unwrap();
        let skipped = report.kernels[0].skipped.clone().unwrap();
        assert!(skipped.contains(reason) && !report.kernels[0].is_wrong(), "{skipped}");
    }
}

/// The race is there with the guard, at the same places, but benign.
#[test]
fn a_race_that_is_benign_only_with_the_guard_is_noticed() {
    let report = files("guarded_winner.wgsl", &["guarded_winner.toml"], &MutateOptions::default()).unwrap();
    let [guard] = report.kernels[0].mutants.as_slice() else { panic!("{report:?}") };
    let Fate::Needed { evidence, .. } = &guard.fate else { panic!("{:?}", guard.fate) };
    let Evidence::Finding { finding, .. } = &**evidence else { panic!("{evidence:?}") };
    assert_eq!((finding.rule.code(), finding.benign), ("GP0001", false));
}

/// Workgroups share a budget, and one may need nearly all of it with its barrier as without.
#[test]
fn a_long_workgroup_is_not_endless() {
    let report = files("ragged.wgsl", &["ragged.toml"], &MutateOptions::default()).unwrap();
    let fates: Vec<&str> = report.kernels[0].mutants.iter().map(|mutant| mutant.fate.word()).collect();
    assert_eq!(fates, ["redundant"]);
}

#[test]
fn a_launch_that_needs_exploration_calls_no_barrier_redundant() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/grid_barrier");
    let launches = [folder.join("correct.toml")];
    let report =
        mutate_files(&folder.join("grid_barrier.wgsl"), &launches, &MutateOptions::default(), &|_| {}).unwrap();
    let kernel = &report.kernels[0];
    assert!(kernel.explored && !kernel.is_decided());
    let barriers = kernel.mutants.iter().filter(|mutant| mutant.site.construct == Construct::Barrier);
    assert!(barriers.clone().count() > 0);
    barriers.for_each(|mutant| assert_eq!(mutant.fate.word(), "undecided", "{:?}", mutant.site));
}

#[test]
fn a_lock_that_is_not_kept_is_noticed_by_exploration() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/split_k");
    let launches = [folder.join("last_arriver.toml")];
    let report = mutate_files(&folder.join("split_k.wgsl"), &launches, &MutateOptions::default(), &|_| {}).unwrap();
    assert!(report.kernels[0].explored && report.kernels[0].noticed() > 0, "{report:?}");
}

/// The pipeline's barriers: without any but one of them there is a race. The gammas are stored before the first of the
/// barriers of the first pair, so that the one behind them orders nothing that those do not.
#[test]
fn every_barrier_of_the_chunked_scan_but_one_is_needed() {
    let options = MutateOptions {
        subgroup_sizes: vec![8, 32, 64],
        filter: Some("barrier".to_owned()),
        ..MutateOptions::default()
    };
    let shapes = ["t=2,d=128".to_owned(), "t=5,hv=1,d=128".to_owned()];
    let report = mutate_catalogue(Some("gdn_chunked"), Some("chunked"), &shapes, &options, &|_| {}).unwrap();
    let kernel = &report.kernels[0];
    assert_eq!((kernel.launches.len(), kernel.mutants.len()), (6, 12));
    let survivors: Vec<&Mutant> = kernel.mutants.iter().filter(|mutant| !is_race(&mutant.fate)).collect();
    let [only] = survivors.as_slice() else { panic!("{survivors:?}") };
    assert_eq!((only.fate.word(), only.entries.as_slice()), ("redundant", &["solve".to_owned()][..]));
    let text = kernel.files[0].text.clone().unwrap();
    let line = usize::try_from(only.site.line).unwrap();
    let before: Vec<&str> = text.lines().take(line).skip(line - 8).collect();
    assert!(before.iter().any(|line| line.contains("gammas[j] = sum;")), "{before:?}");
}

fn is_race(fate: &Fate) -> bool {
    matches!(fate, Fate::Needed { evidence, .. }
        if matches!(&**evidence, Evidence::Finding { finding, .. } if finding.rule.code() == "GP0002"))
}

#[test]
fn selections_that_make_no_sense_are_refused() {
    let message = |kernel, variant, shapes: &[&str], options: &MutateOptions| {
        let shapes: Vec<String> = shapes.iter().map(|&shape| shape.to_owned()).collect();
        mutate_catalogue(kernel, variant, &shapes, options, &|_| {}).map(|_| ()).unwrap_err().to_string()
    };
    let usual = MutateOptions::default();
    assert!(message(Some("nothing"), None, &[], &usual).starts_with("unknown kernel `nothing`: the catalogue has "));
    let unknown = message(Some("gdn_chunked"), Some("nothing"), &[], &usual);
    assert!(unknown.starts_with("unknown variant `nothing` of gdn_chunked"), "{unknown}");
    let refused = message(Some("gdn_chunked"), Some("chunked"), &["x=1"], &usual);
    assert!(refused.contains("unknown shape key `x`"), "{refused}");
    let filtered = MutateOptions { filter: Some("guard@nowhere".to_owned()), ..MutateOptions::default() };
    let nothing = files("mutants.wgsl", &["mutants.toml"], &filtered).unwrap_err();
    assert_eq!((nothing.to_string().as_str(), nothing.exit_code()), ("nothing is selected by site `guard@nowhere`", 4));
    let config = Config { subgroup_size: 3, ..Config::default() };
    let odd = MutateOptions { check: CheckOptions { config, ..CheckOptions::default() }, ..MutateOptions::default() };
    assert!(files("mutants.wgsl", &["mutants.toml"], &odd).is_err());
}
