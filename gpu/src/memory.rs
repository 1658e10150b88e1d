//! Device memory: what a buffer holds before the first dispatch, and how it comes back.
//!
//! Every byte is written, so that no run depends on what the driver left there: bytes that the launch
//! does not initialise are [`POISON`]. A buffer's length is rounded up to 4 bytes on the device, as wgpu
//! asks; the bytes added are poison too and never come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use gridproof_launch::{Buffer, Contents, Fill};

use crate::RunError;
use crate::limits::count_u64;

/// What uninitialised bytes hold: `0xA5`, so that 32-bit words are `0xA5A5A5A5`, a small negative f32.
pub const POISON: u8 = 0xA5;

/// Most bytes moved by one transfer.
const CHUNK: u64 = 32 << 20;

/// Patches of a virtual buffer that lie closer than this go up in one transfer.
const GAP: u64 = 4096;

/// Where uploads and downloads happen.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'a> {
    pub(crate) device: &'a wgpu::Device,
    pub(crate) queue: &'a wgpu::Queue,
    pub(crate) timeout: Duration,
}

impl Memory<'_> {
    /// A buffer with its initial contents on their way.
    pub(crate) fn create(self, buffer: &Buffer) -> Result<wgpu::Buffer, RunError> {
        let made = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(&buffer.name),
            size: device_length(buffer.length),
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        if let Contents::Virtual { fill, .. } = &buffer.contents {
            self.fill(&made, fill_byte(*fill))?;
        }
        for (start, end) in windows(buffer) {
            self.queue.write_buffer(&made, start, &bytes(buffer, start, end));
            self.settle(end - start == CHUNK)?;
        }
        Ok(made)
    }

    /// A small uniform or storage block.
    pub(crate) fn create_block(self, label: &str, bytes: &[u8]) -> wgpu::Buffer {
        let made = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: device_length(count_u64(bytes.len())),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&made, 0, bytes);
        made
    }

    fn fill(self, buffer: &wgpu::Buffer, byte: u8) -> Result<(), RunError> {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        if byte == 0 {
            encoder.clear_buffer(buffer, 0, None);
        } else {
            let length = buffer.size().min(CHUNK);
            let pattern = self.create_staging("fill", length, wgpu::BufferUsages::COPY_SRC);
            self.queue.write_buffer(&pattern, 0, &vec![byte; usize::try_from(length).unwrap_or(0)]);
            for (start, end) in chunks(0, buffer.size()) {
                encoder.copy_buffer_to_buffer(&pattern, 0, buffer, start, end - start);
            }
        }
        self.queue.submit([encoder.finish()]);
        self.settle(true)
    }

    /// The first `length` bytes of a buffer.
    pub(crate) fn read(self, buffer: &wgpu::Buffer, length: u64) -> Result<Vec<u8>, RunError> {
        let host_length = usize::try_from(length).map_err(|_| RunError::OutOfMemory(format!("{length} bytes")))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(host_length).map_err(|error| RunError::OutOfMemory(error.to_string()))?;
        let usage = wgpu::BufferUsages::MAP_READ;
        let staging = self.create_staging("read back", buffer.size().min(CHUNK), usage);
        for (start, end) in chunks(0, device_length(length).min(buffer.size())) {
            self.read_chunk(buffer, &staging, (start, end), &mut bytes)?;
        }
        bytes.truncate(host_length);
        Ok(bytes)
    }

    fn read_chunk(
        self,
        buffer: &wgpu::Buffer,
        staging: &wgpu::Buffer,
        (start, end): (u64, u64),
        bytes: &mut Vec<u8>,
    ) -> Result<(), RunError> {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, start, staging, 0, end - start);
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, 0..end - start, move |result| drop(sender.send(result)));
        wait(self.device, self.timeout)?;
        match receiver.recv_timeout(self.timeout) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(RunError::Internal(error.to_string())),
            Err(_) => return Err(RunError::Internal("a buffer was not mapped for reading".into())),
        }
        {
            let view =
                staging.get_mapped_range(0..end - start).map_err(|error| RunError::Internal(error.to_string()))?;
            bytes.extend_from_slice(&view);
        }
        staging.unmap();
        Ok(())
    }

    /// Lets the device work off what was handed over, so that staging memory does not pile up.
    fn settle(self, now: bool) -> Result<(), RunError> {
        if !now {
            return Ok(());
        }
        self.queue.submit([]);
        wait(self.device, self.timeout)
    }

    fn create_staging(self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let usage = usage | wgpu::BufferUsages::COPY_DST;
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    }
}

/// Waits until the device has done everything submitted so far.
pub(crate) fn wait(device: &wgpu::Device, timeout: Duration) -> Result<(), RunError> {
    match device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(timeout) }) {
        Ok(_) => Ok(()),
        Err(wgpu::PollError::Timeout) => Err(RunError::TimedOut { after: timeout }),
        Err(error) => Err(RunError::Internal(error.to_string())),
    }
}

/// The length of a buffer on the device: a multiple of 4, and not 0.
pub(crate) fn device_length(length: u64) -> u64 {
    length.checked_next_multiple_of(4).unwrap_or(u64::MAX).max(4)
}

const fn fill_byte(fill: Fill) -> u8 {
    match fill {
        Fill::Uninitialised => POISON,
        Fill::Byte(byte) => byte,
    }
}

fn chunks(start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = end.saturating_sub(start).div_ceil(CHUNK);
    (0..count).map(move |index| (start + index * CHUNK, end.min(start + (index + 1) * CHUNK)))
}

/// The byte ranges to upload, each starting and ending at a multiple of 4 and at most a chunk long.
fn windows(buffer: &Buffer) -> Vec<(u64, u64)> {
    match &buffer.contents {
        Contents::Dense(_) => chunks(0, device_length(buffer.length)).collect(),
        Contents::Virtual { patches, .. } => patch_windows(patches),
    }
}

fn patch_windows(patches: &BTreeMap<u64, Arc<[u8]>>) -> Vec<(u64, u64)> {
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (&start, bytes) in patches.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let end = device_length(start.saturating_add(count_u64(bytes.len())));
        match merged.last_mut() {
            Some(last) if start <= last.1.saturating_add(GAP) => last.1 = last.1.max(end),
            _ => merged.push((start - start % 4, end)),
        }
    }
    merged.into_iter().flat_map(|(start, end)| chunks(start, end)).collect()
}

/// The initial bytes `start..end`, wherever they come from.
fn bytes(buffer: &Buffer, start: u64, end: u64) -> Vec<u8> {
    let length = usize::try_from(end - start).unwrap_or(0);
    match &buffer.contents {
        Contents::Dense(given) => {
            let mut window = vec![POISON; length];
            overlay(&mut window, start, 0, given);
            window
        }
        Contents::Virtual { fill, patches } => {
            let mut window = vec![fill_byte(*fill); length];
            let first = patches.range(..=start).next_back().map_or(start, |(&from, _)| from);
            for (&from, patch) in patches.range(first..end.max(first)) {
                overlay(&mut window, start, from, patch);
            }
            window
        }
    }
}

/// Writes the part of `patch`, which lies at `from`, that falls into `window`, which lies at `start`.
fn overlay(window: &mut [u8], start: u64, from: u64, patch: &[u8]) {
    let position = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let (into, skipped) = (position(from.saturating_sub(start)), position(start.saturating_sub(from)));
    let (Some(target), Some(source)) = (window.get_mut(into..), patch.get(skipped..)) else { return };
    let count = target.len().min(source.len());
    target[..count].copy_from_slice(&source[..count]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridproof_launch::DType;

    fn virtual_buffer(length: u64, fill: Fill, patches: &[(u64, &[u8])]) -> Buffer {
        let patches = patches.iter().map(|&(at, bytes)| (at, Arc::from(bytes))).collect();
        Buffer {
            name: "pool".into(),
            dtype: DType::U8,
            shape: vec![length],
            length,
            contents: Contents::Virtual { fill, patches },
            may_race: Vec::new(),
            output: false,
        }
    }

    #[test]
    fn patches_in_one_word_go_up_together_over_the_fill() {
        let buffer = virtual_buffer(64, Fill::Byte(7), &[(5, &[1]), (6, &[2, 3, 4]), (60, &[9])]);
        assert_eq!(windows(&buffer), [(4, 64)]);
        let mut expected = vec![7; 60];
        expected[1..5].copy_from_slice(&[1, 2, 3, 4]);
        expected[56] = 9;
        assert_eq!(bytes(&buffer, 4, 64), expected);
    }

    #[test]
    fn distant_patches_go_up_alone_and_long_ones_in_chunks() {
        let long = vec![3; usize::try_from(CHUNK).unwrap_or(0) + 6];
        let buffer = virtual_buffer(1 << 40, Fill::Uninitialised, &[(2, &long), (1 << 30, &[1])]);
        assert_eq!(windows(&buffer), [(0, CHUNK), (CHUNK, CHUNK + 8), (1 << 30, (1 << 30) + 4)]);
        assert_eq!(bytes(&buffer, 0, 4), [POISON, POISON, 3, 3]);
        assert_eq!(bytes(&buffer, CHUNK, CHUNK + 12), [3, 3, 3, 3, 3, 3, 3, 3, POISON, POISON, POISON, POISON]);
        assert_eq!(bytes(&buffer, 1 << 30, (1 << 30) + 4), [1, POISON, POISON, POISON]);
    }

    #[test]
    fn lengths_are_rounded_up_to_words_and_never_empty() {
        assert_eq!([0, 1, 4, 5].map(device_length), [4, 4, 4, 8]);
    }
}
