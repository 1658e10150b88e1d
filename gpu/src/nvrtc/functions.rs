//! The functions of NVRTC that are needed, and one compilation. The only place that calls into the library.
//!
//! Signatures and rules are those of NVRTC's documentation: strings end with a zero, a program is destroyed once, all
//! functions may be called from several threads as long as no two use one program, and strings given to
//! `nvrtcCreateProgram` live as long as the program.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use super::{NvrtcError, Program};

/// `nvrtcResult`: 0 is success.
type Status = c_int;
/// `nvrtcProgram`.
type RawProgram = *mut c_void;

type GetSize = unsafe extern "C" fn(RawProgram, *mut usize) -> Status;
type GetText = unsafe extern "C" fn(RawProgram, *mut c_char) -> Status;

/// Functions of a library that is never unloaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Functions {
    version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status,
    error_string: unsafe extern "C" fn(Status) -> *const c_char,
    create: unsafe extern "C" fn(
        *mut RawProgram,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> Status,
    compile: unsafe extern "C" fn(RawProgram, c_int, *const *const c_char) -> Status,
    destroy: unsafe extern "C" fn(*mut RawProgram) -> Status,
    ptx_size: GetSize,
    ptx: GetText,
    cubin_size: GetSize,
    cubin: GetText,
    log_size: GetSize,
    log: GetText,
}

impl Functions {
    /// Loads the library at a path, or under a name that the system's loader knows.
    ///
    /// # Errors
    /// The loader's words.
    #[expect(unsafe_code, reason = "loading a library runs its initialisers, and its symbols have no types")]
    pub fn load(library: &Path) -> Result<Self, String> {
        // SAFETY: only files and names of NVRTC come here, whose initialisers need nothing of the caller.
        let library = unsafe { libloading::Library::new(library) }.map_err(|error| error.to_string())?;
        // Functions are copied out of it, and an unloaded NVRTC could leave threads behind.
        let library: &'static libloading::Library = Box::leak(Box::new(library));
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the field that takes the function has the type that NVRTC documents for this name, in every
                // version from 11.1 on, and the library stays loaded.
                *unsafe { library.get($name) }.map_err(|error| error.to_string())?
            };
        }
        Ok(Self {
            version: function!(b"nvrtcVersion\0"),
            error_string: function!(b"nvrtcGetErrorString\0"),
            create: function!(b"nvrtcCreateProgram\0"),
            compile: function!(b"nvrtcCompileProgram\0"),
            destroy: function!(b"nvrtcDestroyProgram\0"),
            ptx_size: function!(b"nvrtcGetPTXSize\0"),
            ptx: function!(b"nvrtcGetPTX\0"),
            cubin_size: function!(b"nvrtcGetCUBINSize\0"),
            cubin: function!(b"nvrtcGetCUBIN\0"),
            log_size: function!(b"nvrtcGetProgramLogSize\0"),
            log: function!(b"nvrtcGetProgramLog\0"),
        })
    }

    /// Major and minor version.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub fn version(&self) -> Result<(u32, u32), String> {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both pointers are to integers that live through the call.
        let status = unsafe { (self.version)(&raw mut major, &raw mut minor) };
        if status != 0 {
            return Err(format!("nvrtcVersion failed: {}", self.words(status)));
        }
        Ok((major.unsigned_abs(), minor.unsigned_abs()))
    }

    /// NVRTC's name for a status.
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn words(&self, status: Status) -> String {
        // SAFETY: any status may be asked about; the answer is null or a string that lives as long as the library.
        let words = unsafe {
            let words = (self.error_string)(status);
            if words.is_null() { c"unknown error" } else { CStr::from_ptr(words) }
        };
        format!("{} ({status})", words.to_string_lossy())
    }
}

/// One program inside NVRTC.
pub(super) struct Compilation<'a> {
    functions: &'a Functions,
    program: &'a Program,
    raw: RawProgram,
    /// What `raw` may point into.
    _strings: [Vec<CString>; 2],
}

impl<'a> Compilation<'a> {
    /// Creates the program.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub fn new(functions: &'a Functions, program: &'a Program) -> Result<Self, NvrtcError> {
        let string = |text: &str| string(&program.name, text);
        let headers = program.headers.iter();
        let mut names = vec![string(&program.name)?];
        let mut texts = vec![string(&program.text)?];
        for (name, text) in headers {
            names.push(string(name)?);
            texts.push(string(text)?);
        }
        let name_pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let text_pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        let mut raw = ptr::null_mut();
        // SAFETY: all strings end with a zero and live in the result; both arrays have as many headers as is said
        // behind their first element, which is the program itself, and the library copies the arrays.
        let status = unsafe {
            (functions.create)(
                &raw mut raw,
                text_pointers[0],
                name_pointers[0],
                count(program.headers.len()),
                text_pointers[1..].as_ptr(),
                name_pointers[1..].as_ptr(),
            )
        };
        if status != 0 {
            let (name, reason) = (program.name.clone(), functions.words(status));
            return Err(NvrtcError::Failed { name, function: "nvrtcCreateProgram", reason });
        }
        Ok(Self { functions, program, raw, _strings: [names, texts] })
    }

    /// Compiles, and gives the log.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub fn compile(&self, options: &[String]) -> Result<String, NvrtcError> {
        let options: Vec<CString> =
            options.iter().map(|option| string(&self.program.name, option)).collect::<Result<_, _>>()?;
        let pointers: Vec<_> = options.iter().map(|option| option.as_ptr()).collect();
        // SAFETY: the program exists, and there are as many options as is said, each ending with a zero.
        let status = unsafe { (self.functions.compile)(self.raw, count(pointers.len()), pointers.as_ptr()) };
        let log = self.text(("nvrtcGetProgramLog", self.functions.log_size, self.functions.log));
        if status == 0 {
            return log;
        }
        match log {
            Ok(log) if !log.trim().is_empty() => Err(NvrtcError::Compile { name: self.program.name.clone(), log }),
            _ => Err(self.failed("nvrtcCompileProgram", status)),
        }
    }

    /// The PTX of a compiled program.
    pub fn ptx(&self) -> Result<String, NvrtcError> {
        self.text(("nvrtcGetPTX", self.functions.ptx_size, self.functions.ptx))
    }

    /// The machine code of a compiled program; `None` where its architecture is not a real one.
    pub fn cubin(&self) -> Result<Option<Vec<u8>>, NvrtcError> {
        let mut bytes = self.bytes(("nvrtcGetCUBIN", self.functions.cubin_size, self.functions.cubin))?;
        bytes.pop();
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    fn text(&self, what: (&'static str, GetSize, GetText)) -> Result<String, NvrtcError> {
        let bytes = self.bytes(what)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// What a pair of functions gives, with a zero behind it.
    #[expect(unsafe_code, reason = "functions of a C library")]
    fn bytes(&self, (function, size, text): (&'static str, GetSize, GetText)) -> Result<Vec<u8>, NvrtcError> {
        let mut length = 0;
        // SAFETY: the program exists, and the pointer is to an integer that lives through the call.
        let status = unsafe { size(self.raw, &raw mut length) };
        if status != 0 {
            return Err(self.failed(function, status));
        }
        if length == 0 {
            return Ok(vec![0]);
        }
        // One byte more than is asked for, so that there is a zero at the end in any case.
        let mut bytes = vec![0_u8; length.saturating_add(1)];
        // SAFETY: the program exists, and the library writes at most the `length` bytes it has just named.
        let status = unsafe { text(self.raw, bytes.as_mut_ptr().cast()) };
        if status != 0 {
            return Err(self.failed(function, status));
        }
        Ok(bytes)
    }

    fn failed(&self, function: &'static str, status: Status) -> NvrtcError {
        NvrtcError::Failed { name: self.program.name.clone(), function, reason: self.functions.words(status) }
    }
}

impl Drop for Compilation<'_> {
    #[expect(unsafe_code, reason = "a function of a C library")]
    fn drop(&mut self) {
        // SAFETY: the program was created and is destroyed here alone. There is no use for a status.
        let _ = unsafe { (self.functions.destroy)(&raw mut self.raw) };
    }
}

fn string(name: &str, text: &str) -> Result<CString, NvrtcError> {
    CString::new(text).map_err(|error| NvrtcError::Compile {
        name: name.to_owned(),
        log: format!("byte {} of a text or an option is zero, which CUDA C++ cannot hold", error.nul_position()),
    })
}

fn count(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}
