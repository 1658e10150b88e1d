//! Runs a launch: check everything, create, dispatch in order, read back.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use gridproof_launch::Launch;

use crate::limits::check_buffers;
use crate::memory::{Memory, wait};
use crate::pipeline::{Plan, Ready};
use crate::shader::Shader;
use crate::{Device, Elapsed, Exactness, Outputs, ReadBack, RunError, RunOptions};

pub(crate) fn run(device: &Device, launch: &Launch, options: &RunOptions) -> Result<Outputs, RunError> {
    device.faults.check()?;
    if options.exactness == Exactness::Exact {
        device.check_exact()?;
    }
    launch.validate()?;
    check_buffers(launch, &device.limits)?;
    let plans = plan(device, launch, options.exactness)?;
    let _turn = device.turn.lock().unwrap_or_else(PoisonError::into_inner);
    let memory = Memory { device: &device.device, queue: &device.queue, timeout: options.timeout };
    let buffers =
        device.scoped(|| launch.buffers.iter().map(|buffer| memory.create(buffer)).collect::<Result<Vec<_>, _>>())?;
    let ready =
        device.scoped(|| Ok(plans.into_iter().map(|plan| plan.build(device, memory, &buffers)).collect::<Vec<_>>()))?;
    let elapsed = device.scoped(|| dispatch(device, memory, &ready))?;
    let buffers = device.scoped(|| read_back(memory, launch, &buffers, options.read_back))?;
    Ok(Outputs { buffers, elapsed })
}

fn plan<'a>(device: &Device, launch: &'a Launch, exactness: Exactness) -> Result<Vec<Plan<'a>>, RunError> {
    let shaders = launch
        .modules
        .iter()
        .map(|module| Shader::new(module, device.capabilities))
        .collect::<Result<Vec<_>, RunError>>()?;
    (0..launch.dispatches.len()).map(|position| Plan::new(device, position, launch, &shaders, exactness)).collect()
}

fn dispatch(device: &Device, memory: Memory<'_>, ready: &[Ready]) -> Result<Elapsed, RunError> {
    wait(memory.device, memory.timeout)?;
    let clock = Clock::new(device, ready.len());
    let mut encoder = memory.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for (position, ready) in ready.iter().enumerate() {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: clock.as_ref().and_then(|clock| clock.writes(position)),
        });
        pass.set_pipeline(&ready.pipeline);
        for (group, bound) in &ready.groups {
            pass.set_bind_group(*group, bound, &[]);
        }
        let [x, y, z] = ready.grid;
        pass.dispatch_workgroups(x, y, z);
    }
    if let Some(clock) = &clock {
        encoder.resolve_query_set(&clock.queries, 0..2, &clock.ticks, 0);
    }
    let started = Instant::now();
    memory.queue.submit([encoder.finish()]);
    wait(memory.device, memory.timeout)?;
    let wall = started.elapsed();
    let gpu = clock.map(|clock| clock.read(memory)).transpose()?.flatten();
    Ok(Elapsed { wall, gpu })
}

/// The device's own clock around the dispatches of one launch.
struct Clock {
    queries: wgpu::QuerySet,
    ticks: wgpu::Buffer,
    /// Nanoseconds of one tick.
    period: f32,
    last: usize,
}

impl Clock {
    /// `None` where the device has no clock, or nothing is dispatched.
    fn new(device: &Device, dispatches: usize) -> Option<Self> {
        let last = dispatches.checked_sub(1)?;
        let gpu = &device.device;
        if !gpu.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let queries =
            gpu.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty: wgpu::QueryType::Timestamp, count: 2 });
        let ticks = gpu.create_buffer(&wgpu::BufferDescriptor {
            label: Some("ticks"),
            size: 16,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Some(Self { queries, ticks, period: device.queue.get_timestamp_period(), last })
    }

    fn writes(&self, position: usize) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let first = (position == 0).then_some(0);
        let last = (position == self.last).then_some(1);
        (first.is_some() || last.is_some()).then_some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: first,
            end_of_pass_write_index: last,
        })
    }

    /// `None` when the clock ran backwards: some drivers reset it.
    fn read(&self, memory: Memory<'_>) -> Result<Option<Duration>, RunError> {
        let bytes = memory.read(&self.ticks, 16)?;
        let tick = |at: usize| bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
        let ticks = tick(8).zip(tick(0)).and_then(|(end, start)| end.checked_sub(start));
        #[expect(clippy::cast_precision_loss, reason = "a duration of 2^53 ticks is not measured here")]
        let seconds = ticks.map(|ticks| ticks as f64 * f64::from(self.period) * 1e-9);
        Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }
}

fn read_back(
    memory: Memory<'_>,
    launch: &Launch,
    buffers: &[wgpu::Buffer],
    which: ReadBack,
) -> Result<Vec<Option<Vec<u8>>>, RunError> {
    let all = which == ReadBack::All || !launch.buffers.iter().any(|buffer| buffer.output);
    let read = |(buffer, on_device): (&gridproof_launch::Buffer, &wgpu::Buffer)| match all || buffer.output {
        true if buffer.length == 0 => Ok(Some(Vec::new())),
        true => memory.read(on_device, buffer.length).map(Some),
        false => Ok(None),
    };
    launch.buffers.iter().zip(buffers).map(read).collect()
}
