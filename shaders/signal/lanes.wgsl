// gathered = Σ_lanes part, over the LANES invocations that share a row: see lib/rows.
fn gathered(part: Signal, lane: vec3<u32>) -> Signal {
    if LANES == 1u {
        return part;
    }
    var s = part;
    s.g = narrow(row_sum(vec4<f32>(s.g), lane));
    if HAS_DIAGONAL {
        s.h = narrow(row_sum(vec4<f32>(s.h), lane));
        for (var r = 0u; r < RANK; r++) {
            s.u[r] = narrow(row_sum(vec4<f32>(s.u[r]), lane));
        }
    }
    return s;
}
