// A depthwise convolution and the activation that follows it, one vec4 an invocation:
//
//     a[n, q, c] = Σ_t W[c, t] x[n, q·stride + t·dilation - before, c] + b[c]        z = act(a)
//
// Plane 0 of `z` gets z; plane 1 gets a, where KEEP says that the backward pass needs it. Plug: bias4.

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> z: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        let pixel = divide(i, p.vectors);
        let row = divide(pixel.x, p.positions.y);
        let sample = divide(row.x, p.positions.x);
        let v = pixel.y;
        let first = sample.x * p.image.x * p.image.y;
        // Above and left of the image this wraps round to something large.
        let corner = vec2<u32>(sample.y, row.y) * STRIDE - p.before;
        var sum = bias4(v);
        for (var r = 0u; r < p.kernel.x; r++) {
            let down = corner.x + r * p.dilation.x;
            if down < p.image.x {
                for (var c = 0u; c < p.kernel.y; c++) {
                    let along = corner.y + c * p.dilation.y;
                    if along < p.image.y {
                        let source = (first + down * p.image.y + along) * p.vectors + v;
                        sum += weight4(v, r * p.kernel.y + c) * x[source];
                    }
                }
            }
        }
        z[i] = vec4<f32>(act(sum.x), act(sum.y), act(sum.z), act(sum.w));
        if KEEP {
            z[p.plane_out + i] = sum;
        }
    }
}
