//! Modules on the device, and their kernels.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::rc::Rc;

use cudarc::driver::sys;

use super::context::Context;
use super::driver::status;
use crate::RunError;
use crate::nvrtc::Cubin;

/// Longest report of the driver's compiler, in bytes.
const LOG: usize = 16 << 10;

/// What is loaded.
#[derive(Clone, Copy)]
pub(super) enum Image<'a> {
    /// Machine code that NVRTC made.
    Cubin(&'a Cubin),
    /// Text, which the driver compiles.
    Ptx(&'a str),
}

pub(super) struct LoadedModule {
    context: Rc<Context>,
    raw: sys::CUmodule,
}

/// A kernel of a module, and what it takes.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    pub(super) raw: sys::CUfunction,
    /// Bytes of workgroup memory that the module declares.
    pub(super) workgroup_bytes: u32,
    /// Invocations of a workgroup at most, by its registers.
    pub(super) invocations: u32,
    /// Registers of an invocation, 32 bits each.
    pub(super) registers: u32,
    /// Bytes of an invocation's own memory: what registers do not hold.
    pub(super) private_bytes: u32,
}

impl LoadedModule {
    /// Loads a module; `name` is for messages.
    pub(super) fn load(context: &Rc<Context>, name: &str, image: Image<'_>) -> Result<Self, RunError> {
        match image {
            Image::Cubin(cubin) => Self::load_bytes(context, name, cubin.bytes(), image),
            Image::Ptx(text) => {
                let text = CString::new(text)
                    .map_err(|_| RunError::Unsupported(format!("`{name}`: PTX with a zero byte in it")))?;
                Self::load_bytes(context, name, text.as_bytes_with_nul(), image)
            }
        }
    }

    #[expect(unsafe_code, reason = "a function of a C library")]
    fn load_bytes(context: &Rc<Context>, name: &str, bytes: &[u8], image: Image<'_>) -> Result<Self, RunError> {
        use sys::CUjit_option_enum as Option;
        let mut log = vec![0_u8; LOG + 1];
        let mut options =
            [Option::CU_JIT_ERROR_LOG_BUFFER as c_uint, Option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES as c_uint];
        let mut values = [log.as_mut_ptr().cast::<c_void>(), ptr::without_provenance_mut(LOG)];
        let mut raw = ptr::null_mut();
        // SAFETY: see `driver`; the image is a whole cubin, which says its own length, or text that ends with a zero.
        // There are two options with a value each, and the log has as many bytes as is said.
        let status = unsafe {
            (context.driver.module_load)(
                &raw mut raw,
                bytes.as_ptr().cast(),
                2,
                options.as_mut_ptr(),
                values.as_mut_ptr(),
            )
        };
        match status {
            status::UNSUPPORTED_PTX_VERSION => Err(RunError::Unsupported(too_new(name, image))),
            status::INVALID_PTX | status::NO_BINARY_FOR_GPU => {
                let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
                let (words, log) = (context.driver.words(status), String::from_utf8_lossy(&log[..end]));
                Err(RunError::Unsupported(format!("`{name}` does not load: {words}; {}", log.trim())))
            }
            _ => {
                context.check("cuModuleLoadDataEx", status)?;
                Ok(Self { context: context.clone(), raw })
            }
        }
    }

    /// The kernel called `entry`; `None` where there is none.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn kernel(&self, entry: &str) -> Result<std::option::Option<Kernel>, RunError> {
        let Ok(name) = CString::new(entry) else { return Ok(None) };
        let mut raw = ptr::null_mut();
        // SAFETY: see `driver`; the module is loaded, and the name ends with a zero.
        let status = unsafe { (self.context.driver.module_function)(&raw mut raw, self.raw, name.as_ptr()) };
        if status == status::NOT_FOUND {
            return Ok(None);
        }
        self.context.check("cuModuleGetFunction", status)?;
        use sys::CUfunction_attribute_enum as Which;
        Ok(Some(Kernel {
            raw,
            workgroup_bytes: self.attribute(raw, Which::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?,
            invocations: self.attribute(raw, Which::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
            registers: self.attribute(raw, Which::CU_FUNC_ATTRIBUTE_NUM_REGS)?,
            private_bytes: self.attribute(raw, Which::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)?,
        }))
    }

    #[expect(unsafe_code, reason = "a function of a C library")]
    fn attribute(&self, kernel: sys::CUfunction, which: sys::CUfunction_attribute_enum) -> Result<u32, RunError> {
        let mut value: c_int = 0;
        // SAFETY: see `driver`; the kernel is this module's, and the pointer is to an integer.
        let status = unsafe { (self.context.driver.function_attribute)(&raw mut value, which as c_uint, kernel) };
        self.context.check("cuFuncGetAttribute", status)?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    /// Lets a kernel be launched with so much workgroup memory of the launch's own.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn allow(&self, kernel: Kernel, dynamic_bytes: u32) -> Result<(), RunError> {
        let which = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as c_uint;
        let bytes = c_int::try_from(dynamic_bytes).unwrap_or(c_int::MAX);
        // SAFETY: see `driver`; the kernel is this module's.
        let status = unsafe { (self.context.driver.function_set)(kernel.raw, which, bytes) };
        self.context.check("cuFuncSetAttribute", status)
    }
}

impl Drop for LoadedModule {
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn drop(&mut self) {
        if !self.context.is_lost() {
            // SAFETY: see `driver`; the module was loaded here, is unloaded once, and its kernels have ended.
            unsafe { (self.context.driver.module_unload)(self.raw) };
        }
    }
}

fn too_new(name: &str, image: Image<'_>) -> String {
    let version = match image {
        Image::Ptx(text) => text.lines().find_map(|line| line.trim().strip_prefix(".version")).map(str::trim),
        Image::Cubin(_) => None,
    };
    match version {
        Some(version) => format!("`{name}` is PTX of version {version}, which is newer than the CUDA driver"),
        None => format!("`{name}` is newer than the CUDA driver"),
    }
}

// The type of the log's bytes is what the driver takes.
const _: () = assert!(size_of::<c_char>() == 1);
