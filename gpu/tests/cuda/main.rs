//! The CUDA device against a driver that is not one: `fake.c`, built here by the C compiler, answers what each test wants
//! to see and writes down what it is asked. What a kernel computes is not tested here but in the matrix, on a GPU.
//!
//! Without a C compiler every test that needs one is listed as ignored with the reason in front of its name.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gridproof_gpu::cuda::{CudaDevice, CudaUnavailable, TimingOptions, devices};
use gridproof_gpu::{POISON, RunError, RunOptions};
use gridproof_launch::{
    Argument, Buffer, BufferId, ByteRange, Contents, DType, Dispatch, Fill, Launch, Module, Source, Target, Tensor,
    Value,
};
use libtest_mimic::{Arguments, Failed, Trial};

const PTX: &str = ".version 7.0\n.target sm_80\n.visible .entry store(.param .u64 at, .param .u32 value) { ret; }\n";

/// What the fake driver is built with.
struct Fake {
    version: u32,
    capability: u32,
    free: u64,
    devices: u32,
    fault: u32,
    elapsed: &'static str,
}

const USUAL: Fake = Fake { version: 13_000, capability: 90, free: 1 << 40, devices: 1, fault: 0, elapsed: "0.5f" };

type Test = (&'static str, fn() -> Result<(), Failed>);

const TESTS: &[Test] = &[
    ("run::arguments_reach_the_kernel_and_outputs_come_back", outputs),
    ("run::dispatches_are_one_graph_in_order", graph),
    ("run::a_long_buffer_comes_back_as_the_pages_that_differ", pages),
    ("time::a_graph_goes_through_every_copy_of_the_buffers", timing),
    ("time::a_long_launch_goes_round_once_and_little_memory_is_not_cold", warm),
    ("time::nothing_to_time_and_no_memory_for_a_second_copy", not_timed),
    ("time::copies_are_of_noise_and_count_both_ways", copying),
    ("refused::an_old_driver", old_driver),
    ("refused::an_old_device_and_a_missing_one", old_device),
    ("refused::too_little_memory", memory),
    ("refused::ptx_that_is_too_new_and_other_languages", languages),
    ("lost::after_a_fault_nothing_is_asked_of_the_driver", fault),
    ("lost::a_kernel_that_does_not_end", endless),
];

fn main() {
    let arguments = Arguments::from_args();
    let compiler = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    let mut trials: Vec<Trial> = TESTS
        .iter()
        .map(|&(name, test)| {
            let kind = if compiler { String::new() } else { "skipped: no C compiler".to_owned() };
            Trial::test(name, test).with_kind(kind).with_ignored_flag(!compiler)
        })
        .collect();
    trials.push(Trial::test("refused::a_missing_library_says_what_the_loader_said", no_library));
    let found = devices().err();
    let kind = if found.is_some() { String::new() } else { "skipped: this machine has a CUDA driver".to_owned() };
    let none = Trial::test("refused::a_machine_without_a_driver", move || no_driver(found.as_ref()));
    let has = !kind.is_empty();
    trials.push(none.with_kind(kind).with_ignored_flag(has));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Builds the fake driver; its library, and where it writes its calls.
fn build(test: &str, fake: &Fake) -> Result<(PathBuf, PathBuf), Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake_cuda");
    std::fs::create_dir_all(&folder)?;
    let (library, log) = (folder.join(format!("{test}.so")), folder.join(format!("{test}.log")));
    let _ = std::fs::remove_file(&log);
    let Fake { version, capability, free, devices, fault, elapsed } = fake;
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .arg(&library)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda/fake.c"))
        .args([format!("-DVERSION={version}"), format!("-DCAPABILITY={capability}"), format!("-DFREE={free}ull")])
        .arg(format!("-DELAPSED={elapsed}"))
        .args([format!("-DDEVICES={devices}"), format!("-DFAULT={fault}"), format!("-DLOG=\"{}\"", log.display())])
        .status()?;
    check(status.success(), "the fake driver does not compile")?;
    Ok((library, log))
}

fn check(holds: bool, text: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into()) }
}

fn same<T: PartialEq + std::fmt::Debug>(is: T, should: T) -> Result<(), Failed> {
    if is == should { Ok(()) } else { Err(format!("is {is:?}, should be {should:?}").into()) }
}

fn calls(log: &Path) -> Result<Vec<String>, Failed> {
    Ok(std::fs::read_to_string(log)?.lines().map(str::to_owned).collect())
}

/// A launch that stores a word at byte 8 of each of its buffers.
fn launch(buffers: Vec<Buffer>, ptx: &str) -> Launch {
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new("store.ptx", Source::Ptx(ptx.into())));
    for (position, buffer) in buffers.into_iter().enumerate() {
        let length = buffer.length;
        let id = launch.add_buffer(buffer.as_output());
        assert_eq!(id, BufferId(position));
        let mut dispatch = Dispatch::new(module, "store", [1, 1, 1]);
        dispatch.workgroup = Some([32, 1, 1]);
        let range = Value::Buffer { buffer: id, range: ByteRange::new(8, length) };
        let value = Value::Scalar(0x0102_0304_u32.to_le_bytes().to_vec());
        dispatch.arguments.push(Argument { target: Target::Name("value".into()), value });
        dispatch.arguments.push(Argument { target: Target::Parameter(0), value: range });
        launch.dispatches.push(dispatch);
    }
    launch
}

fn dense(bytes: &[u8]) -> Result<Buffer, Failed> {
    let length = u64::try_from(bytes.len())?;
    Ok(Buffer::from_tensor(Tensor::dense("x", DType::U8, [length], bytes.to_vec())?))
}

fn outputs() -> Result<(), Failed> {
    let (library, _) = build("outputs", &USUAL)?;
    let device = CudaDevice::open_from(&library, 0)?;
    same(
        device.summary().to_string().as_str(),
        "Fake 0 (CUDA, compute capability 9.0, driver for CUDA 13.0, PCI 0000:00:00.0)",
    )?;
    let unwritten = Buffer::filled("y", DType::U8, [14], Fill::Uninitialised)?;
    let launch = launch(vec![dense(&[7; 13])?, unwritten], PTX);
    let outputs = device.run(&launch, &[], &RunOptions::default())?;
    let stored = |byte: u8, length: usize| {
        let mut bytes = vec![byte; length];
        bytes[8..12].copy_from_slice(&[4, 3, 2, 1]);
        Some(Contents::Dense(bytes.into()))
    };
    same(outputs.buffers, vec![stored(7, 13), stored(POISON, 14)])?;
    same(outputs.elapsed.gpu, Some(Duration::from_micros(500)))
}

fn graph() -> Result<(), Failed> {
    let (library, log) = build("graph", &USUAL)?;
    let device = CudaDevice::open_from(&library, 0)?;
    let mut launch = launch(vec![dense(&[0; 16])?, dense(&[0; 16])?], PTX);
    // A dispatch of no workgroup is no node.
    launch.dispatches.push(Dispatch { grid: [1, 0, 1], ..launch.dispatches[0].clone() });
    device.run(&launch, &[], &RunOptions::default())?;
    drop(device);
    let calls = calls(&log)?;
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    same([count("cuGraphAddKernelNode"), count("cuGraphLaunch"), count("cuModuleLoadDataEx")], [2, 1, 1])?;
    same(count("cuMemAlloc"), count("cuMemFree"))?;
    same([count("cuModuleUnload"), count("cuGraphDestroy"), count("cuMemFreeHost")], [1, 1, 2])?;
    same(calls.last().map(String::as_str), Some("cuDevicePrimaryCtxRelease_v2"))
}

fn pages() -> Result<(), Failed> {
    const LENGTH: u64 = (64 << 20) + 6;
    let (library, log) = build("pages", &USUAL)?;
    let device = CudaDevice::open_from(&library, 0)?;
    let mut buffer = Buffer::filled("pool", DType::U8, [LENGTH], Fill::Byte(3))?;
    let Contents::Virtual { patches, .. } = &mut buffer.contents else { return Err("not virtual".into()) };
    patches.insert(LENGTH - 1, [9].into());
    let outputs = device.run(&launch(vec![buffer], PTX), &[], &RunOptions::default())?;
    let Some(Some(Contents::Virtual { fill: Fill::Byte(3), patches })) = outputs.buffers.first() else {
        return Err("the pool should come back as pages".into());
    };
    let found: Vec<(u64, usize)> = patches.iter().map(|(at, bytes)| (*at, bytes.len())).collect();
    same(found, vec![(0, 64 << 10), (64 << 20, 6)])?;
    same(patches[&0][7..13].to_vec(), vec![3, 4, 3, 2, 1, 3])?;
    same(patches[&(64 << 20)].to_vec(), vec![3, 3, 3, 3, 3, 9])?;
    // The marks, and the two pages: nothing else crossed the bus.
    same(calls(&log)?.iter().filter(|call| *call == "cuMemcpyDtoH").count(), 3)
}

/// Calls of each of these functions.
fn counts<const N: usize>(log: &Path, names: [&str; N]) -> Result<[usize; N], Failed> {
    let calls = calls(log)?;
    Ok(names.map(|name| calls.iter().filter(|call| *call == name).count()))
}

fn timed(footprint: u64) -> TimingOptions {
    TimingOptions { footprint, samples: 20, timeout: Duration::from_secs(60) }
}

/// The fake cache has 1,024 bytes, so that all copies shall touch 4,096.
fn timing() -> Result<(), Failed> {
    // 0.2 ms while it warms up, then 21 ms, 22 ms, 23 ms, ...
    let elapsed = "(measured < 2 ? 0.2f : 19.0f + measured)";
    let (library, log) = build("timing", &Fake { elapsed, ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    let launch = launch(vec![dense(&[7; 600])?, dense(&[7; 90])?], PTX);
    let timing = device.time(&launch, &[], &timed(500))?;
    // 9 copies of 500 bytes; 5 rounds over them until a graph takes 1 ms: 45 launches.
    same((timing.copies, timing.launches, timing.is_cold), (9, 45, true))?;
    same(timing.samples.len(), 20)?;
    let first = (timing.samples[0] - 21_000.0 / 45.0).abs();
    let middle = (timing.median() - 30_500.0 / 45.0).abs();
    check(first < 0.01 && middle < 0.01, &format!("{timing:?}"))?;
    let names = ["cuMemcpyHtoD", "cuMemcpyDtoD", "cuGraphAddKernelNode", "cuGraphLaunch", "cuMemcpyDtoH"];
    // Two buffers go up once. Two dispatches on 9 copies, once for the graph that warms up; 2 runs of that, and 21.
    same(counts(&log, names)?, [2, 16, 2 * 9 + 2 * 45, 2 + 21, 0])?;
    drop(device);
    let [made, freed] = counts(&log, ["cuMemAlloc", "cuMemFree"])?;
    same([made, freed], [4, 4])
}

fn warm() -> Result<(), Failed> {
    const SPARE: u64 = 64 << 20;
    // The fake driver never has less free memory than at first: room for 768 bytes, and for 768 three times.
    let (library, _) = build("warm", &Fake { free: SPARE + 4 * 768, elapsed: "1.5f", ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    let launch = launch(vec![dense(&[7; 600])?], PTX);
    let timing = device.time(&launch, &[], &timed(500))?;
    same((timing.copies, timing.launches, timing.is_cold), (5, 5, false))?;
    // What is said to be touched is no more than there is, and no launch is timed on one copy.
    let timing = device.time(&launch, &[], &timed(u64::MAX))?;
    same((timing.copies, timing.is_cold), (5, false))?;
    let (library, _) = build("large", &USUAL)?;
    let device = CudaDevice::open_from(&library, 0)?;
    let timing = device.time(&self::launch(vec![dense(&[7; 9000])?], PTX), &[], &timed(9000))?;
    same((timing.copies, timing.is_cold), (2, true))
}

fn not_timed() -> Result<(), Failed> {
    let (library, log) = build("not_timed", &Fake { free: (64 << 20) + 700, ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    let mut launch = launch(vec![dense(&[7; 600])?], PTX);
    let refused = |launch: &Launch| device.time(launch, &[], &timed(600)).err().map(|error| error.to_string());
    let should = "out of device memory: the launch needs 67109632 bytes, 67109564 are free";
    same(refused(&launch).as_deref(), Some(should))?;
    launch.dispatches[0].grid = [1, 0, 1];
    same(refused(&launch).as_deref(), Some("unsupported: a launch without workgroups takes no time"))?;
    let refused = device.time_copy(1 << 30, 1, Duration::from_secs(60)).err();
    let should = Some(RunError::TooLittleMemory { wanted: (2 << 30) + (64 << 20), free: (64 << 20) + 700 });
    same(refused, should)?;
    same(counts(&log, ["cuGraphLaunch"])?, [0])
}

fn copying() -> Result<(), Failed> {
    let (library, log) = build("copying", &Fake { elapsed: "(measured == 1 ? 3.0f : 0.5f)", ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    let copies = device.time_copy(5 << 20, 20, Duration::from_secs(60))?;
    same((copies.length, copies.samples.len()), (5 << 20, 20))?;
    // One MiB of noise goes up and is copied on: 1, 2, and 1 MiB; then one copy that warms up, and 20.
    same(counts(&log, ["cuMemcpyHtoD", "cuMemcpyDtoD"])?, [1, 3 + 21])?;
    // 10 MiB in 500 us.
    check((copies.bytes_per_microsecond() - 20_971.52).abs() < 0.1, &format!("{copies:?}"))
}

fn old_driver() -> Result<(), Failed> {
    let (library, _) = build("old_driver", &Fake { version: 11_080, ..USUAL })?;
    let refused = CudaDevice::open_from(&library, 0).err().map(|reason| reason.to_string());
    let should = "the CUDA driver is too old: it speaks CUDA 11.8, and gridproof needs 12.0 or later";
    same(refused.as_deref(), Some(should))?;
    let (library, _) = build("older_driver", &Fake { version: 12_090, ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    same(device.summary().check_compiler((12, 9)), Ok(()))?;
    let refused = device.summary().check_compiler((13, 5)).err().map(|reason| reason.to_string());
    let should = "the CUDA driver is too old: it speaks CUDA 12.9, and code of NVRTC 13.5 needs 13.0 or later";
    same(refused.as_deref(), Some(should))
}

fn old_device() -> Result<(), Failed> {
    let (library, _) = build("old_device", &Fake { capability: 75, ..USUAL })?;
    let refused = |ordinal| CudaDevice::open_from(&library, ordinal).err().map(|reason| reason.to_string());
    same(refused(0).as_deref(), Some("Fake 0 has compute capability 7.5: 8.0 or later is needed"))?;
    same(refused(3).as_deref(), Some("no CUDA device 3: there are 1, counted from 0"))?;
    let (library, _) = build("no_device", &Fake { devices: 0, ..USUAL })?;
    same(CudaDevice::open_from(&library, 0).err(), Some(CudaUnavailable::NoDevice))
}

fn memory() -> Result<(), Failed> {
    let (library, log) = build("memory", &Fake { free: 1 << 30, ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    let pool = Buffer::filled("pool", DType::F32, [1 << 32], Fill::Byte(0))?;
    let refused = device.run(&launch(vec![pool], PTX), &[], &RunOptions::default()).err();
    // 2^34 bytes, and 64 MiB for what is beside them.
    let should = "out of device memory: the launch needs 17246978048 bytes, 1073741824 are free";
    same(refused.map(|error| error.to_string()).as_deref(), Some(should))?;
    check(!calls(&log)?.iter().any(|call| call == "cuMemAlloc"), "nothing should be allocated")?;
    // The device is as good as before.
    device.run(&launch(vec![dense(&[0; 16])?], PTX), &[], &RunOptions::default())?;
    Ok(())
}

fn languages() -> Result<(), Failed> {
    let (library, _) = build("languages", &USUAL)?;
    let device = CudaDevice::open_from(&library, 0)?;
    let refused = |launch: &Launch| {
        device.run(launch, &[], &RunOptions::default()).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let new = launch(vec![dense(&[0; 16])?], &PTX.replace("7.0", "99.1"));
    same(
        refused(&new).as_str(),
        "unsupported: `store.ptx` is PTX of version 99.1, which is newer than the CUDA driver",
    )?;
    let mut wgsl = launch(vec![dense(&[0; 16])?], PTX);
    wgsl.modules[0] = Module::new("k.wgsl", Source::Wgsl("".into()));
    same(refused(&wgsl).as_str(), "unsupported: a CUDA device runs PTX, and `k.wgsl` is WGSL")?;
    let mut entry = launch(vec![dense(&[0; 16])?], PTX);
    entry.dispatches[0].entry = "stor".into();
    same(refused(&entry).as_str(), "dispatch 0: `store.ptx` has no compute entry point `stor`; it has: store")?;
    let mut wide = launch(vec![dense(&[0; 16])?], PTX);
    wide.dispatches[0].grid = [1, 1025, 1];
    same(
        refused(&wide).as_str(),
        "dispatch 0 (`store`): 1025 asked for, the device's limit is 1024 workgroups in one dimension",
    )
}

fn fault() -> Result<(), Failed> {
    let (library, log) = build("fault", &Fake { fault: 700, ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    let launch = launch(vec![dense(&[0; 16])?], PTX);
    let error = device.run(&launch, &[], &RunOptions::default()).err().ok_or("a fault was asked for")?;
    check(error.is_loss(), "a fault is a loss")?;
    let should = "the kernel faulted: an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS); the process \
                  has lost its device";
    same(error.to_string().as_str(), should)?;
    let again = device.run(&launch, &[], &RunOptions::default()).err().ok_or("the device should be lost")?;
    let should = "the device was lost: an earlier kernel faulted: an illegal memory access was encountered \
                  (CUDA_ERROR_ILLEGAL_ADDRESS)";
    same(again.to_string().as_str(), should)?;
    drop(device);
    same(calls(&log)?.last().map(String::as_str), Some("cuGraphLaunch"))
}

fn endless() -> Result<(), Failed> {
    let (library, log) = build("endless", &Fake { fault: 600, ..USUAL })?;
    let device = CudaDevice::open_from(&library, 0)?;
    let launch = launch(vec![dense(&[0; 16])?], PTX);
    let options = RunOptions { timeout: Duration::from_millis(20), ..RunOptions::default() };
    let error = device.run(&launch, &[], &options).err();
    same(error, Some(RunError::TimedOut { after: options.timeout }))?;
    let again = device.run(&launch, &[], &options).err().map(|error| error.to_string());
    same(again.as_deref(), Some("the device was lost: an earlier launch was still running after 0.02 s"))?;
    drop(device);
    same(calls(&log)?.last().map(String::as_str), Some("cuGraphLaunch"))
}

fn no_library() -> Result<(), Failed> {
    let refused = CudaDevice::open_from(Path::new("/nowhere/libcuda.so"), 0).err().map(|reason| reason.to_string());
    let refused = refused.unwrap_or_default();
    check(refused.starts_with("no CUDA driver: ") && refused.contains("/nowhere/libcuda.so"), &refused)
}

fn no_driver(found: Option<&CudaUnavailable>) -> Result<(), Failed> {
    let told = found.map(ToString::to_string).unwrap_or_default();
    let loader = "no CUDA driver: libcuda.so.1: cannot open shared object file: No such file or directory";
    check(cfg!(not(target_os = "linux")) || told == loader || !told.starts_with("no CUDA driver"), &told)
}
