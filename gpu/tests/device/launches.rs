//! What a launch may contain: barriers, overrides, scalars, sequences, virtual and partial buffers.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridproof_gpu::{Device, Exactness, POISON, ReadBack, RunOptions};
use gridproof_launch::{
    Argument, Buffer, BufferId, ByteRange, Contents, DType, Dispatch, Fill, Launch, Module, Source, Target, Value,
};
use libtest_mimic::Failed;

use crate::kernel::{Kernel, constant, modes, same, scalar, to_words};
use crate::{Needs, Test};

pub const TESTS: &[Test] = &[
    ("launches::a_copy_reads_and_writes", Needs::Nothing, copy),
    ("launches::a_reduction_uses_workgroup_memory_and_barriers", Needs::Nothing, reduction),
    ("launches::workgroup_memory_starts_as_zero", Needs::Nothing, zeroed_workgroup_memory),
    ("launches::zeroed_workgroup_memory_of_every_type", Needs::Nothing, zeroed_types),
    ("launches::overrides_by_name_and_by_number_also_size_the_workgroup", Needs::Nothing, overrides),
    ("launches::scalars_fill_uniform_and_storage_blocks", Needs::Nothing, scalars),
    ("launches::dispatches_run_in_order", Needs::Nothing, sequence),
    ("launches::a_virtual_buffer_is_filled_and_patched", Needs::Nothing, virtual_buffer),
    ("launches::uninitialised_bytes_are_poison", Needs::Nothing, poison),
    ("launches::a_binding_shows_a_part_of_a_buffer", Needs::Nothing, partial),
    ("launches::one_buffer_may_be_read_and_written_through_two_bindings", Needs::Nothing, in_place),
    ("launches::slots_groups_and_gaps", Needs::Nothing, slots),
    ("launches::lengths_need_not_be_words", Needs::Nothing, odd_length),
    ("launches::a_large_buffer_comes_back_whole", Needs::Nothing, large),
    ("launches::a_loop_of_many_iterations", Needs::Nothing, long_loop),
    ("launches::half_precision", Needs::F16, half_precision),
    ("launches::integers_of_64_bits", Needs::I64, long_integers),
    ("launches::a_subgroup_adds_up", Needs::Subgroups, subgroup_sum),
    ("launches::spirv_runs_as_its_wgsl", Needs::Nothing, spirv),
    ("launches::only_outputs_come_back_and_time_is_told", Needs::Nothing, read_back),
    ("launches::the_fingerprint_is_complete", Needs::Nothing, fingerprint),
];

const COPY: &str = "
    @group(0) @binding(0) var<storage, read> source: array<u32>;
    @group(0) @binding(1) var<storage, read_write> into: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) at: vec3<u32>) {
        if at.x < arrayLength(&into) { into[at.x] = source[at.x] + 1u; }
    }";

fn counting(length: u32) -> Vec<u32> {
    (0..length).collect()
}

fn copy(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(COPY);
    kernel.words("source", &counting(1000));
    kernel.output("into", &[0; 1000]);
    kernel.dispatch("main", 16);
    kernel.check(device, &(1..=1000).collect::<Vec<u32>>())
}

fn reduction(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read> source: array<u32>;
        @group(0) @binding(1) var<storage, read_write> sums: array<u32>;
        var<workgroup> partial: array<u32, 256>;
        @compute @workgroup_size(256) fn main(
            @builtin(global_invocation_id) at: vec3<u32>,
            @builtin(local_invocation_index) local: u32,
            @builtin(workgroup_id) group: vec3<u32>,
        ) {
            partial[local] = source[at.x];
            for (var half = 128u; half > 0u; half /= 2u) {
                workgroupBarrier();
                if local < half { partial[local] += partial[local + half]; }
            }
            if local == 0u { sums[group.x] = partial[0]; }
        }",
    );
    kernel.words("source", &counting(1024));
    kernel.output("sums", &[0; 4]);
    kernel.dispatch("main", 4);
    kernel.check(device, &[32_640, 98_176, 163_712, 229_248])
}

fn zeroed_workgroup_memory(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read_write> seen: array<u32>;
        var<workgroup> memory: array<u32, 64>;
        @compute @workgroup_size(64) fn dirty(@builtin(local_invocation_index) at: u32) {
            memory[at] = 7u;
            workgroupBarrier();
            seen[at] = memory[63u - at];
        }
        @compute @workgroup_size(64) fn look(@builtin(local_invocation_index) at: u32) { seen[at] = memory[at]; }",
    );
    kernel.output("seen", &[9; 64]);
    kernel.dispatch("dirty", 1);
    kernel.dispatch("look", 1);
    kernel.check(device, &[0; 64])
}

/// Variables of every kind, an array of another length than the workgroup's, and each way an entry point may know its
/// invocation's number.
fn zeroed_types(device: &Device) -> Result<(), Failed> {
    let entry = |name: &str, arguments: &str, lane: &str| {
        format!(
            "@compute @workgroup_size(48) fn {name}({arguments}) {{
                var sum = bits(single) + bits(plane[1].z) + atomicLoad(&tickets[2]) + atomicLoad(&ticket);
                sum += bits(record.inner[3].y) + record.last + u32(flag);
                for (var row = 0u; row < 5u; row++) {{
                    for (var i = 0u; i < 99u; i++) {{ sum += table[row][i]; }}
                }}
                workgroupBarrier();
                single = 1.0;
                plane[1].z = 2.0;
                atomicStore(&tickets[2], 3u);
                atomicStore(&ticket, 4u);
                record.inner[3].y = 5.0;
                record.last = 6u;
                flag = true;
                for (var i = 0u; i < 495u; i++) {{ table[i / 99u][i % 99u] = 7u; }}
                if ({lane} < 48u) {{ seen[{lane}] = sum; }}
            }}\n"
        )
    };
    let mut kernel = Kernel::new(&format!(
        "struct Record {{ inner: array<vec3<f32>, 4>, last: u32 }}
        struct Place {{ @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32 }}
        @group(0) @binding(0) var<storage, read_write> seen: array<u32>;
        var<workgroup> single: f32;
        var<workgroup> flag: bool;
        var<workgroup> plane: mat2x3<f32>;
        var<workgroup> table: array<array<u32, 99>, 5>;
        var<workgroup> ticket: atomic<u32>;
        var<workgroup> tickets: array<atomic<u32>, 3>;
        var<workgroup> record: Record;
        fn bits(number: f32) -> u32 {{ return bitcast<u32>(number); }}\n{}{}{}",
        entry("plain", "@builtin(local_invocation_index) at: u32", "at"),
        entry("in_a_struct", "place: Place", "place.lane"),
        entry("without", "@builtin(local_invocation_id) id: vec3<u32>", "id.x"),
    ));
    kernel.output("seen", &[9; 48]);
    for name in ["plain", "in_a_struct", "without", "plain"] {
        kernel.dispatch(name, 3);
    }
    kernel.check(device, &[0; 48])
}

fn overrides(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "override WIDTH: u32;
        @id(3) override STEP: i32 = 5;
        @id(4) override SIGN: bool = true;
        override LEFT_OUT: f32 = 2.0;
        @group(0) @binding(0) var<storage, read_write> into: array<i32>;
        var<workgroup> memory: array<i32, WIDTH>;
        @compute @workgroup_size(WIDTH) fn main(@builtin(local_invocation_index) at: u32) {
            memory[at] = i32(at) * STEP;
            workgroupBarrier();
            into[at] = select(-1, 1, SIGN) * memory[WIDTH - 1u - at] + i32(LEFT_OUT);
        }",
    );
    kernel.output("into", &[0; 4]);
    let dispatch = kernel.dispatch("main", 1);
    constant(dispatch, "WIDTH", 4);
    constant(dispatch, "3", 10);
    constant(dispatch, "SIGN", 0);
    kernel.check(device, &[-28_i32, -18, -8, 2].map(i32::cast_unsigned))
}

fn scalars(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "struct Block { first: u32, second: vec3<u32> }
        @group(0) @binding(0) var<storage, read_write> into: array<u32>;
        @group(0) @binding(1) var<uniform> one: u32;
        @group(0) @binding(2) var<uniform> block: Block;
        @group(1) @binding(0) var<storage, read> list: array<u32>;
        @compute @workgroup_size(1) fn main() {
            into[0] = one; into[1] = block.first; into[2] = block.second.z; into[3] = list[1]; into[4] = arrayLength(&list);
        }",
    );
    kernel.output("into", &[0; 5]);
    let dispatch = kernel.dispatch("main", 1);
    scalar(dispatch, "one", &11_u32.to_le_bytes());
    let block: Vec<u8> = [12_u32, 0, 0, 0, 0, 0, 13].into_iter().flat_map(u32::to_le_bytes).collect();
    scalar(dispatch, "block", &block);
    scalar(dispatch, "list", &[0, 0, 0, 0, 14, 0, 0, 0]);
    kernel.check(device, &[11, 12, 13, 14, 2])
}

fn sequence(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32, 256>;
        @compute @workgroup_size(64) fn double(@builtin(global_invocation_id) at: vec3<u32>) { x[at.x] *= 2u; }
        @compute @workgroup_size(64) fn turn(@builtin(global_invocation_id) at: vec3<u32>) {
            if at.x < 128u { let kept = x[at.x]; x[at.x] = x[255u - at.x] + 1u; x[255u - at.x] = kept; }
        }",
    );
    kernel.output("x", &counting(256));
    for _ in 0..10 {
        kernel.dispatch("double", 4);
        kernel.dispatch("turn", 4);
    }
    let mut expected = counting(256);
    for _ in 0..10 {
        expected.iter_mut().for_each(|x| *x *= 2);
        expected.reverse();
        expected[..128].iter_mut().for_each(|x| *x += 1);
    }
    kernel.check(device, &expected)
}

fn pool(length: u64, fill: Fill, patches: &[(u64, &[u8])]) -> Buffer {
    let patches: BTreeMap<u64, Arc<[u8]>> = patches.iter().map(|&(at, bytes)| (at, Arc::from(bytes))).collect();
    Buffer {
        name: "pool".into(),
        dtype: DType::U8,
        shape: vec![length],
        length,
        contents: Contents::Virtual { fill, patches },
        may_race: Vec::new(),
        output: true,
    }
}

const TOUCH: &str = "@group(0) @binding(0) var<storage, read_write> pool: array<u32>;
    @compute @workgroup_size(1) fn main() { pool[3] += 1u; }";

fn virtual_buffer(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(TOUCH);
    kernel.launch.add_buffer(pool(40, Fill::Byte(2), &[(3, &[0xFF; 3]), (12, &[4, 0, 0, 0]), (33, &[8])]));
    kernel.dispatch("main", 1);
    let (two, tail) = (0x0202_0202, 0x0202_0802);
    kernel.check(device, &[0xFF02_0202, 0x0202_FFFF, two, 5, two, two, two, two, tail, two])?;
    let mut zeroes = Kernel::new(TOUCH);
    zeroes.launch.add_buffer(pool(16 << 20, Fill::Byte(0), &[(12, &[9])]));
    zeroes.dispatch("main", 1);
    let mut expected = vec![0; 4 << 20];
    expected[3] = 10;
    zeroes.check(device, &expected)
}

fn poison(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(TOUCH);
    kernel.launch.add_buffer(pool(20, Fill::Uninitialised, &[]));
    kernel.dispatch("main", 1);
    let word = u32::from_le_bytes([POISON; 4]);
    kernel.check(device, &[word, word, word, word + 1, word])
}

fn partial(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(COPY);
    let from = kernel.words("source", &counting(512));
    kernel.output("into", &[0; 2]);
    let dispatch = kernel.dispatch("main", 1);
    dispatch.arguments[0].value = Value::Buffer { buffer: from, range: ByteRange::new(1024, 1032) };
    kernel.check(device, &[257, 258])
}

fn in_place(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(COPY);
    let id = kernel.output("into", &counting(64));
    let dispatch = kernel.dispatch("main", 1);
    let range = ByteRange::new(0, 256);
    let target = Target::Name("source".into());
    dispatch.arguments.push(Argument { target, value: Value::Buffer { buffer: id, range } });
    kernel.check(device, &(1..=64).collect::<Vec<u32>>())
}

fn slots(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(2) @binding(9) var<storage, read_write> into: array<u32>;
        @group(2) @binding(4) var<storage, read> source: array<u32>;
        @group(0) @binding(5) var<uniform> factor: u32;
        @group(0) @binding(1) var<storage, read> unused: array<u32>;
        @compute @workgroup_size(1) fn main() { into[0] = source[0] * factor; }",
    );
    kernel.words("source", &[6]);
    kernel.output("into", &[0]);
    let dispatch = kernel.dispatch("main", 1);
    dispatch.arguments[0].target = Target::Slot { group: 2, binding: 4 };
    let target = Target::Slot { group: 0, binding: 5 };
    dispatch.arguments.push(Argument { target, value: Value::Scalar(7_u32.to_le_bytes().to_vec()) });
    kernel.check(device, &[42])
}

fn odd_length(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(TOUCH);
    kernel.launch.add_buffer(pool(17, Fill::Byte(1), &[(16, &[5])]));
    kernel.dispatch("main", 1);
    for exactness in modes(device) {
        let outputs = device.run(&kernel.launch, &RunOptions { exactness, ..RunOptions::default() })?;
        let bytes = outputs.buffers.into_iter().flatten().next().unwrap_or_default();
        same(exactness, (bytes.len(), bytes.get(12..)), (17, Some([2_u8, 1, 1, 1, 5].as_slice())))?;
    }
    Ok(())
}

fn large(device: &Device) -> Result<(), Failed> {
    let words = 17 << 20;
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(256) fn main(@builtin(global_invocation_id) at: vec3<u32>) {
            for (var i = at.x; i < arrayLength(&x); i += 65536u) { x[i] = x[i] ^ 0xFFFFFFFFu; }
        }",
    );
    kernel.output("x", &counting(words));
    kernel.dispatch("main", 256);
    let outputs = kernel.run(device, Exactness::Ordinary)?;
    let right = outputs[0].iter().zip(0_u32..).all(|(&found, at)| found == !at);
    same("every word is turned", (outputs[0].len(), right), (counting(words).len(), true))
}

fn long_loop(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read> ones: array<u32>;
        @group(0) @binding(1) var<storage, read_write> count: array<u32>;
        @compute @workgroup_size(1) fn main() {
            for (var i = 0u; i < 200000u; i++) { count[0] += ones[i & 1u]; }
        }",
    );
    kernel.words("ones", &[1, 1]);
    kernel.output("count", &[0]);
    kernel.dispatch("main", 1);
    kernel.check(device, &[200_000])
}

fn half_precision(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "enable f16;
        @group(0) @binding(0) var<storage, read_write> x: array<f16, 4>;
        @compute @workgroup_size(2) fn main(@builtin(local_invocation_index) at: u32) {
            x[at + 2u] = x[at] * 2.0h + 1.0h;
        }",
    );
    kernel.output("x", &[0x3E00_3C00, 0]);
    kernel.dispatch("main", 1);
    kernel.check(device, &[0x3E00_3C00, 0x4400_4200])
}

fn long_integers(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read_write> x: array<u64>;
        @compute @workgroup_size(1) fn main() { x[0] = x[0] * 3lu + u64(u32(x[0])); }",
    );
    kernel.output("x", &[0xFFFF_FFFF, 1]);
    kernel.dispatch("main", 1);
    let product = 0x1_FFFF_FFFF_u64 * 3 + 0xFFFF_FFFF;
    kernel.check(device, &to_words(&product.to_le_bytes()))
}

fn subgroup_sum(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(128) fn main(
            @builtin(local_invocation_index) at: u32,
            @builtin(subgroup_size) size: u32,
        ) {
            x[at] = u32(subgroupAdd(x[at]) == size * 3u);
        }",
    );
    kernel.output("x", &[3; 128]);
    kernel.dispatch("main", 1);
    kernel.check(device, &[1; 128])
}

fn spirv(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(COPY);
    kernel.words("source", &counting(64));
    kernel.output("into", &[0; 64]);
    kernel.dispatch("main", 1);
    let module = naga::front::wgsl::parse_str(COPY)?;
    let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), Default::default());
    let info = validator.validate(&module)?;
    let options = naga::back::spv::Options { flags: naga::back::spv::WriterFlags::DEBUG, ..Default::default() };
    let words = naga::back::spv::write_vec(&module, &info, &options, None)?;
    kernel.launch.modules = vec![Module::new("test.spv", Source::SpirV(words.into()))];
    kernel.check(device, &(1..=64).collect::<Vec<u32>>())
}

fn read_back(device: &Device) -> Result<(), Failed> {
    let mut kernel = Kernel::new(COPY);
    kernel.words("source", &counting(64));
    kernel.output("into", &[0; 64]);
    kernel.dispatch("main", 1);
    let outputs = device.run(&kernel.launch, &RunOptions::ordinary())?;
    same("outputs", outputs.buffers.iter().map(Option::is_some).collect::<Vec<_>>(), vec![false, true])?;
    let whole = outputs.elapsed.gpu.is_none_or(|gpu| gpu <= outputs.elapsed.wall);
    same("the device's clock lies inside the host's", whole, true)?;
    let all = RunOptions { read_back: ReadBack::All, ..RunOptions::ordinary() };
    let outputs = device.run(&kernel.launch, &all)?;
    same("all", outputs.buffers[0].as_deref().map(to_words), Some(counting(64)))?;
    let nothing = Launch { dispatches: Vec::<Dispatch>::new(), ..kernel.launch.clone() };
    let outputs = device.run(&nothing, &RunOptions::ordinary())?;
    same("no dispatch", outputs.buffers[BufferId(1).0].as_deref().map(to_words), Some(vec![0; 64]))
}

fn fingerprint(device: &Device) -> Result<(), Failed> {
    let fingerprint = device.probe()?;
    same("loops", fingerprint.loops.iter().filter(|count| count.is_right()).count(), 2)?;
    if let Ok(exact) = &fingerprint.exact {
        same("exact mode contracts", exact.multiply_add.is_separate(), true)?;
        same("exact mode folds", exact.folding.wrong, 0)?;
        same("profiles", fingerprint.profiles().is_empty(), false)?;
    }
    let sizes = fingerprint.subgroups.least..=fingerprint.subgroups.most;
    let told = fingerprint.subgroups.told.unwrap_or_default();
    same("subgroup sizes", told.iter().all(|size| sizes.contains(size)), true)
}
