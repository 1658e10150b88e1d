//! `resadd_norm_gemv_int4` as the gate sees it.

use std::sync::OnceLock;

use gridproof_kernels::catalogue::Kernel;
use gridproof_kernels::resadd_norm_gemv_int4::{
    GRID_LIMIT, KERNEL, Options, Reduction, Refusal, Variant, expectation, launch, parse_shape,
};
use gridproof_launch::Arithmetic;
use gridproof_reference::resadd_norm_gemv_int4::model::{self, output_values};
use gridproof_reference::resadd_norm_gemv_int4::oracle::relative_error;
use gridproof_reference::resadd_norm_gemv_int4::{
    Oracle, Outputs, Path, Problem, Shape, UnquantisedWeights, tolerance,
};

use super::traffic::factor;
use super::{Family, Instance, Making, Reference, Traffic, message, whole};
use crate::compare::Expected;

/// Subgroups below this size cannot add the 32 lanes of a group by shuffles.
const SHUFFLE_WIDTH: u32 = 32;

pub(super) struct ResaddNormGemvInt4;

impl Family for ResaddNormGemvInt4 {
    fn kernel(&self) -> &'static Kernel {
        &KERNEL
    }

    fn check_shape(&self, variant: &str, shape_text: &str) -> Result<(), String> {
        parse_shape(shape_text, variant.parse().map_err(message)?).map(drop).map_err(message)
    }

    fn instance(&self, variant: &str, shape_text: &str, making: &Making) -> Result<Instance, String> {
        let variant: Variant = variant.parse().map_err(message)?;
        let shape = parse_shape(shape_text, variant).map_err(message)?;
        let narrow = making.subgroup_size < SHUFFLE_WIDTH;
        let reduction = if narrow { Reduction::Workgroup } else { Reduction::Subgroup };
        let options = Options { arithmetic: making.arithmetic, reduction, language: making.language };
        if shape.n() > GRID_LIMIT {
            // What the dispatcher says too, but before weights are made that nobody will use.
            return Err(message(Refusal::GridTooWide { n: shape.n() }));
        }
        let problem = Problem::from_seed(shape, making.data_seed);
        let launch = launch(&problem, variant, options).map_err(message)?;
        Ok(Instance {
            shape: vec![("n".to_owned(), shape.n().to_string()), ("k".to_owned(), shape.k().to_string())],
            launch,
            expectation: expectation(shape, variant, options),
            traffic: traffic(shape, variant.path(shape)),
            reference: Box::new(Answer {
                problem,
                path: variant.path(shape),
                arithmetic: making.arithmetic,
                seed: making.data_seed,
                unquantised: OnceLock::new(),
            }),
        })
    }
}

/// Read: `hidden`, `residual` and `norm_weight` `[k]` of 2 bytes, the weights `[n, k]` of half a byte and their scales
/// `[n, k / 128]` of 2; written: `residual` and `normed_out` `[k]` of 2 bytes, and the output `[n]` of 4. In two dispatches
/// `normed_out` is read as well.
fn traffic(shape: Shape, path: Path) -> Traffic {
    let (n, k) = (u64::from(shape.n()), u64::from(shape.k()));
    let again = if path == Path::Split { k } else { 0 };
    Traffic::default()
        .reading(3 * k + again, 2)
        .reading(n, factor(shape.weight_row()))
        .reading(n, 2 * factor(shape.scale_row()))
        .writing(2 * k, 2)
        .writing(n, 4)
}

struct Answer {
    problem: Problem,
    path: Path,
    arithmetic: Arithmetic,
    seed: u64,
    unquantised: OnceLock<Vec<f64>>,
}

impl Reference for Answer {
    fn model(&self) -> Vec<Expected> {
        let outputs = model::run(&self.problem, self.path, self.arithmetic);
        outputs.named().map(|(name, bytes)| Expected::whole(name, bytes.to_vec())).into()
    }

    fn check_oracle(&self, outputs: &[Expected]) -> Result<(), String> {
        let outputs = Outputs {
            residual: whole(outputs, "residual")?,
            output: whole(outputs, "output")?,
            normed_out: whole(outputs, "normed_out")?,
        };
        let oracle = Oracle::quantised(&self.problem);
        tolerance::check(&self.problem, &oracle, &outputs, self.path).map_err(message)
    }

    fn measured_buffer(&self) -> &'static str {
        "output"
    }

    fn relative_error(&self, bytes: &[u8]) -> f64 {
        let expected = self.unquantised.get_or_init(|| {
            let weights = UnquantisedWeights::new(self.problem.shape(), self.seed);
            Oracle::unquantised(&self.problem, weights).output()
        });
        relative_error(&output_values(bytes), expected)
    }
}
