//! How much memory a client may take: what takes more is an allocation that fails, which ends the client and is a finding
//! with its input. Without a limit the system would end some process or other, and not say for what.
//!
//! Address space is what is limited, as Linux limits nothing else. Other systems limit nothing that would help.

/// Limits this process and its children to so many bytes of address space; a lower limit that is there stays.
///
/// # Errors
/// What the system says.
#[cfg(target_os = "linux")]
pub fn limit_memory(bytes: u64) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::As);
    let most = [Some(bytes), current, maximum].into_iter().flatten().min();
    setrlimit(Resource::As, Rlimit { current: most, maximum }).map_err(Into::into)
}

/// Limits nothing on this system.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn limit_memory(_bytes: u64) -> std::io::Result<()> {
    Ok(())
}
