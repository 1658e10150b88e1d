//! WGSL, SPIR-V and GLSL through naga: one entry point, specialised for one dispatch, as a register program.
//!
//! The order of evaluation is the one of naga's `ir` module documentation: literals, constants, arguments and
//! variables' addresses are evaluated before execution; call, atomic and subgroup results by their statement;
//! "all other expressions are evaluated when the (unique) `Statement::Emit` statement that covers them is
//! executed". Every emitted expression is computed once, into registers, there and then.
//!
//! Functions are inlined (naga refuses recursion), values are scalarised, overrides are resolved first. What
//! has no meaning here (textures, samplers, ray queries, cooperative matrices, derivatives, other stages) is
//! refused with its place, never dropped. Only what the entry point reaches is looked at.
//!
//! naga's own stages recurse over what they parsed, so all of this runs on a thread with a large stack; a panic
//! in there becomes an error about the module. Rejected: catching panics in place, which leaves the stack small.

mod assembler;
mod atomic;
mod expression;
mod fold;
mod function;
mod geometry;
mod globals;
mod index;
mod layout;
mod locate;
mod math;
mod matrix;
mod memory;
mod operator;
mod packing;
mod parse;
mod promotion;
mod specialise;
mod statement;
mod subgroup;
mod value;

use gridproof_launch::{Dispatch, Module, Source as Language};

use crate::ir::{Binding, Program, SourceFile, SpanId, Variable};
use crate::outcome::SimulateError;
use assembler::Assembler;
use globals::Global;
use layout::Types;
use locate::{Source, Spans};
use promotion::Promotion;

/// Bytes of stack for the front end's thread. Only the part that is used is ever backed by memory.
const STACK: usize = 256 << 20;

/// Name of the front end's thread. Its panics come back as errors about the module, so a panic hook need not tell them.
pub const THREAD: &str = "frontend";

/// Lowers one entry point.
///
/// # Errors
/// See [`crate::frontend::lower`].
pub fn lower(module: &Module, dispatch: &Dispatch) -> Result<Program, SimulateError> {
    let text = match &module.source {
        Language::Wgsl(text) | Language::Glsl(text) => Some(text.clone()),
        _ => None,
    };
    let source = Source::new(&module.name, text);
    let failed = |what: &str| source.error(naga::Span::UNDEFINED, format!("the front end failed: {what}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(THREAD.to_owned()).stack_size(STACK);
        let work = thread.spawn_scoped(scope, || lower_here(module, dispatch, &source));
        match work.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(failed(&format!(
                "it panicked on this module, a defect of naga or of gridproof: {}",
                words(&*panic)
            ))),
            Err(error) => Err(failed(&error.to_string())),
        }
    })
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn lower_here(module: &Module, dispatch: &Dispatch, source: &Source) -> Result<Program, SimulateError> {
    let (parsed, info) = parse::parse(module, source)?;
    let special = specialise::specialise(&parsed, &info, dispatch, source)?;
    let point = &special.module.entry_points[special.entry];
    let mut lowering = Lowering::new(&special.module, &special.info, source, &point.function)?;
    lowering.place_globals(special.entry)?;
    lowering.initialise_globals()?;
    lowering.entry(point, special.info.get_entry_point(special.entry))?;
    lowering.finish(point)
}

/// Everything that is known while one entry point is lowered.
struct Lowering<'m> {
    module: &'m naga::Module,
    info: &'m naga::valid::ModuleInfo,
    source: &'m Source,
    types: Types,
    promotion: Promotion,
    asm: Assembler,
    spans: Spans,
    /// The call being inlined.
    call: Option<SpanId>,
    /// Calls being inlined.
    depth: u32,
    /// Statements lowered so far, inlined ones each time.
    steps: u64,
    globals: Vec<Global>,
    bindings: Vec<Binding>,
    workgroup_bytes: u32,
    workgroup_variables: Vec<Variable>,
    private_bytes: u32,
    private_variables: Vec<Variable>,
    /// Private memory of variables and indexed values that is shared by all inlined copies of a function.
    statics: function::Statics,
}

impl<'m> Lowering<'m> {
    fn new(
        module: &'m naga::Module,
        info: &'m naga::valid::ModuleInfo,
        source: &'m Source,
        entry: &naga::Function,
    ) -> Result<Self, SimulateError> {
        let mut spans = Spans::default();
        let nowhere = spans.intern(source, naga::Span::UNDEFINED, None);
        Ok(Self {
            module,
            info,
            source,
            types: Types::new(module, source)?,
            promotion: Promotion::new(module, entry),
            asm: Assembler::new(nowhere),
            spans,
            call: None,
            depth: 0,
            steps: 0,
            globals: Vec::new(),
            bindings: Vec::new(),
            workgroup_bytes: 0,
            workgroup_variables: Vec::new(),
            private_bytes: 0,
            private_variables: Vec::new(),
            statics: function::Statics::default(),
        })
    }

    /// Following instructions come from `span`; an undefined one leaves the neighbour's (naga gives loads of
    /// function-local variables none).
    fn at(&mut self, span: naga::Span) {
        if span.is_defined() {
            let id = self.spans.intern(self.source, span, self.call);
            self.asm.at(id);
        }
    }

    /// A broken promise of validated naga IR: our error or naga's, never the user's.
    fn internal(&self, what: &str) -> SimulateError {
        self.source.error(naga::Span::UNDEFINED, format!("internal error: {what}"))
    }

    fn finish(self, point: &naga::EntryPoint) -> Result<Program, SimulateError> {
        let laid = crate::frontend::finish::finish(self.asm.into_unfinished());
        let mut program = Program {
            entry: point.name.clone(),
            files: vec![SourceFile { name: self.source.name.clone(), text: self.source.text.clone() }],
            code: laid.code,
            span_of: laid.span_of,
            spans: self.spans.into_list(),
            rows: laid.rows,
            constants: laid.constants,
            narrowed: Vec::new(),
            folded: Vec::new(),
            zeroed: Vec::new(),
            tables: laid.tables,
            bindings: self.bindings,
            workgroup_size: point.workgroup_size,
            workgroup_bytes: self.workgroup_bytes.next_multiple_of(4),
            workgroup_zeroed: true,
            workgroup_variables: self.workgroup_variables,
            private_bytes: self.private_bytes.next_multiple_of(4),
            private_zeroed: true,
            private_variables: self.private_variables,
            strict_barriers: true,
            arithmetic: None,
            subgroup_size: None,
            nan: 0x7fc0_0000,
            signs_known: true,
            approximations: None,
        };
        crate::frontend::finish::rows::share(&mut program);
        Ok(program)
    }
}

#[cfg(test)]
mod tests;
