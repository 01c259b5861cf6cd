// row_sum(x) = x, row_top(t) = t: what `rows.wgsl` and `row_tops.wgsl` provide, for one lane per row and without barriers.

const RUN: u32 = 64u;

fn row_sum(lane_sum: vec4<f32>, lane: vec3<u32>) -> vec4<f32> {
    return lane_sum;
}

fn row_top(lane_top: Top, lane: vec3<u32>) -> Top {
    return lane_top;
}
