//! Case files: the matrix as data. One TOML file holds cases and refusals of one kernel.
//!
//! The files are part of the program, so that `gridproof conform` needs no checkout.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};
use serde::Deserialize;

use super::golden::GoldenCase;
use crate::check::CheckError;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../suite/", $path)))),*]
    };
}

/// Every case file: the name that errors print, and the text.
const FILES: &[(&str, &str)] = files![
    "resadd_norm_gemv_int4/shapes.toml",
    "resadd_norm_gemv_int4/production.toml",
    "resadd_norm_gemv_int4/subgroups.toml",
    "resadd_norm_gemv_int4/arithmetic.toml",
    "resadd_norm_gemv_int4/refused.toml",
    "gdn_conv_fused/shapes.toml",
    "gdn_conv_fused/slots.toml",
    "gdn_conv_fused/variants.toml",
    "gdn_conv_fused/refused.toml",
    "gdn_decode/shapes.toml",
    "gdn_decode/pools.toml",
    "gdn_decode/variants.toml",
    "gdn_decode/subgroups.toml",
    "gdn_decode/arithmetic.toml",
    "gdn_decode/golden.toml",
    "gdn_decode/refused.toml",
    "conv1d_qkv_split/shapes.toml",
    "conv1d_qkv_split/sequences.toml",
    "conv1d_qkv_split/variants.toml",
    "conv1d_qkv_split/refused.toml",
    "gdn_chunked/shapes.toml",
    "gdn_chunked/sequences.toml",
    "gdn_chunked/variants.toml",
    "gdn_chunked/refused.toml",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    kernel: String,
    #[serde(default)]
    cases: Vec<CaseTable>,
    #[serde(default)]
    golden: Vec<GoldenTable>,
    #[serde(default)]
    refused: Vec<RefusedTable>,
}

/// Cases: every combination of the lists.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTable {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    variants: Vec<String>,
    shapes: Vec<String>,
    #[serde(default = "both_profiles")]
    arithmetic: Vec<String>,
    #[serde(default = "usual_subgroup")]
    subgroup_sizes: Vec<u32>,
    #[serde(default = "usual_seed")]
    seeds: Vec<u64>,
    #[serde(default = "every_leg")]
    legs: Vec<LegKind>,
}

/// Comparisons with golden vectors: every combination of the lists.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenTable {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    variants: Vec<String>,
    vectors: Vec<String>,
    tolerance: f64,
    #[serde(default = "both_profiles")]
    arithmetic: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedTable {
    /// All where none are named.
    #[serde(default)]
    variants: Vec<String>,
    shape: String,
    message: String,
}

/// A kind of leg, as case files name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum LegKind {
    /// The model against the f64 oracle.
    #[serde(rename = "oracle")]
    Oracle,
    /// The simulator running the WGSL kernel.
    #[serde(rename = "sim-wgsl")]
    SimWgsl,
    /// The simulator running the PTX of the CUDA C++ kernel.
    #[serde(rename = "sim-ptx")]
    SimPtx,
    /// A real adapter.
    #[serde(rename = "wgpu")]
    Wgpu,
    /// A CUDA device. Runs whatever `sim-ptx` does, so that no file need name it.
    #[serde(rename = "cuda")]
    Cuda,
}

/// One case: what a leg is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Kernel name.
    pub kernel: String,
    /// Variant name.
    pub variant: String,
    /// Shape as `--shape` takes it.
    pub shape: String,
    /// Seed of the data.
    pub seed: u64,
    /// Arithmetic profile.
    pub arithmetic: Arithmetic,
    /// Subgroup sizes for the simulator.
    pub subgroup_sizes: Vec<u32>,
    /// Legs that are to run it.
    pub legs: Vec<LegKind>,
    /// Its file, as a path in the sources.
    pub file: String,
}

/// A shape that variants must refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCase {
    /// Kernel name.
    pub kernel: String,
    /// The variants; all where none are named.
    pub variants: Vec<String>,
    /// Shape as `--shape` takes it.
    pub shape: String,
    /// A part of what must be said.
    pub message: String,
    /// Its file, as a path in the sources.
    pub file: String,
}

/// Everything that the files ask for.
#[derive(Debug, Default)]
pub(super) struct Suite {
    pub cases: Vec<Case>,
    pub golden: Vec<GoldenCase>,
    pub refused: Vec<RefusedCase>,
}

/// The whole suite, in the order of its files.
pub(super) fn suite() -> Result<Suite, CheckError> {
    let Suite { mut cases, mut golden, mut refused } = Suite::default();
    for (name, text) in FILES {
        let wrong = |reason: String| CheckError::CaseFile { file: (*name).to_owned(), reason };
        let path = format!("conformance/suite/{name}");
        let file: CaseFile = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        for table in &file.cases {
            cases.extend(expand(&file.kernel, &path, table).map_err(wrong)?);
        }
        for table in &file.golden {
            golden.extend(expand_golden(&file.kernel, &path, table).map_err(wrong)?);
        }
        let kernel = file.kernel;
        refused.extend(file.refused.into_iter().map(|RefusedTable { variants, shape, message }| RefusedCase {
            kernel: kernel.clone(),
            variants,
            shape,
            message,
            file: path.clone(),
        }));
    }
    Ok(Suite { cases, golden, refused })
}

fn expand_golden(kernel: &str, file: &str, table: &GoldenTable) -> Result<Vec<GoldenCase>, String> {
    let mut cases = Vec::new();
    for vectors in &table.vectors {
        for variant in &table.variants {
            for arithmetic in &table.arithmetic {
                cases.push(GoldenCase {
                    kernel: kernel.to_owned(),
                    variant: variant.clone(),
                    vectors: vectors.clone(),
                    tolerance: table.tolerance,
                    arithmetic: profile(arithmetic)?,
                    file: file.to_owned(),
                });
            }
        }
    }
    Ok(cases)
}

fn expand(kernel: &str, file: &str, table: &CaseTable) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for shape in &table.shapes {
        for variant in &table.variants {
            for arithmetic in &table.arithmetic {
                let arithmetic = profile(arithmetic)?;
                cases.extend(table.seeds.iter().map(|&seed| Case {
                    kernel: kernel.to_owned(),
                    variant: variant.clone(),
                    shape: shape.clone(),
                    seed,
                    arithmetic,
                    subgroup_sizes: table.subgroup_sizes.clone(),
                    legs: with_cuda(&table.legs),
                    file: file.to_owned(),
                }));
            }
        }
    }
    Ok(cases)
}

/// The legs, and the CUDA devices where the same PTX is simulated.
fn with_cuda(legs: &[LegKind]) -> Vec<LegKind> {
    let added = legs.contains(&LegKind::SimPtx) && !legs.contains(&LegKind::Cuda);
    legs.iter().copied().chain(added.then_some(LegKind::Cuda)).collect()
}

/// The profile that prints as `text`.
pub(super) fn profile(text: &str) -> Result<Arithmetic, String> {
    let rounding = [MultiplyAdd::Fused, MultiplyAdd::Separate];
    let denormals = [Denormals::Keep, Denormals::Flush];
    rounding
        .into_iter()
        .flat_map(|multiply_add| denormals.map(|denormals| Arithmetic { multiply_add, denormals }))
        .find(|profile| profile.to_string() == text)
        .ok_or_else(|| format!("arithmetic `{text}`: expected fused or separate, and `,flush` for flushed denormals"))
}

fn both_profiles() -> Vec<String> {
    vec!["fused".to_owned(), "separate".to_owned()]
}

fn usual_subgroup() -> Vec<u32> {
    vec![32]
}

fn usual_seed() -> Vec<u64> {
    vec![0]
}

fn every_leg() -> Vec<LegKind> {
    vec![LegKind::Oracle, LegKind::SimWgsl, LegKind::SimPtx, LegKind::Wgpu]
}
