//! x
use gridproof_kernels::gdn_decode::*;
use gridproof_simulator::{Config, Policy, ladder, prove};
#[test]
fn probe() {
    for (variant, text) in [
        ("wide_vec_no_pass_barrier", "t=1"),
        ("wide_vec_no_pass_barrier", "b=1,t=4"),
        ("wide_vec_no_pass_barrier", "b=1,t=5"),
        ("wide_vec", "check=0,slot=3+3"),
        ("wide_vec", "check=0,slot=3+4,write=4+5"),
        ("wide_vec", "check=0,slot=3+4,write=5+3"),
        ("wide_vec", "check=0,slot=3+4,write=5+3,tile=128"),
        ("intermediate_by_slot", "slot=0+0,state=f32,cache=1,write=1+2"),
    ] {
        for (reduction, subgroup) in [(Reduction::Subgroup, 32), (Reduction::Workgroup, 16)] {
            let variant: Variant = variant.parse().unwrap();
            let request = parse_shape(text, variant).unwrap();
            let problem = request.problem(1).unwrap();
            let launch =
                launch(&problem, variant, Options { reduction, tile_v: request.tile_v, ..Options::default() }).unwrap();
            let config = Config { subgroup_size: subgroup, ..Config::default() };
            let outcome = prove(&launch, &config).unwrap_or_else(|e| panic!("{e}"));
            println!(
                "{} {text} {subgroup}: grid {:?} {}",
                variant.name(),
                launch.dispatches[0].grid,
                outcome.findings.len()
            );
            for f in &outcome.findings {
                println!("   {:?} {}", f.rule, f.first.buffer);
            }
            if outcome.findings.is_empty() {
                continue;
            }
            for slots in [1u32, 2, 4, 8, 16, 17, 19, 24, 28, 32, 33, 512] {
                let rungs = ladder::climb(&launch, &config, &outcome, slots, 2).unwrap();
                let mut waves = rungs[1].failing.is_none();
                let _ = &mut waves;
                println!("   slots {slots}: in order {} waves {}", rungs[0].failing.is_none(), waves);
                let _ = Policy::Serial;
            }
        }
    }
}
