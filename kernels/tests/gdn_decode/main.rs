use gridproof_kernels::gdn_decode::*;
use gridproof_simulator::{prove, Config};
#[test]
fn probe() {
    for (variant, text) in [("wide_vec",""),("wide_vec","t=5,cache=1,b=1"),("ilp4","t=2,cache=1"),("pretranspose","t=2,cache=1"),("pretranspose","slot=-1+2"),
      ("wide_vec","slot=-1"),("intermediate_by_slot","cache=1"),("intermediate_by_slot","cache=1,slot=0,state=f32"),("wide_vec_no_pass_barrier","t=1"),("wide_vec_no_pass_barrier","t=4"),("wide_vec_no_pass_barrier","t=5"),
      ("softplus_branchless","gates=extreme"),("wide_vec","check=0,slot=3+3"),("wide_vec","check=0,slot=3+4,write=4+5"),("wide_vec","check=0,slot=9+4")] {
        for (reduction, subgroup) in [(Reduction::Subgroup,32),(Reduction::Workgroup,16)] {
        let variant: Variant = variant.parse().unwrap();
        let request = parse_shape(text, variant).unwrap();
        let problem = request.problem(1).unwrap();
        let launch = launch(&problem, variant, Options{reduction, tile_v: request.tile_v, ..Options::default()}).unwrap();
        let outcome = prove(&launch, &Config{subgroup_size: subgroup, ..Config::default()}).unwrap_or_else(|e| panic!("{e}"));
        println!("{} {text} {subgroup}: {:?} {:?}", variant.name(), outcome.stats.elapsed, outcome.stats.instructions);
        for f in &outcome.findings { println!("   {:?} {:?} {} benign {} declared {:?} count {} vis {:?} {:?}", f.rule, f.severity, f.first.buffer, f.benign, f.declared.is_some(), f.count, f.output_visible, f.detail); }
        }
    }
}
