//! The functions of the CUDA driver that are needed, taken from the very library that was found.
//!
//! Types and numbers are cudarc's. Its functions are not used: they look for the library again by names of their own
//! and panic where it, or one of its functions, is missing; and they return their status as a Rust enum, which a driver
//! newer than the enum must not do. Here a status is a number, and a missing function an error.
//!
//! Everything in this folder that is unsafe is a call through this table. What makes such a call sound is said once,
//! here, as the driver's documentation says it: handles are those that the driver gave and nobody has destroyed (the
//! owners in `context`, `memory` and `graph` see to that); pointers are to values that live through the call, or, for
//! asynchronous copies, until the stream has been waited for; strings end with a zero. Wrong numbers are answered with
//! an error, and what kernels do to device memory is the device's affair.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::path::Path;
use std::ptr;

use cudarc::driver::sys;

use super::CudaVersion;

/// `CUresult`.
pub(super) type Status = u32;

macro_rules! statuses {
    ($($name:ident: $theirs:ident,)*) => {
        /// Statuses that mean something here.
        pub(super) mod status {
            use super::{Status, sys::cudaError_enum};

            $(pub(in crate::cuda) const $name: Status = cudaError_enum::$theirs as Status;)*
        }
    };
}

statuses! {
    ASSERT: CUDA_ERROR_ASSERT,
    CONTAINED: CUDA_ERROR_CONTAINED,
    CONTEXT_IS_DESTROYED: CUDA_ERROR_CONTEXT_IS_DESTROYED,
    DEINITIALIZED: CUDA_ERROR_DEINITIALIZED,
    DEVICE_UNAVAILABLE: CUDA_ERROR_DEVICE_UNAVAILABLE,
    ECC_UNCORRECTABLE: CUDA_ERROR_ECC_UNCORRECTABLE,
    EXTERNAL_DEVICE: CUDA_ERROR_EXTERNAL_DEVICE,
    HARDWARE_STACK_ERROR: CUDA_ERROR_HARDWARE_STACK_ERROR,
    ILLEGAL_ADDRESS: CUDA_ERROR_ILLEGAL_ADDRESS,
    ILLEGAL_INSTRUCTION: CUDA_ERROR_ILLEGAL_INSTRUCTION,
    INVALID_ADDRESS_SPACE: CUDA_ERROR_INVALID_ADDRESS_SPACE,
    INVALID_CONTEXT: CUDA_ERROR_INVALID_CONTEXT,
    INVALID_PC: CUDA_ERROR_INVALID_PC,
    INVALID_PTX: CUDA_ERROR_INVALID_PTX,
    LAUNCH_FAILED: CUDA_ERROR_LAUNCH_FAILED,
    LAUNCH_TIMEOUT: CUDA_ERROR_LAUNCH_TIMEOUT,
    MISALIGNED_ADDRESS: CUDA_ERROR_MISALIGNED_ADDRESS,
    NOT_FOUND: CUDA_ERROR_NOT_FOUND,
    NOT_READY: CUDA_ERROR_NOT_READY,
    NO_BINARY_FOR_GPU: CUDA_ERROR_NO_BINARY_FOR_GPU,
    NO_DEVICE: CUDA_ERROR_NO_DEVICE,
    NVLINK_UNCORRECTABLE: CUDA_ERROR_NVLINK_UNCORRECTABLE,
    OUT_OF_MEMORY: CUDA_ERROR_OUT_OF_MEMORY,
    TENSOR_MEMORY_LEAK: CUDA_ERROR_TENSOR_MEMORY_LEAK,
    UNKNOWN: CUDA_ERROR_UNKNOWN,
    UNSUPPORTED_PTX_VERSION: CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
}

/// Names of the library, the usual one first.
#[cfg(not(windows))]
const LIBRARIES: &[&str] = &["libcuda.so.1", "libcuda.so"];
#[cfg(windows)]
const LIBRARIES: &[&str] = &["nvcuda.dll"];

macro_rules! functions {
    ($($name:ident = $symbol:literal: fn($($argument:ty),* $(,)?);)*) => {
        /// Functions of a library that is never unloaded.
        #[derive(Clone, Copy)]
        pub(super) struct Driver {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) -> Status,)*
        }

        impl Driver {
            /// Loads the library at a path, or under a name that the system's loader knows.
            ///
            /// # Errors
            /// The loader's words.
            #[expect(unsafe_code, reason = "loading a library runs its initialisers, and its symbols have no types")]
            pub(super) fn load(library: &Path) -> Result<Self, String> {
                // SAFETY: only the CUDA driver's library comes here, whose initialisers need nothing of the caller.
                let library = unsafe { libloading::Library::new(library) }.map_err(|error| error.to_string())?;
                // Functions are copied out of it, and the driver has threads of its own.
                let library: &'static libloading::Library = Box::leak(Box::new(library));
                Ok(Self {
                    $(
                        // SAFETY: the field has the type that the driver's documentation gives this name, in every
                        // version from 12.0 on, and the library stays loaded.
                        $name: *unsafe { library.get(concat!($symbol, "\0").as_bytes()) }
                            .map_err(|error| error.to_string())?,
                    )*
                })
            }
        }
    };
}

functions! {
    init = "cuInit": fn(c_uint);
    driver_version = "cuDriverGetVersion": fn(*mut c_int);
    error_name = "cuGetErrorName": fn(Status, *mut *const c_char);
    error_string = "cuGetErrorString": fn(Status, *mut *const c_char);
    device_count = "cuDeviceGetCount": fn(*mut c_int);
    device = "cuDeviceGet": fn(*mut sys::CUdevice, c_int);
    device_name = "cuDeviceGetName": fn(*mut c_char, c_int, sys::CUdevice);
    device_memory = "cuDeviceTotalMem_v2": fn(*mut usize, sys::CUdevice);
    device_attribute = "cuDeviceGetAttribute": fn(*mut c_int, c_uint, sys::CUdevice);
    device_pci = "cuDeviceGetPCIBusId": fn(*mut c_char, c_int, sys::CUdevice);
    context_retain = "cuDevicePrimaryCtxRetain": fn(*mut sys::CUcontext, sys::CUdevice);
    context_release = "cuDevicePrimaryCtxRelease_v2": fn(sys::CUdevice);
    context_set = "cuCtxSetCurrent": fn(sys::CUcontext);
    memory_info = "cuMemGetInfo_v2": fn(*mut usize, *mut usize);
    memory_allocate = "cuMemAlloc_v2": fn(*mut sys::CUdeviceptr, usize);
    memory_free = "cuMemFree_v2": fn(sys::CUdeviceptr);
    host_allocate = "cuMemHostAlloc": fn(*mut *mut c_void, usize, c_uint);
    host_free = "cuMemFreeHost": fn(*mut c_void);
    upload = "cuMemcpyHtoDAsync_v2": fn(sys::CUdeviceptr, *const c_void, usize, sys::CUstream);
    download = "cuMemcpyDtoHAsync_v2": fn(*mut c_void, sys::CUdeviceptr, usize, sys::CUstream);
    copy = "cuMemcpyDtoDAsync_v2": fn(sys::CUdeviceptr, sys::CUdeviceptr, usize, sys::CUstream);
    fill = "cuMemsetD8Async": fn(sys::CUdeviceptr, u8, usize, sys::CUstream);
    stream_create = "cuStreamCreate": fn(*mut sys::CUstream, c_uint);
    stream_destroy = "cuStreamDestroy_v2": fn(sys::CUstream);
    stream_query = "cuStreamQuery": fn(sys::CUstream);
    event_create = "cuEventCreate": fn(*mut sys::CUevent, c_uint);
    event_destroy = "cuEventDestroy_v2": fn(sys::CUevent);
    event_record = "cuEventRecord": fn(sys::CUevent, sys::CUstream);
    event_query = "cuEventQuery": fn(sys::CUevent);
    event_elapsed = "cuEventElapsedTime": fn(*mut f32, sys::CUevent, sys::CUevent);
    module_load = "cuModuleLoadDataEx": fn(*mut sys::CUmodule, *const c_void, c_uint, *mut c_uint, *mut *mut c_void);
    module_unload = "cuModuleUnload": fn(sys::CUmodule);
    module_function = "cuModuleGetFunction": fn(*mut sys::CUfunction, sys::CUmodule, *const c_char);
    function_attribute = "cuFuncGetAttribute": fn(*mut c_int, c_uint, sys::CUfunction);
    function_set = "cuFuncSetAttribute": fn(sys::CUfunction, c_uint, c_int);
    graph_create = "cuGraphCreate": fn(*mut sys::CUgraph, c_uint);
    graph_kernel = "cuGraphAddKernelNode_v2": fn(
        *mut sys::CUgraphNode,
        sys::CUgraph,
        *const sys::CUgraphNode,
        usize,
        *const sys::CUDA_KERNEL_NODE_PARAMS_v2,
    );
    graph_instantiate = "cuGraphInstantiateWithFlags": fn(*mut sys::CUgraphExec, sys::CUgraph, c_ulonglong);
    graph_launch = "cuGraphLaunch": fn(sys::CUgraphExec, sys::CUstream);
    graph_exec_destroy = "cuGraphExecDestroy": fn(sys::CUgraphExec);
    graph_destroy = "cuGraphDestroy": fn(sys::CUgraph);
}

/// A call that the driver refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The function, as the driver calls it.
    pub(super) function: &'static str,
    pub(super) status: Status,
    /// The driver's words and its name for the status.
    pub(super) words: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} failed: {}", self.function, self.words)
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

impl Driver {
    /// Finds the library of this machine.
    ///
    /// # Errors
    /// The loader's words about its usual name.
    pub(super) fn find() -> Result<Self, String> {
        let mut first = None;
        for name in LIBRARIES {
            match Self::load(Path::new(name)) {
                Ok(driver) => return Ok(driver),
                Err(reason) => first = first.or(Some(reason)),
            }
        }
        Err(first.unwrap_or_default())
    }

    /// `Ok` for success, else the status with the driver's words.
    pub(super) fn check(&self, function: &'static str, status: Status) -> Result<(), Refusal> {
        if status == 0 { Ok(()) } else { Err(Refusal { function, status, words: self.words(status) }) }
    }

    /// The driver's words for a status, and its name.
    pub(super) fn words(&self, status: Status) -> String {
        let (name, words) = (self.text(self.error_name, status), self.text(self.error_string, status));
        match (words, name) {
            (Some(words), Some(name)) => format!("{words} ({name})"),
            (Some(words), None) | (None, Some(words)) => format!("{words} ({status})"),
            (None, None) => format!("unknown error ({status})"),
        }
    }

    #[expect(unsafe_code, reason = "a function of a C library")]
    fn text(
        &self,
        function: unsafe extern "C" fn(Status, *mut *const c_char) -> Status,
        status: Status,
    ) -> Option<String> {
        let mut text = ptr::null();
        // SAFETY: any status may be asked about; the pointer is to a place that lives through the call, and the text is
        // null or lives as long as the library.
        unsafe {
            let known = function(status, &raw mut text) == 0 && !text.is_null();
            known.then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// The newest CUDA that the driver speaks.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn version(&self) -> Result<CudaVersion, Refusal> {
        let mut version = 0;
        // SAFETY: the pointer is to an integer that lives through the call; this needs no `cuInit`.
        let status = unsafe { (self.driver_version)(&raw mut version) };
        self.check("cuDriverGetVersion", status)?;
        Ok(CudaVersion::from_number(version.unsigned_abs()))
    }

    /// Makes the driver ready; may be called again.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn initialise(&self) -> Result<(), Refusal> {
        // SAFETY: the flags must be 0.
        self.check("cuInit", unsafe { (self.init)(0) })
    }
}
