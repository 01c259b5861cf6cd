// A depthwise convolution and the following activation:
//
//     a[n, q, c] = Σ_t W[c, t] x[n, q·stride + t·dilation - before, c] + b[c]        z = act(a)
//
// Plane 0 of `z` stores z; plane 1 stores a if the backward pass needs it (KEEP). Plug: bias4.

@group(0) @binding(1) var<storage, read> x: array<vec4<N1>>;
@group(0) @binding(3) var<storage, read_write> z: array<vec4<N3>>;

fn each(i: u32) {
    let e = share(i, p.positions);
    let sample = e.sample * p.image.x;
    // Above and left of the image this wraps around to a large value.
    let corner = e.place * STRIDE - p.before;
    var sums: array<vec4<f32>, COLUMNS>;
    for (var r = 0u; r < p.kernel.x; r++) {
        let row = corner.x + r * p.dilation.x;
        if row < p.image.x {
            for (var c = 0u; c < p.kernel.y; c++) {
                let w = weight4(e.vector, r * p.kernel.y + c);
                for (var k = 0u; k < COLUMNS; k++) {
                    let column = corner.y + k * STRIDE.y + c * p.dilation.y;
                    if column < p.image.y {
                        let at = ((sample + row) * p.image.y + column) * p.vectors + e.vector;
                        sums[k] += w * vec4<f32>(x[at]);
                    }
                }
            }
        }
    }
    let bias = bias4(e.vector);
    let row = e.sample * p.positions.x + e.place.x;
    for (var k = 0u; k < COLUMNS; k++) {
        if e.place.y + k < p.positions.y {
            let to = (row * p.positions.y + e.place.y + k) * p.vectors + e.vector;
            let a = sums[k] + bias;
            z[to] = vec4<N3>(storable(vec4<f32>(act(a.x), act(a.y), act(a.z), act(a.w))));
            if KEEP {
                z[p.plane_out + to] = vec4<N3>(storable(a));
            }
        }
    }
}
