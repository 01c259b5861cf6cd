// Counts a step, and what corrects the moments' bias then:  m_scale = 1 / (1 - β₁ᵗ),  v_scale = 1 / (1 - β₂ˢ),
// s counting only the steps on which v moves. On the GPU, so that any number of recorded steps may be submitted together.
// 1 - βᵗ = -expm1(t ln β) keeps its digits when β is near 1. Grid: one invocation.

@group(0) @binding(0) var<storage, read> hyper: Hyper;
@group(0) @binding(1) var<storage, read_write> counters: Counters;

@compute @workgroup_size(1)
fn main() {
    let t = counters.t + 1u;
    var s = counters.s;
    if UPDATE_V {
        s += 1u;
    }
    counters.t = t;
    counters.s = s;
    counters.m_scale = -1.0 / hs_expm1(f32(t) * hyper.ln_beta1);
    // 0 until there has been curvature: the parameters rest then.
    counters.v_scale = 0.0;
    if s > 0u {
        counters.v_scale = -1.0 / hs_expm1(f32(s) * hyper.ln_beta2);
    }
}
