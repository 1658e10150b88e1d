//! What variants of all families have in common: names, and how lanes add up.

/// How the lanes of a group add up. Both give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// By subgroup shuffles: for subgroups at least as wide as a group.
    #[default]
    Subgroup,
    /// Through workgroup memory, for narrower subgroups. Its barriers also order what a barrier missing from a wrong
    /// variant should.
    Workgroup,
}

/// A variant that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown variant `{name}` of {kernel}: expected one of {}", known.join(", "))]
pub struct UnknownVariant {
    /// The kernel.
    pub kernel: &'static str,
    /// What was given.
    pub name: String,
    /// The variants there are.
    pub known: Vec<&'static str>,
}

/// The variant of a kernel that has this name.
///
/// # Errors
/// When there is none.
pub(crate) fn variant_named<V: Copy>(
    kernel: &'static str,
    all: &[V],
    name_of: fn(V) -> &'static str,
    name: &str,
) -> Result<V, UnknownVariant> {
    let found = all.iter().copied().find(|variant| name_of(*variant) == name);
    found.ok_or_else(|| UnknownVariant {
        kernel,
        name: name.to_owned(),
        known: all.iter().map(|variant| name_of(*variant)).collect(),
    })
}
