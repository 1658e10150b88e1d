//! What is wrong with a launch is said in a typed error, and the device works on afterwards.

use std::time::Duration;

use gridproof_gpu::{Device, Exactness, Limit, RunError, RunOptions};
use gridproof_launch::{Argument, Buffer, ByteRange, Constant, DType, Fill, Module, Source, Target, Value};
use libtest_mimic::Failed;

use crate::kernel::{Kernel, modes, same, scalar};
use crate::{Needs, Test};

pub const TESTS: &[Test] = &[
    ("refusals::a_binding_that_is_too_large", Needs::BuffersBeyondBindings, binding_too_large),
    ("refusals::a_buffer_that_is_too_large", Needs::Nothing, buffer_too_large),
    ("refusals::a_binding_at_an_odd_place", Needs::Alignment, binding_misaligned),
    ("refusals::a_workgroup_that_is_too_large", Needs::Nothing, workgroup_too_large),
    ("refusals::a_grid_that_is_too_large", Needs::Nothing, grid_too_large),
    ("refusals::too_much_workgroup_memory", Needs::Nothing, workgroup_memory),
    ("refusals::a_missing_argument", Needs::Nothing, missing_argument),
    ("refusals::an_argument_for_nothing", Needs::Nothing, unknown_target),
    ("refusals::an_argument_given_by_name_and_by_slot", Needs::Nothing, duplicate),
    ("refusals::arguments_of_the_wrong_size", Needs::Nothing, argument_size),
    ("refusals::invalid_wgsl_with_its_line", Needs::Nothing, invalid_wgsl),
    ("refusals::an_entry_point_that_does_not_exist", Needs::Nothing, unknown_entry),
    ("refusals::constants_that_do_not_fit", Needs::Nothing, constants),
    ("refusals::a_kernel_that_takes_too_long", Needs::Nothing, too_long),
    ("refusals::languages_for_other_devices", Needs::Nothing, other_languages),
];

const KERNEL: &str = "
    override WIDTH: u32 = 64;
    @group(0) @binding(0) var<storage, read_write> x: array<u32>;
    @group(0) @binding(1) var<uniform> scale: vec4<u32>;
    var<workgroup> memory: array<u32, WIDTH>;
    @compute @workgroup_size(WIDTH) fn main(@builtin(local_invocation_index) at: u32) {
        memory[at] = scale.x;
        workgroupBarrier();
        x[at] = memory[at];
    }";

fn kernel() -> Kernel {
    let mut kernel = Kernel::new(KERNEL);
    kernel.output("x", &[0; 1024]);
    scalar(kernel.dispatch("main", 1), "scale", &[1; 16]);
    kernel
}

/// Expects an error in every mode, and the same device to run a right launch afterwards.
fn refused(device: &Device, kernel: &Kernel, expected: impl Fn(&RunError) -> bool) -> Result<(), Failed> {
    for exactness in modes(device) {
        match kernel.run(device, exactness) {
            Err(error) if expected(&error) => {}
            Err(error) => return Err(format!("{exactness:?}: another error: {error} ({error:?})").into()),
            Ok(_) => return Err(format!("{exactness:?}: it ran").into()),
        }
    }
    let right = self::kernel().run(device, Exactness::Ordinary)?;
    same("afterwards", right[0][63], 0x0101_0101)
}

fn limit(expected: Limit) -> impl Fn(&RunError) -> bool {
    move |error| matches!(error, RunError::Limit(exceeded) if exceeded.what == expected && exceeded.value > exceeded.limit)
}

fn pool(kernel: &mut Kernel, length: u64) -> Result<(), Failed> {
    kernel.launch.buffers.clear();
    kernel.launch.add_buffer(Buffer::filled("x", DType::U8, [length], Fill::Byte(0))?);
    let range = ByteRange::new(0, length);
    let Value::Buffer { range: bound, .. } = &mut kernel.launch.dispatches[0].arguments[0].value else {
        return Err("the first argument is a buffer".into());
    };
    *bound = range;
    Ok(())
}

fn binding_too_large(device: &Device) -> Result<(), Failed> {
    let memory = device.memory();
    let mut kernel = kernel();
    pool(&mut kernel, memory.storage_binding + 4)?;
    refused(device, &kernel, limit(Limit::StorageBindingSize))
}

fn buffer_too_large(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    pool(&mut kernel, device.memory().buffer + 4)?;
    refused(device, &kernel, limit(Limit::BufferSize))
}

fn binding_misaligned(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    if let Value::Buffer { range, .. } = &mut kernel.launch.dispatches[0].arguments[0].value {
        range.start = 4;
    }
    refused(
        device,
        &kernel,
        |error| matches!(error, RunError::Limit(exceeded) if exceeded.what == Limit::StorageOffsetAlignment),
    )
}

fn workgroup_too_large(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    let width = i64::from(device.memory().workgroup_invocations) + 1;
    kernel.launch.dispatches[0].constants.insert("WIDTH".into(), Constant::Int(width));
    refused(device, &kernel, |error| limit(Limit::WorkgroupExtent)(error) || limit(Limit::WorkgroupInvocations)(error))
}

fn grid_too_large(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    kernel.launch.dispatches[0].grid = [1, device.memory().grid_extent + 1, 1];
    refused(device, &kernel, limit(Limit::GridExtent))
}

fn workgroup_memory(device: &Device) -> Result<(), Failed> {
    let words = device.memory().workgroup / 4 + 1;
    let mut kernel = kernel();
    let text = KERNEL.replace("array<u32, WIDTH>", &format!("array<u32, {words}>"));
    kernel.launch.modules = vec![Module::new("test.wgsl", Source::Wgsl(text.into()))];
    refused(device, &kernel, limit(Limit::WorkgroupMemory))
}

fn missing_argument(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    kernel.launch.dispatches[0].arguments.pop();
    refused(device, &kernel, |error| {
        error.to_string() == "dispatch 0: `main` uses `scale` (@group(0) @binding(1)), but no argument is given for it"
    })
}

fn unknown_target(device: &Device) -> Result<(), Failed> {
    for target in [Target::Name("y".into()), Target::Parameter(0), Target::Slot { group: 1, binding: 0 }] {
        let mut kernel = kernel();
        kernel.launch.dispatches[0].arguments.push(Argument { target, value: Value::Scalar(vec![0; 4]) });
        refused(
            device,
            &kernel,
            |error| matches!(error, RunError::UnknownTarget { available, .. } if available.len() == 2),
        )?;
    }
    Ok(())
}

fn duplicate(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    let target = Target::Slot { group: 0, binding: 1 };
    kernel.launch.dispatches[0].arguments.push(Argument { target, value: Value::Scalar(vec![0; 16]) });
    refused(device, &kernel, |error| matches!(error, RunError::DuplicateArgument { .. }))
}

fn argument_size(device: &Device) -> Result<(), Failed> {
    for length in [0, 12, 17] {
        let mut kernel = kernel();
        kernel.launch.dispatches[0].arguments[1].value = Value::Scalar(vec![0; length]);
        refused(device, &kernel, |error| matches!(error, RunError::ArgumentSize { .. }))?;
    }
    let mut empty = kernel();
    if let Value::Buffer { range, .. } = &mut empty.launch.dispatches[0].arguments[0].value {
        range.end = 0;
    }
    refused(device, &empty, |error| matches!(error, RunError::ArgumentSize { .. }))
}

fn invalid_wgsl(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    let text = KERNEL.replace("= scale.x;", "= scale.x + 1.5f;");
    kernel.launch.modules = vec![Module::new("test.wgsl", Source::Wgsl(text.into()))];
    refused(device, &kernel, |error| {
        matches!(error, RunError::Module(invalid) if invalid.at.is_some_and(|(line, _)| line == 7))
            && error.to_string().starts_with("`test.wgsl`:7:")
    })
}

fn unknown_entry(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    kernel.launch.dispatches[0].entry = "other".into();
    refused(device, &kernel, |error| {
        error.to_string() == "dispatch 0: `test.wgsl` has no compute entry point `other`; it has: main"
    })
}

fn constants(device: &Device) -> Result<(), Failed> {
    let wrong = [("HEIGHT", Constant::Int(1)), ("WIDTH", Constant::Int(-1)), ("WIDTH", Constant::Float(f64::NAN))];
    for (name, value) in wrong {
        let mut kernel = kernel();
        kernel.launch.dispatches[0].constants.insert(name.into(), value);
        refused(device, &kernel, |error| matches!(error, RunError::Constants { .. }))?;
    }
    Ok(())
}

/// The device finishes the kernel afterwards, so that the next launch finds it free.
fn too_long(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(1) fn main() {
            for (var i = 0u; i < x[1]; i++) { x[0] = x[0] * 1664525u + x[2]; }
        }",
    );
    kernel.output("x", &[1, 100_000_000, 1_013_904_223]);
    kernel.dispatch("main", 1);
    let options = RunOptions { timeout: Duration::from_millis(1), ..RunOptions::ordinary() };
    let result = device.run(&kernel.launch, &options);
    same("in a millisecond", matches!(result, Err(RunError::TimedOut { .. })), true)?;
    let right = self::kernel().run(device, Exactness::Ordinary)?;
    same("afterwards", right[0][63], 0x0101_0101)
}

fn other_languages(device: &Device) -> Result<(), Failed> {
    let mut kernel = kernel();
    kernel.launch.modules = vec![Module::new("kernel.ptx", Source::Ptx(".version 8.0".into()))];
    let result = device.run(&kernel.launch, &RunOptions::default());
    same("ptx", matches!(result, Err(RunError::Unsupported(_))), true)
}
