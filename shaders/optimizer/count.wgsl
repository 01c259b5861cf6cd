// Counts a step and computes the bias corrections  m_scale = 1 / (1 - β₁ᵗ),  v_scale = 1 / (1 - β₂ˢ); s counts only the steps
// that update v. This runs on the GPU so that any number of recorded steps may be submitted together.
// 1 - βᵗ = -expm1(t ln β) stays accurate when β is near 1. For one invocation.
fn count_step() {
    let hyper = read_hyper();
    let before = read_counters();
    // Counts saturate instead of wrapping; no correction is left by then.
    let t = max(before.t, before.t + 1u);
    let s = max(before.s, before.s + select(0u, 1u, UPDATE_V));
    // 0 before the first curvature, so that the parameters do not move.
    var v_scale = 0.0;
    if s > 0u {
        v_scale = -1.0 / hs_expm1(f32(s) * hyper.ln_beta2);
    }
    write_counters(Counters(t, s, -1.0 / hs_expm1(f32(t) * hyper.ln_beta1), v_scale));
}
