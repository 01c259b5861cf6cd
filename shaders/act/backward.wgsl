// A signal through an activation, from its output to its input, one element per invocation:
//
//     g' = f' g      h' = f'² h + f'' g  (Gauss-Newton: without the f'' term)      u' = f' u      d' = h' + Σ u'²
//
// Planes: 0 g; 1 d; with RANK > 0: 2 h, 3 … u. Without u, d = h. `a` is the activation's input, or its
// output if that determines the derivatives (relu, leaky_relu).

struct ElementwiseParams {
    n: u32,
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
}

@group(0) @binding(0) var<uniform> p: ElementwiseParams;
@group(0) @binding(1) var<storage, read> above: array<N1>;
@group(0) @binding(2) var<storage, read> a: array<N2>;
@group(0) @binding(3) var<storage, read_write> below: array<N3>;

const H: u32 = select(1u, 2u, RANK > 0u);

fn put(at: u32, value: f32) {
    below[at] = N3(storable(vec4<f32>(value)).x);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        let derivatives = act_d(f32(a[i]));
        let g = f32(above[i]);
        put(i, derivatives.x * g);
        if HAS_DIAGONAL {
            var h = derivatives.x * derivatives.x * f32(above[H * p.plane_in + i]);
            if F2_TERM {
                h += derivatives.y * g;
            }
            var d = h;
            for (var j = 0u; j < RANK; j++) {
                let u = derivatives.x * f32(above[(3u + j) * p.plane_in + i]);
                d += u * u;
                put((3u + j) * p.plane_out + i, u);
            }
            put(p.plane_out + i, d);
            if RANK > 0u {
                put(2u * p.plane_out + i, h);
            }
        }
    }
}
