//! Which launches are timed: those asked for, checked before any device is opened.

use super::shapes::{USUAL, Usual};
use crate::check::{CheckError, entry_named, family_named};
use crate::family::{Family, families};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The kernel; all of the list where none is named.
    pub kernel: Option<String>,
    /// The variant; where none is named those of the list, or, for other shapes than its own, the first one.
    pub variant: Option<String>,
    /// Texts of `--shape`; those of the list where there are none.
    pub shapes: Vec<String>,
    /// Only one or two launches of the list for each kernel.
    pub quick: bool,
}

/// A launch to time.
#[derive(Clone)]
pub(super) struct Case {
    pub family: &'static dyn Family,
    pub variant: &'static str,
    pub shape: String,
}

/// The launches, in the order of the list, or as the shapes are given.
///
/// # Errors
/// An unknown name, or a shape whose sizes are out of range.
pub(super) fn cases(wanted: &Wanted) -> Result<Vec<Case>, CheckError> {
    let Some(name) = &wanted.kernel else {
        let each = families().iter().map(|&family| listed(family, None, wanted.quick));
        return Ok(each.collect::<Result<Vec<_>, _>>()?.concat());
    };
    let family = family_named(name)?;
    let variant = wanted.variant.as_deref();
    let entry = entry_named(family, variant)?;
    let cases = match wanted.shapes.is_empty() {
        true => listed(family, variant.map(|_| entry.name), wanted.quick)?,
        false => {
            let case = |shape: &String| Case { family, variant: entry.name, shape: shape.clone() };
            wanted.shapes.iter().map(case).collect()
        }
    };
    for case in &cases {
        family.check_shape(case.variant, &case.shape).map_err(|reason| CheckError::Refused {
            kernel: name.clone(),
            variant: case.variant.to_owned(),
            reason,
        })?;
    }
    Ok(cases)
}

/// The list's launches of a kernel; of a variant that it does not have, at the shapes that it has.
fn listed(family: &'static dyn Family, variant: Option<&'static str>, quick: bool) -> Result<Vec<Case>, CheckError> {
    let name = family.kernel().name;
    let ours = USUAL.iter().filter(|usual| usual.kernel == name && (usual.is_quick || !quick));
    let case = |usual: &Usual, variant| Case { family, variant, shape: usual.shape.to_owned() };
    let Some(variant) = variant else { return Ok(ours.map(|usual| case(usual, usual.variant)).collect()) };
    let mut cases: Vec<Case> = Vec::new();
    for usual in ours {
        if cases.iter().all(|known| known.shape != usual.shape) {
            cases.push(case(usual, variant));
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kernel: Option<&str>, variant: Option<&str>, shapes: &[&str], quick: bool) -> Wanted {
        let owned = |text: &str| text.to_owned();
        let shapes = shapes.iter().copied().map(owned).collect();
        Wanted { kernel: kernel.map(owned), variant: variant.map(owned), shapes, quick }
    }

    fn names(wanted: &Wanted) -> Result<Vec<String>, String> {
        let name = |case: &Case| format!("{}:{} {}", case.family.kernel().name, case.variant, case.shape);
        cases(wanted).map(|cases| cases.iter().map(name).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_launch_of_the_list_has_sizes_in_range_and_each_kernel_is_quick_once_or_twice() {
        for usual in USUAL {
            let family = family_named(usual.kernel).unwrap();
            assert_eq!(family.check_shape(usual.variant, usual.shape), Ok(()), "{usual:?}");
        }
        assert_eq!(names(&Wanted::default()).unwrap().len(), USUAL.len());
        for family in families() {
            let name = family.kernel().name;
            let quick = names(&wanted(Some(name), None, &[], true)).unwrap();
            assert!((1..=2).contains(&quick.len()), "{quick:?}");
        }
    }

    #[test]
    fn the_list_goes_by_kernel_and_variant() {
        let fused = names(&wanted(Some("resadd_norm_gemv_int4"), Some("fused"), &[], false)).unwrap();
        let shapes = ["n=8704,k=5120", "n=256,k=2048", "n=256,k=3072", "n=512,k=4096"];
        assert_eq!(fused, shapes.map(|shape| format!("resadd_norm_gemv_int4:fused {shape}")));
        // The list times other variants of this kernel: its shapes serve.
        let routed = names(&wanted(Some("conv1d_qkv_split"), Some("fused"), &[], false)).unwrap();
        let shape = "q=2048,k=2048,v=2048,lens=512,slots=2";
        assert_eq!((routed.len(), routed[0].as_str()), (5, format!("conv1d_qkv_split:fused {shape}").as_str()));
        let given = names(&wanted(Some("gdn_decode"), None, &["b=3", "b=1,t=2"], true)).unwrap();
        assert_eq!(given, ["gdn_decode:auto b=3", "gdn_decode:auto b=1,t=2"]);
    }

    #[test]
    fn what_there_is_not_is_refused() {
        let refused =
            |kernel, variant, shapes: &[&str]| names(&wanted(Some(kernel), variant, shapes, false)).unwrap_err();
        assert!(refused("gdn", None, &[]).starts_with("unknown kernel `gdn`: the catalogue has "));
        assert!(refused("gdn_decode", Some("slow"), &[]).starts_with("unknown variant `slow` of gdn_decode"));
        let range = refused("gdn_decode", None, &["b=1", "t=9"]);
        assert!(range.starts_with("gdn_decode:auto: ") && range.contains('9'), "{range}");
        assert!(refused("gdn_decode", None, &["x=9"]).contains("`x`"));
    }
}
