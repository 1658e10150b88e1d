//! A wgpu adapter as a leg: opened and measured when the first cell needs it, once.

use std::sync::{Mutex, OnceLock};

use gridproof_gpu::{Device, RunError, RunOptions, Selector, adapters};
use gridproof_launch::{Arithmetic, Launch};

/// An adapter that cells may run on.
pub(super) struct Adapter {
    /// `wgpu:NAME`.
    pub name: String,
    /// The adapter with its driver.
    pub summary: String,
    selector: Selector,
    opened: OnceLock<Result<Opened, String>>,
}

/// Why a launch gave nothing.
pub(super) enum NotRun {
    /// It asks for more than the device has: the reason of a skip.
    TooLarge(String),
    /// It failed.
    Failed(String),
}

/// A device with what was measured about it.
struct Opened {
    /// One launch at a time: a driver's timing and memory are nobody's business here.
    device: Mutex<Device>,
    adapter: String,
    profiles: Vec<Arithmetic>,
    subgroup_size: u32,
}

/// Names that are all different: the second adapter of a name has a number behind it.
fn numbered(names: &[&str]) -> Vec<String> {
    let before = |position: usize| names[..position].iter().filter(|name| **name == names[position]).count();
    let name = |(position, name): (usize, &&str)| match before(position) {
        0 => (*name).to_owned(),
        before => format!("{name} #{}", before + 1),
    };
    names.iter().enumerate().map(name).collect()
}

impl Adapter {
    /// Every adapter of the machine; one that stands for their absence where there is none.
    pub fn all() -> Vec<Self> {
        let found = adapters();
        let new = |name: &str, summary: String, selector| Self {
            name: format!("wgpu:{name}"),
            summary,
            selector,
            opened: OnceLock::new(),
        };
        if found.is_empty() {
            return vec![new("none", String::new(), Selector::Any)];
        }
        let names: Vec<&str> = found.iter().map(|adapter| adapter.name.as_str()).collect();
        let adapters = found.iter().zip(numbered(&names)).enumerate();
        adapters
            .map(|(position, (adapter, name))| new(&name, adapter.to_string(), Selector::Position(position)))
            .collect()
    }

    fn open(&self) -> Result<&Opened, String> {
        let opened = self.opened.get_or_init(|| {
            let device = Device::open(&self.selector).map_err(|error| error.to_string())?;
            let fingerprint = device.probe().map_err(|error| error.to_string())?;
            if let Err(reason) = &fingerprint.exact {
                return Err(format!("no exact mode: {reason}"));
            }
            let told = fingerprint.subgroups.told.as_ref().and_then(|sizes| sizes.first().copied());
            let subgroup_size = told.unwrap_or(fingerprint.subgroups.least);
            let adapter = device.adapter().to_string();
            Ok(Opened { device: Mutex::new(device), adapter, profiles: fingerprint.profiles(), subgroup_size })
        });
        opened.as_ref().map_err(Clone::clone)
    }

    /// Why this adapter cannot be used at all, when it cannot.
    pub fn unusable(&self) -> Option<String> {
        self.open().err()
    }

    /// The adapter and its profiles, once a cell has run.
    pub fn description(&self) -> Option<String> {
        let opened = self.opened.get()?.as_ref().ok()?;
        let profiles: Vec<_> = opened.profiles.iter().map(ToString::to_string).collect();
        Some(format!("{}; profiles: {}", opened.adapter, profiles.join(", ")))
    }

    /// The profile of this device that rounds multiply-adds as `wanted` does, and its subgroup size.
    ///
    /// # Errors
    /// Why there is none: the reason of a skip.
    pub fn profile(&self, wanted: Arithmetic) -> Result<(Arithmetic, u32), String> {
        let opened = self.open()?;
        let same = |profile: &&Arithmetic| profile.multiply_add == wanted.multiply_add;
        match opened.profiles.iter().find(same) {
            Some(profile) => Ok((*profile, opened.subgroup_size)),
            None => Err(format!("the adapter does not compute in profile `{wanted}`")),
        }
    }

    /// Runs a launch and gives back the bytes of every buffer that is an output.
    ///
    /// # Errors
    /// The device's words.
    pub fn run(&self, launch: &Launch) -> Result<Vec<Option<Vec<u8>>>, NotRun> {
        let opened = self.open().map_err(NotRun::Failed)?;
        let device = opened.device.lock();
        let device = device.map_err(|_| NotRun::Failed("an earlier cell panicked inside the device".to_owned()))?;
        device.run(launch, &RunOptions::default()).map(|outputs| outputs.buffers).map_err(|error| match error {
            RunError::Limit(limit) => NotRun::TooLarge(limit.to_string()),
            error => NotRun::Failed(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_adapters_are_all_different() {
        assert_eq!(numbered(&["a", "b", "a", "a"]), ["a", "b", "a #2", "a #3"]);
    }
}
