// Reports a non-finite value to the host. It tests bits, because compilers may evaluate comparisons with NaN either way.
fn tell_of(written: vec4<f32>) {
    let exponent = vec4<u32>(0x7f800000u);
    if any((bitcast<vec4<u32>>(written) & exponent) == exponent) {
        atomicMax(&memory.diverged, FIRST_STEP - min(counters.t, FIRST_STEP - 1u));
    }
}
