//! Small launches, put together in a line or two.

use std::fmt::Debug;

use gridproof_gpu::{Device, Exactness, RunError, RunOptions};
use gridproof_launch::{
    Argument, Buffer, BufferId, Constant, DType, Dispatch, Launch, Module, ModuleId, Source, Target, Tensor, Value,
};
use libtest_mimic::Failed;

/// A launch of one WGSL module.
pub struct Kernel {
    pub launch: Launch,
}

impl Kernel {
    pub fn new(wgsl: &str) -> Self {
        let mut launch = Launch::default();
        launch.add_module(Module::new("test.wgsl", Source::Wgsl(wgsl.into())));
        Self { launch }
    }

    pub fn words(&mut self, name: &str, words: &[u32]) -> BufferId {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let shape = [u64::try_from(words.len()).unwrap_or(0)];
        let tensor = Tensor::dense(name, DType::U32, shape, bytes).expect("a word has four bytes");
        self.launch.add_buffer(Buffer::from_tensor(tensor))
    }

    pub fn output(&mut self, name: &str, words: &[u32]) -> BufferId {
        let id = self.words(name, words);
        self.launch.buffers[id.0].output = true;
        id
    }

    /// A dispatch that binds every buffer of the launch to the variable of its name.
    pub fn dispatch(&mut self, entry: &str, groups: u32) -> &mut Dispatch {
        let mut dispatch = Dispatch::new(ModuleId(0), entry, [groups, 1, 1]);
        for (position, buffer) in self.launch.buffers.iter().enumerate() {
            dispatch.arguments.push(Argument::buffer(&buffer.name, BufferId(position), buffer));
        }
        self.launch.dispatches.push(dispatch);
        self.launch.dispatches.last_mut().expect("one was just added")
    }

    pub fn run(&self, device: &Device, exactness: Exactness) -> Result<Vec<Vec<u32>>, RunError> {
        let outputs = device.run(&self.launch, &RunOptions { exactness, ..RunOptions::default() })?;
        Ok(outputs.buffers.iter().flatten().map(|bytes| to_words(bytes)).collect())
    }

    /// Runs in every mode that the device has and compares the first output.
    pub fn check(&self, device: &Device, expected: &[u32]) -> Result<(), Failed> {
        for exactness in modes(device) {
            let outputs = self.run(device, exactness)?;
            same(exactness, outputs.first().map(Vec::as_slice), Some(expected))?;
        }
        Ok(())
    }
}

pub fn constant(dispatch: &mut Dispatch, name: &str, value: i64) {
    dispatch.constants.insert(name.into(), Constant::Int(value));
}

pub fn scalar(dispatch: &mut Dispatch, name: &str, bytes: &[u8]) {
    dispatch.arguments.push(Argument { target: Target::Name(name.into()), value: Value::Scalar(bytes.to_vec()) });
}

pub fn modes(device: &Device) -> Vec<Exactness> {
    let mut modes = vec![Exactness::Ordinary];
    if device.check_exact().is_ok() {
        modes.push(Exactness::Exact);
    }
    modes
}

pub fn to_words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

pub fn same<T: PartialEq + Debug>(what: impl Debug, found: T, expected: T) -> Result<(), Failed> {
    if found == expected { Ok(()) } else { Err(format!("{what:?}: found {found:?}, expected {expected:?}").into()) }
}
