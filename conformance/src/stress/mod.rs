//! Predictions of the simulator, tried on a device: a launch is run many times, as it is and with its timing disturbed,
//! and every run's outputs are compared with what they should be.
//!
//! What is disturbed is only who runs when: workgroups are held up at the lines that a finding names, and other work
//! takes places on the device. A run that is right proves nothing; one that is wrong confirms the prediction.

mod child;
mod delays;
mod job;
mod parent;

pub use child::{ARGUMENT, serve};
pub use parent::{StressOptions, Target, stress};
