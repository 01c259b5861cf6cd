// step = (g + ξ) (1 - σ(U / max U)),  ξ = eps · normal: `utility.wgsl` has moved U, and `factor.wgsl` has left max U, 0 where none
// is positive, where all count as 0. beta1 is U's β.
fn step_of(four: Fours) -> vec4<f32> {
    let largest = bitcast<f32>(memory.unused[2].z);
    var ratio = vec4<f32>(0.0);
    if largest >= 1.17549435e-38 {
        ratio = clamp(first_moment(four.i) / largest, vec4<f32>(-80.0), vec4<f32>(1.0));
    }
    let share = vec4<f32>(
        hs_sigmoid(-ratio.x),
        hs_sigmoid(-ratio.y),
        hs_sigmoid(-ratio.z),
        hs_sigmoid(-ratio.w),
    );
    // A gap stays as it is.
    let noise = select(vec4<f32>(0.0), normals(four.i), trained(four.i, four.vectors));
    let taken = share * (four.g + hyper.eps * noise);
    return taken * select(0.0, 1.0, counters.s > 0u);
}

// Four normal numbers by Box and Muller: `Noise::normals` of the seed, the step and PARAMETERS.
const PARAMETERS: u32 = 0xffffffffu;

fn normals(i: u32) -> vec4<f32> {
    let seed = memory.unused[0].w;
    let unit = vec4<f32>(pcg4d(vec4<u32>(i, PARAMETERS, counters.t, seed)) >> vec4<u32>(8u)) / 16777216.0;
    return vec4<f32>(pair(unit.xy), pair(unit.zw));
}

fn pair(unit: vec2<f32>) -> vec2<f32> {
    let radius = sqrt(-2.0 * hs_log(unit.x + 5.9604644775390625e-8));
    return radius * hs_sin_cos(6.28318530718 * unit.y).yx;
}
