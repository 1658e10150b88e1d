//! A launch of a kernel's CUDA C++ for tests that simulate it.

use gridproof_conformance::cuda::compiled;
use gridproof_launch::Launch;

/// The launch with PTX in the place of CUDA C++.
pub fn compile(launch: &Launch) -> Result<Launch, String> {
    compiled(launch).map(|launch| launch.into_owned()).map_err(|error| error.to_string())
}
