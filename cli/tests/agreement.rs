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
    let config = Config { subgroup_size, threads: 1, ..Config::default() };
    let executable = Path::new(env!("CARGO_BIN_EXE_gridproof"));
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
