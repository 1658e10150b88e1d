//! The kernels themselves, their variants, and the dispatchers that choose a launch for a problem.
