// f = f' = f'' = e^a; all three saturate at e^88.72, and are +infinity where a is
fn act(a: f32) -> f32 {
    let infinite = bitcast<u32>(a) == 0x7f800000u;
    return hs_with_nan_of(a, bitcast<f32>(select(bitcast<u32>(hs_exp(a)), bitcast<u32>(a), infinite)));
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(act(a));
}
