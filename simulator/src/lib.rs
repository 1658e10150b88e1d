//! How a GPU may run a launch: front ends, machine, scheduler, detectors.
