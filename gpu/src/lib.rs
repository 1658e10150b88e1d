//! How real GPUs run a launch: the wgpu device, the adapter fingerprint.
