const TM: u32 = 1u;
const V: u32 = 1u;
const WX: u32 = 8u;
const WY: u32 = 8u;
const SLICES: u32 = 1u;
const P: u32 = 1u;
const KEPT: u32 = 1u;
const TAPS: u32 = 1u;
const LONG: bool = false;
const RUN: u32 = 1024u;
const JOINT: bool = false;
const SUM_ROWS: u32 = 1u;
const SUM_VECTORS: u32 = 1u;
const KEEP: bool = false;
// gemm/gemm.wgsl
// gemm/out_vec4.wgsl
// gemm/hold_out.wgsl
// gemm/sliced.wgsl
// gemm/walk_dense.wgsl
// gemm/forward.wgsl
// gemm/a_k.wgsl
// gemm/b_k.wgsl
// gemm/a_vec4.wgsl
// gemm/b_vec4.wgsl
// gemm/bias.wgsl
// act/fn/relu.wgsl
// lib/math.wgsl
// lib/store_exact.wgsl
