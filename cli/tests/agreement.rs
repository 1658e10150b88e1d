//! Two engines that share the interpreter and nothing else must say the same about every launch that both can explore.
//!
//! Our own has its own scheduler, partial-order reduction and vector clocks; loom has its own of each. The table of all
//! launches is printed: `cargo test --release -p gridproof --test agreement -- --nocapture`.

use std::path::Path;

use gridproof_conformance::check::{Agreement, Compared, compare};
use gridproof_conformance::family::{Making, families};
use gridproof_conformance::litmus::{Kind, Memory, Syntax, litmus, shapes};
use gridproof_launch::{Language, Launch};
use gridproof_simulator::Config;

/// Launches drawn of each kind and syntax.
const DRAWN: u64 = 12;

struct Row {
    name: String,
    compared: Compared,
}

fn compared(name: String, launch: &Launch, subgroup_size: u32, slots: u32) -> Row {
    compared_with(Path::new(env!("CARGO_BIN_EXE_gridproof")), name, launch, subgroup_size, slots)
}

/// With loom run by this executable.
fn compared_with(executable: &Path, name: String, launch: &Launch, subgroup_size: u32, slots: u32) -> Row {
    let config = Config { subgroup_size, threads: 1, ..Config::default() };
    let compared = compare(executable, launch, &config, slots).unwrap_or_else(|error| panic!("{name}: {error}"));
    Row { name, compared }
}

fn show(rows: &[Row]) {
    println!("launch\tagree\traces\twaits\texhaustive\tper second\tloom\tper second");
    for Row { name, compared } in rows {
        let Compared { agreement, races, waits, exhaustive, loom } = compared;
        let rate = |executions: u64, seconds: f64| if seconds > 0.0 { executions as f64 / seconds } else { 0.0 };
        println!(
            "{name}\t{agreement:?}\t{races}\t{waits}\t{}\t{:.0}\t{}\t{:.0}\t{}",
            exhaustive.executions,
            rate(exhaustive.executions + exhaustive.redundant, exhaustive.elapsed.as_secs_f64()),
            loom.executions,
            rate(loom.executions, loom.elapsed.as_secs_f64()),
            loom.note.as_deref().unwrap_or("")
        );
    }
    let count = |wanted: Agreement| rows.iter().filter(|row| row.compared.agreement == wanted).count();
    println!(
        "{} launches: {} agree, {} disagree, {} undecided",
        rows.len(),
        count(Agreement::Yes),
        count(Agreement::No),
        count(Agreement::Undecided)
    );
}

fn agree(rows: &[Row], at_least: usize) {
    show(rows);
    let disagreeing: Vec<&str> =
        rows.iter().filter(|row| row.compared.agreement == Agreement::No).map(|row| row.name.as_str()).collect();
    assert!(disagreeing.is_empty(), "{disagreeing:?}");
    let decided = rows.iter().filter(|row| row.compared.agreement == Agreement::Yes).count();
    assert!(decided >= at_least, "only {decided} of {} launches were decided by both", rows.len());
    // Agreement on nothing but one answer would say little.
    assert!(rows.iter().any(|row| row.compared.races) && rows.iter().any(|row| !row.compared.races));
}

#[test]
fn both_engines_agree_on_the_shapes_of_the_literature() {
    let mut rows = Vec::new();
    for shape in shapes() {
        for &syntax in shape.syntaxes {
            let name = format!("{} {syntax:?}", shape.litmus.name);
            let launch = shape.litmus.launch(syntax).unwrap();
            let row = compared(name, &launch, shape.litmus.kind.subgroup_size(), 4);
            assert_eq!(row.compared.races, shape.racy, "{}", row.name);
            rows.push(row);
        }
    }
    agree(&rows, 100);
}

#[test]
fn both_engines_agree_on_drawn_launches() {
    let mut rows = Vec::new();
    let inside = |size, memory| Kind::Subgroups { size, memory };
    for syntax in [Syntax::Wgsl, Syntax::Ptx] {
        let size = if syntax == Syntax::Ptx { 32 } else { 8 };
        for kind in [Kind::Workgroups, inside(size, Memory::Storage), inside(size, Memory::Workgroup)] {
            for seed in 0..DRAWN {
                let launch = litmus(seed, syntax, kind).unwrap();
                rows.push(compared(format!("{seed} {syntax:?} {kind:?}"), &launch, kind.subgroup_size(), 4));
            }
        }
    }
    agree(&rows, 60);
}

/// Every variant of the catalogue at shapes that fit into loom.
#[test]
fn both_engines_agree_on_the_variants_of_the_catalogue() {
    let shapes: [(&str, &[&str]); 5] = [
        ("resadd_norm_gemv_int4", &["n=2,k=512", "n=3,k=512"]),
        // The smallest launches have 16,384 elements of state: loom does not come to an end with them in minutes.
        ("gdn_conv_fused", &[]),
        ("gdn_decode", &[]),
        // One token: with more, block routing races inside one subgroup, of which loom knows nothing.
        ("conv1d_qkv_split", &["q=2,k=2,v=2,lens=1,width=3", "q=2,k=2,v=2,lens=1"]),
        ("gdn_chunked", &["t=1,hv=1", "t=2,hv=1"]),
    ];
    let making = Making {
        data_seed: 0,
        arithmetic: Config::default().arithmetic,
        subgroup_size: 32,
        language: Language::default(),
    };
    let mut rows = Vec::new();
    for family in families() {
        let kernel = family.kernel();
        let (_, shapes) = shapes.iter().find(|(name, _)| *name == kernel.name).expect("small shapes for every kernel");
        for variant in kernel.variants {
            for shape in *shapes {
                let instance = family.instance(variant.name, shape, &making).unwrap();
                rows.push(compared(format!("{}:{} {shape}", kernel.name, variant.name), &instance.launch, 32, 4));
            }
        }
    }
    agree(&rows, rows.len());
}

/// An agreement that could not fail would say nothing: engines that are wrong on purpose, as scripts in loom's place.
#[cfg(unix)]
mod wrong {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use gridproof_conformance::litmus::Shape;

    use super::*;

    /// An executable, written by a process of its own: what this one has open for writing, no other test's child could
    /// execute before it is closed there too.
    fn engine(path: &Path, text: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", "cat > \"$0\" && chmod +x \"$0\""]).arg(path).stdin(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }

    fn with(executable: &Path, shape: &Shape) -> Compared {
        let (name, kind) = (shape.litmus.name.clone(), shape.litmus.kind);
        let launch = shape.litmus.launch(shape.syntaxes[0]).unwrap();
        compared_with(executable, name, &launch, kind.subgroup_size(), 4).compared
    }

    #[test]
    fn an_engine_that_never_finds_anything_disagrees_about_every_fault() {
        let folder = tempfile::tempdir().unwrap();
        let blind = folder.path().join("blind");
        let reply = r#"{"verdict":"Clean","iterations":1,"restarts":0,"complete":true,"granules":0,"microseconds":1"#;
        engine(&blind, &format!("cat > /dev/null; echo '{{\"Outcome\":{reply},\"files\":[]}}}}'"));
        let mut counts = [0; 2];
        for shape in shapes() {
            let compared = with(&blind, &shape);
            let faulty = compared.races || compared.waits;
            let expected = if faulty { Agreement::No } else { Agreement::Yes };
            assert_eq!(compared.agreement, expected, "{}", shape.litmus.name);
            counts[usize::from(faulty)] += 1;
        }
        assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
    }

    #[test]
    fn an_engine_that_always_finds_a_race_disagrees_about_every_clean_launch() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, seer) = (folder.path().join("recorder"), folder.path().join("seer"));
        let (loom, job) = (env!("CARGO_BIN_EXE_gridproof"), folder.path().join("job"));
        // The first job of a racy launch, whose answer is given to every other one.
        engine(
            &recorder,
            &format!(
                "cat > '{0}.new'; [ -e '{0}' ] || mv '{0}.new' '{0}'\nexec '{loom}' \"$@\" < '{0}'",
                job.display()
            ),
        );
        engine(&seer, &format!("cat > /dev/null\nexec '{loom}' \"$@\" < '{}'", job.display()));
        let all = shapes();
        let racy = all.iter().find(|shape| shape.racy && shape.litmus.kind == Kind::Workgroups).unwrap();
        assert_eq!(with(&recorder, racy).agreement, Agreement::Yes);
        let clean = all.iter().filter(|shape| !shape.racy).step_by(4);
        for shape in clean {
            assert_eq!(with(&seer, shape).agreement, Agreement::No, "{}", shape.litmus.name);
        }
    }

    #[test]
    fn an_engine_that_dies_decides_nothing_but_what_was_found() {
        let shape = shapes().into_iter().find(|shape| !shape.racy).unwrap();
        let compared = with(Path::new("/bin/false"), &shape);
        assert_eq!(compared.agreement, Agreement::Undecided);
        assert!(compared.loom.note.is_some_and(|note| note.contains("exit status: 1")));
    }
}
