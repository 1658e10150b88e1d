//! Buffers of a wgpu device: created with their initial contents, and read back.

use std::sync::mpsc;
use std::time::Duration;

use gridproof_launch::{Buffer, Contents};

use crate::RunError;
use crate::contents::{CHUNK, bytes, chunks, device_length, fill_byte, windows};
use crate::limits::count_u64;

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
