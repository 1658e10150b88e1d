//! What is timed where nothing else is asked for: the sizes that production has.

/// A launch of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usual {
    pub kernel: &'static str,
    pub variant: &'static str,
    pub shape: &'static str,
    /// Whether it stands for the others where little time is left.
    pub is_quick: bool,
}

const fn usual(kernel: &'static str, variant: &'static str, shape: &'static str) -> Usual {
    Usual { kernel, variant, shape, is_quick: false }
}

const fn quick(kernel: &'static str, variant: &'static str, shape: &'static str) -> Usual {
    Usual { kernel, variant, shape, is_quick: true }
}

const RESADD: &str = "resadd_norm_gemv_int4";
const CONV_FUSED: &str = "gdn_conv_fused";
const DECODE: &str = "gdn_decode";
const CONV: &str = "conv1d_qkv_split";
const CHUNKED: &str = "gdn_chunked";

/// By kernels in catalogue order. Pools have no more slots than are used, and the one that is nobody's.
pub(super) const USUAL: &[Usual] = &[
    quick(RESADD, "split", "n=8704,k=5120"),
    quick(RESADD, "fused", "n=8704,k=5120"),
    usual(RESADD, "split", "n=256,k=2048"),
    usual(RESADD, "fused", "n=256,k=2048"),
    usual(RESADD, "split", "n=256,k=3072"),
    usual(RESADD, "fused", "n=256,k=3072"),
    usual(RESADD, "split", "n=512,k=4096"),
    usual(RESADD, "fused", "n=512,k=4096"),
    usual(CONV_FUSED, "split", "n=1,h=16,hv=64"),
    usual(CONV_FUSED, "split", "n=32,h=16,hv=64"),
    quick(CONV_FUSED, "split", "n=256,h=16,hv=64"),
    usual(DECODE, "auto", "b=1,h=16,hv=64,pool=2"),
    usual(DECODE, "auto", "b=4,h=16,hv=64,pool=5"),
    usual(DECODE, "auto", "b=8,h=16,hv=64,pool=9"),
    usual(DECODE, "auto", "b=16,h=16,hv=64,pool=17"),
    usual(DECODE, "auto", "b=32,h=16,hv=64,pool=33"),
    quick(DECODE, "auto", "b=64,h=16,hv=64,pool=65"),
    usual(DECODE, "auto", "b=128,h=16,hv=64,pool=129"),
    usual(DECODE, "auto", "b=256,h=16,hv=64,pool=257"),
    usual(DECODE, "auto", "b=512,h=16,hv=64,pool=513"),
    usual(DECODE, "auto", "b=256,t=2,h=16,hv=64,pool=257"),
    usual(DECODE, "auto", "b=256,t=4,h=16,hv=64,pool=257"),
    quick(DECODE, "auto", "b=256,t=8,h=16,hv=64,pool=257"),
    usual(DECODE, "auto", "b=256,t=2,h=16,hv=64,pool=257,update=0,cache=1"),
    usual(DECODE, "auto", "b=256,t=4,h=16,hv=64,pool=257,update=0,cache=1"),
    usual(DECODE, "auto", "b=256,t=8,h=16,hv=64,pool=257,update=0,cache=1"),
    usual(CONV, "auto", "q=2048,k=2048,v=2048,lens=512,slots=2"),
    usual(CONV, "sequential", "q=2048,k=2048,v=2048,lens=512,slots=2"),
    quick(CONV, "auto", "q=2048,k=2048,v=2048,lens=2048,slots=2"),
    quick(CONV, "sequential", "q=2048,k=2048,v=2048,lens=2048,slots=2"),
    usual(CONV, "auto", "q=2048,k=2048,v=2048,lens=4096,slots=2"),
    usual(CONV, "sequential", "q=2048,k=2048,v=2048,lens=4096,slots=2"),
    usual(CONV, "auto", "q=2048,k=2048,v=2048,lens=8192,slots=2"),
    usual(CONV, "sequential", "q=2048,k=2048,v=2048,lens=8192,slots=2"),
    usual(CONV, "auto", "q=2048,k=2048,v=2048,lens=16384,slots=2"),
    usual(CONV, "sequential", "q=2048,k=2048,v=2048,lens=16384,slots=2"),
    usual(CHUNKED, "chunked", "t=289,h=16,hv=16,d=1024"),
    usual(CHUNKED, "serial", "t=289,h=16,hv=16,d=1024"),
    quick(CHUNKED, "chunked", "t=1009,h=16,hv=16,d=1024"),
    quick(CHUNKED, "serial", "t=1009,h=16,hv=16,d=1024"),
    usual(CHUNKED, "chunked", "t=4096,h=16,hv=16,d=1024"),
    usual(CHUNKED, "serial", "t=4096,h=16,hv=16,d=1024"),
    usual(CHUNKED, "chunked", "t=16384,h=16,hv=16,d=1024"),
    usual(CHUNKED, "serial", "t=16384,h=16,hv=16,d=1024"),
    usual(CHUNKED, "chunked", "t=289,h=16,hv=64,d=1024"),
    usual(CHUNKED, "serial", "t=289,h=16,hv=64,d=1024"),
    usual(CHUNKED, "chunked", "t=1009,h=16,hv=64,d=1024"),
    usual(CHUNKED, "serial", "t=1009,h=16,hv=64,d=1024"),
    usual(CHUNKED, "chunked", "t=4096,h=16,hv=64,d=1024"),
    usual(CHUNKED, "serial", "t=4096,h=16,hv=64,d=1024"),
    usual(CHUNKED, "chunked", "t=16384,h=16,hv=64,d=1024"),
    usual(CHUNKED, "serial", "t=16384,h=16,hv=64,d=1024"),
];
