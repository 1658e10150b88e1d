//! What can be wrong with a launch before anything runs. All of these are the caller's fault.

use crate::{BufferId, ByteRange, ModuleId};

/// A launch that cannot be what its author meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// An element type that does not exist.
    #[error(
        "unknown element type `{name}`: expected one of f16, bf16, f32, f64, i8, u8, i16, u16, i32, u32, i64, u64, u4"
    )]
    UnknownDType {
        /// What was given.
        name: String,
    },
    /// A language that no kernel is written in.
    #[error("language `{name}`: expected wgsl or cuda")]
    UnknownLanguage {
        /// What was given.
        name: String,
    },
    /// A place of the source that is none.
    #[error("`{text}` is no place of the source: expected barrier@FILE:LINE:COLUMN or guard@FILE:LINE:COLUMN")]
    Site {
        /// What was given.
        text: String,
    },
    /// A shape whose byte length does not fit in 64 bits.
    #[error("tensor `{tensor}` of shape {shape:?} is larger than 2^64 bytes")]
    ShapeOverflow {
        /// The tensor's name.
        tensor: String,
        /// Its shape, in elements.
        shape: Vec<u64>,
    },
    /// Bytes that do not match the shape.
    #[error("tensor `{tensor}` of shape {shape:?} takes {expected} bytes, but {actual} were given")]
    TensorLength {
        /// The tensor's name.
        tensor: String,
        /// Its shape, in elements.
        shape: Vec<u64>,
        /// Bytes the shape asks for.
        expected: u64,
        /// Bytes given.
        actual: u64,
    },
    /// Initial bytes outside their buffer.
    #[error("buffer `{buffer}` is {length} bytes long, but its contents name bytes {range}")]
    ContentsOutside {
        /// The buffer's name.
        buffer: String,
        /// Its length in bytes.
        length: u64,
        /// The bytes named.
        range: ByteRange,
    },
    /// A `may_race` range outside its buffer, or without a reason.
    #[error("buffer `{buffer}`: the may_race range {range} {problem}")]
    MayRace {
        /// The buffer's name.
        buffer: String,
        /// The declared range.
        range: ByteRange,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A dispatch names a module that the launch does not have.
    #[error("dispatch {dispatch} names module {}, but the launch has {modules}", module.0)]
    UnknownModule {
        /// Position of the dispatch.
        dispatch: usize,
        /// The module named.
        module: ModuleId,
        /// Modules in the launch.
        modules: usize,
    },
    /// An argument names a buffer that the launch does not have.
    #[error("dispatch {dispatch}, argument {argument}: names buffer {}, but the launch has {buffers}", buffer.0)]
    UnknownBuffer {
        /// Position of the dispatch.
        dispatch: usize,
        /// The argument's target, printed.
        argument: String,
        /// The buffer named.
        buffer: BufferId,
        /// Buffers in the launch.
        buffers: usize,
    },
    /// An argument's byte range does not lie inside its buffer.
    #[error(
        "dispatch {dispatch}, argument {argument}: bytes {range} do not lie inside buffer `{buffer}` of {length} bytes"
    )]
    ArgumentRange {
        /// Position of the dispatch.
        dispatch: usize,
        /// The argument's target, printed.
        argument: String,
        /// The buffer's name.
        buffer: String,
        /// The range asked for.
        range: ByteRange,
        /// The buffer's length in bytes.
        length: u64,
    },
    /// Two arguments of one dispatch have the same target.
    #[error("dispatch {dispatch}: argument {argument} is given twice")]
    DuplicateArgument {
        /// Position of the dispatch.
        dispatch: usize,
        /// The argument's target, printed.
        argument: String,
    },
    /// A grid or workgroup size of zero, or one too large to count.
    #[error("dispatch {dispatch}: {what} {size:?} {problem}")]
    Size {
        /// Position of the dispatch.
        dispatch: usize,
        /// `grid` or `workgroup`.
        what: &'static str,
        /// The size given, in workgroups or invocations.
        size: [u32; 3],
        /// What is wrong with it.
        problem: &'static str,
    },
}
