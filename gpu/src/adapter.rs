//! Which adapters there are, and which one a selector means.

use std::cmp::Reverse;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::Unavailable;

/// The programming interface an adapter is reached through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// Vulkan.
    Vulkan,
    /// Metal.
    Metal,
    /// Direct3D 12.
    Dx12,
    /// Anything else wgpu knows.
    Other,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vulkan => "Vulkan",
            Self::Metal => "Metal",
            Self::Dx12 => "DX12",
            Self::Other => "other",
        })
    }
}

/// What kind of machine an adapter is, the preferred kind first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A GPU with its own memory.
    DiscreteGpu,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU seen through a virtual machine.
    VirtualGpu,
    /// A CPU: lavapipe, SwiftShader, WARP.
    Cpu,
    /// The driver does not say.
    Other,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiscreteGpu => "discrete GPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::Cpu => "CPU",
            Self::Other => "other",
        })
    }
}

/// What an adapter says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AdapterSummary {
    /// The adapter's name, as its driver gives it.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// The driver's version.
    pub driver_version: String,
    /// The interface it is reached through.
    pub api: Api,
    /// What kind of machine it is.
    pub kind: AdapterKind,
    /// Vendor number (PCI, or Khronos's own).
    pub vendor: u32,
    /// Device number of that vendor.
    pub device: u32,
}

impl AdapterSummary {
    pub(crate) fn new(info: wgpu::AdapterInfo) -> Self {
        Self {
            name: info.name,
            driver: info.driver,
            driver_version: info.driver_info,
            api: match info.backend {
                wgpu::Backend::Vulkan => Api::Vulkan,
                wgpu::Backend::Metal => Api::Metal,
                wgpu::Backend::Dx12 => Api::Dx12,
                _ => Api::Other,
            },
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => AdapterKind::DiscreteGpu,
                wgpu::DeviceType::IntegratedGpu => AdapterKind::IntegratedGpu,
                wgpu::DeviceType::VirtualGpu => AdapterKind::VirtualGpu,
                wgpu::DeviceType::Cpu => AdapterKind::Cpu,
                wgpu::DeviceType::Other => AdapterKind::Other,
            },
            vendor: info.vendor,
            device: info.device,
        }
    }

    /// Whether this is Mesa's CPU driver for Vulkan.
    pub fn is_lavapipe(&self) -> bool {
        let named = |text: &str| text.to_ascii_lowercase().contains("llvmpipe");
        self.kind == AdapterKind::Cpu && (named(&self.name) || named(&self.driver))
    }
}

impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}", self.name, self.api, self.kind)?;
        for detail in [&self.driver, &self.driver_version] {
            if !detail.is_empty() {
                write!(f, ", {detail}")?;
            }
        }
        f.write_str(")")
    }
}

/// Which adapter is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The best one: a discrete GPU before an integrated one, a CPU last.
    #[default]
    Any,
    /// A CPU driver.
    Cpu,
    /// The best one that is not a CPU driver.
    Gpu,
    /// The one at this position of [`adapters`].
    Position(usize),
    /// The best one whose name or driver contains this text, in any case.
    Name(String),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::Position(position) => position.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Selector {
    type Err = Infallible;

    /// `any`, `cpu`, `gpu`, a position, or a part of a name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "any" | "" => Self::Any,
            "cpu" => Self::Cpu,
            "gpu" => Self::Gpu,
            _ => text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Position),
        })
    }
}

impl Selector {
    fn accepts(&self, position: usize, adapter: &AdapterSummary) -> bool {
        match self {
            Self::Any => true,
            Self::Cpu => adapter.kind == AdapterKind::Cpu,
            Self::Gpu => adapter.kind != AdapterKind::Cpu,
            Self::Position(wanted) => position == *wanted,
            Self::Name(part) => {
                let part = part.to_lowercase();
                [&adapter.name, &adapter.driver].iter().any(|text| text.to_lowercase().contains(&part))
            }
        }
    }

    /// The position of the adapter meant, the best kind first and then the first listed.
    pub(crate) fn choose(&self, adapters: &[AdapterSummary]) -> Option<usize> {
        adapters
            .iter()
            .enumerate()
            .filter(|(position, adapter)| self.accepts(*position, adapter))
            .max_by_key(|(position, adapter)| (Reverse(adapter.kind), Reverse(*position)))
            .map(|(position, _)| position)
    }
}

/// The adapters of this machine, in the order in which [`Selector::Position`] counts them. Empty where
/// there is no driver.
pub fn adapters() -> Vec<AdapterSummary> {
    let adapters = enumerate();
    adapters.iter().map(|adapter| AdapterSummary::new(adapter.get_info())).collect()
}

/// The adapter a selector means.
pub(crate) fn select(selector: &Selector) -> Result<(wgpu::Adapter, AdapterSummary), Unavailable> {
    let mut adapters = enumerate();
    if adapters.is_empty() {
        return Err(if has_loader() { Unavailable::NoAdapter } else { Unavailable::NoLoader });
    }
    let mut summaries: Vec<_> = adapters.iter().map(|adapter| AdapterSummary::new(adapter.get_info())).collect();
    match selector.choose(&summaries) {
        Some(position) => Ok((adapters.swap_remove(position), summaries.swap_remove(position))),
        None => Err(Unavailable::NoMatch {
            selector: selector.clone(),
            found: summaries.into_iter().map(|adapter| adapter.name).collect(),
        }),
    }
}

fn enumerate() -> Vec<wgpu::Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    let instance = wgpu::Instance::new(descriptor);
    pollster::block_on(instance.enumerate_adapters(backends))
}

/// Whether the Vulkan loader is installed. wgpu says the same of a missing loader and of a loader that
/// finds no driver, but they have different remedies.
fn has_loader() -> bool {
    if cfg!(any(target_os = "macos", target_os = "ios")) {
        return true;
    }
    let name = if cfg!(windows) { "vulkan-1.dll" } else { "libvulkan.so.1" };
    #[expect(unsafe_code, reason = "loading a library runs its initialisers")]
    // SAFETY: `enumerate`, which was just called, made wgpu load this very library; no symbol is taken.
    let loader = unsafe { libloading::Library::new(name) };
    loader.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str, kind: AdapterKind) -> AdapterSummary {
        AdapterSummary {
            name: name.to_owned(),
            driver: String::new(),
            driver_version: String::new(),
            api: Api::Vulkan,
            kind,
            vendor: 0,
            device: 0,
        }
    }

    #[test]
    fn a_selector_prefers_real_gpus_and_then_the_first() {
        let all = [
            adapter("llvmpipe (LLVM 15)", AdapterKind::Cpu),
            adapter("Big A", AdapterKind::DiscreteGpu),
            adapter("Big B", AdapterKind::DiscreteGpu),
        ];
        let choose = |text: &str| text.parse::<Selector>().unwrap_or_default().choose(&all);
        assert_eq!(choose("any"), Some(1));
        assert_eq!(choose("gpu"), Some(1));
        assert_eq!(choose("cpu"), Some(0));
        assert_eq!(choose("2"), Some(2));
        assert_eq!(choose("big b"), Some(2));
        assert_eq!(choose("LLVMpipe"), Some(0));
        assert_eq!(choose("9"), None);
        assert_eq!(choose("small"), None);
    }
}
