//! The WGSL source has the model's bits, and touches nothing else.

use gridproof_kernels::conv1d_qkv_split::{Options, Variant};

use super::check;
use super::checked::{Case, PROFILES, cases};

/// Every case in fused and in separate arithmetic, under two subgroup sizes.
#[test]
fn every_case_has_the_bits_of_the_model() {
    let cases = cases();
    assert!(cases.len() > 200, "{}", cases.len());
    for (number, (variant, text)) in cases.iter().enumerate() {
        for (which, subgroup_size) in [[32, 8], [64, 16]][number % 2].into_iter().enumerate() {
            let arithmetic = PROFILES[(number / 2 + which) % 4];
            check(*variant, text, Options { arithmetic, ..Options::default() }, subgroup_size);
        }
    }
}

/// The bytes of the outputs, by name.
fn outputs(variant: Variant, text: &str, options: Options) -> Vec<(String, Vec<u8>)> {
    let case = Case::new(variant, text, options, 32).unwrap_or_else(|error| panic!("{text}: {error}"));
    let outcome = check(variant, text, options, 32);
    let buffers = case.launch.buffers.iter().zip(&outcome.buffers).filter(|(buffer, _)| buffer.output);
    buffers.map(|(buffer, image)| (buffer.name.clone(), image.to_vec())).collect()
}

#[test]
fn sequential_and_fused_leave_the_same_bits() {
    for arithmetic in PROFILES {
        for text in [
            "lens=0+1+2+9,init=1+0+1+1,dtype=f16",
            "q=254,k=4,v=62,lens=5+17+1,slot=-1+2+1,stride=322,width=3",
            "q=256,k=512,v=18,lens=8+9,width=2,bias=0",
        ] {
            let options = Options { arithmetic, ..Options::default() };
            let sequential = outputs(Variant::Sequential, text, options);
            assert_eq!(sequential.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["conv_state", "q", "k", "v"]);
            assert!(sequential == outputs(Variant::Fused, text, options), "{text}");
            assert!(sequential == outputs(Variant::Auto, text, options), "{text}");
        }
    }
}
