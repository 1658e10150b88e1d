//! The dispatches of a launch as a CUDA graph: one node after the other, submitted at once.

use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use cudarc::driver::sys;

use super::context::Context;
use super::memory::Event;
use super::module::Kernel;
use crate::{Elapsed, RunError};

/// One dispatch, ready to run.
pub(super) struct Node {
    pub(super) kernel: Kernel,
    pub(super) grid: [u32; 3],
    pub(super) workgroup: [u32; 3],
    pub(super) dynamic_bytes: u32,
    /// The bytes of every parameter of the kernel, in order.
    pub(super) parameters: Vec<Vec<u8>>,
}

/// A graph that can be launched.
pub(super) struct Graph {
    context: Rc<Context>,
    graph: sys::CUgraph,
    ready: sys::CUgraphExec,
}

impl Graph {
    /// A graph in which every node waits for the one before it. What the nodes' kernels and parameters point to must
    /// outlive it.
    pub(super) fn new<'a>(context: &Rc<Context>, nodes: impl IntoIterator<Item = &'a Node>) -> Result<Self, RunError> {
        Self::beside(context, nodes, None)
    }

    /// The same beside one more node, which waits for nobody.
    pub(super) fn beside<'a>(
        context: &Rc<Context>,
        nodes: impl IntoIterator<Item = &'a Node>,
        other: Option<&Node>,
    ) -> Result<Self, RunError> {
        let mut graph = Self::empty(context)?;
        if let Some(other) = other {
            graph.add(other, None)?;
        }
        let mut before = None;
        for node in nodes {
            before = Some(graph.add(node, before)?);
        }
        graph.instantiate()?;
        Ok(graph)
    }

    #[expect(unsafe_code, reason = "a function of a C library")]
    fn empty(context: &Rc<Context>) -> Result<Self, RunError> {
        let mut graph = ptr::null_mut();
        // SAFETY: see `driver`; the flags must be 0.
        context.check("cuGraphCreate", unsafe { (context.driver.graph_create)(&raw mut graph, 0) })?;
        Ok(Self { context: context.clone(), graph, ready: ptr::null_mut() })
    }

    #[expect(unsafe_code, reason = "a function of a C library")]
    fn add(&mut self, node: &Node, before: Option<sys::CUgraphNode>) -> Result<sys::CUgraphNode, RunError> {
        let mut parameters: Vec<*mut c_void> =
            node.parameters.iter().map(|bytes| bytes.as_ptr().cast_mut().cast()).collect();
        let Node { grid, workgroup, dynamic_bytes, .. } = *node;
        let described = sys::CUDA_KERNEL_NODE_PARAMS_v2 {
            func: node.kernel.raw,
            gridDimX: grid[0],
            gridDimY: grid[1],
            gridDimZ: grid[2],
            blockDimX: workgroup[0],
            blockDimY: workgroup[1],
            blockDimZ: workgroup[2],
            sharedMemBytes: dynamic_bytes,
            kernelParams: parameters.as_mut_ptr(),
            extra: ptr::null_mut(),
            kern: ptr::null_mut(),
            ctx: ptr::null_mut(),
        };
        let mut added = ptr::null_mut();
        let dependencies = before.as_slice();
        // SAFETY: see `driver`; there is a pointer for every parameter of the kernel, each to as many bytes as it has
        // (`parameters::bytes` made them from the kernel's own signature), and the driver copies them. The dependency is
        // a node of this graph.
        let status = unsafe {
            (self.context.driver.graph_kernel)(
                &raw mut added,
                self.graph,
                dependencies.as_ptr(),
                dependencies.len(),
                &raw const described,
            )
        };
        self.context.check("cuGraphAddKernelNode", status)?;
        Ok(added)
    }

    #[expect(unsafe_code, reason = "a function of a C library")]
    fn instantiate(&mut self) -> Result<(), RunError> {
        // SAFETY: see `driver`; the graph lives here.
        let status = unsafe { (self.context.driver.graph_instantiate)(&raw mut self.ready, self.graph, 0) };
        self.context.check("cuGraphInstantiate", status)
    }

    /// Runs it to its end.
    pub(super) fn run(&self, limit: Duration) -> Result<Elapsed, RunError> {
        let (start, end) = (Event::new(&self.context)?, Event::new(&self.context)?);
        // What is still on its way there is no part of the time.
        self.context.wait(limit)?;
        let submitted = Instant::now();
        start.record()?;
        self.launch()?;
        end.record()?;
        self.context.wait(limit)?;
        let wall = submitted.elapsed();
        Ok(Elapsed { wall, gpu: start.until(&end)? })
    }

    /// Submits it.
    #[expect(unsafe_code, reason = "a function of a C library")]
    pub(super) fn launch(&self) -> Result<(), RunError> {
        // SAFETY: see `driver`; the graph is instantiated, and what its kernels use outlives it.
        let status = unsafe { (self.context.driver.graph_launch)(self.ready, self.context.stream()) };
        self.context.check("cuGraphLaunch", status)
    }
}

impl Drop for Graph {
    #[expect(unsafe_code, reason = "functions of a C library")]
    fn drop(&mut self) {
        if self.context.is_lost() {
            return;
        }
        // SAFETY: see `driver`; both are null or were created here, and each is destroyed once.
        unsafe {
            if !self.ready.is_null() {
                (self.context.driver.graph_exec_destroy)(self.ready);
            }
            (self.context.driver.graph_destroy)(self.graph);
        }
    }
}
