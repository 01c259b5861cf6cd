// Reduces a layer's partial sums to its gradient and Hessian diagonal, one element per invocation:
//
//     gradient[e] = Σ_parts g        diagonal[e] = Σ_parts h + Σ_samples Σ_j (Σ_(parts of the sample) u_j)²
//
// Component i (0: g, 1: h, 2…: u) of part s is at packed_index(e) of plane s · NUMBERS + i. The results are scaled, and added to
// the stored values if ACCUMULATE. Weight and bias are two ranges of the flat layout.

struct UnpackParams {
    packing: Packing,
    grid_x: u32,
    plane: u32,
    splits: u32,
    parts: u32, // of one sample; 1 where u has been squared already
    bias: u32, // where the bias starts in the flat layout, counted from the weight
    scale: f32,
    n: u32, // elements of weight and bias
    unused: u32,
}

@group(0) @binding(0) var<uniform> p: UnpackParams;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

fn each(x: u32) {
    // There are more reads than writes, so those are side by side.
    let e = in_packed_order(p.packing, x);
    let at = packed_index(p.packing, e);
    var g = 0.0;
    var d = 0.0;
    for (var first = 0u; first < p.splits; first += p.parts) {
        var u = array<f32, NUMBERS>();
        for (var part = first; part < first + p.parts; part++) {
            for (var number = 0u; number < NUMBERS; number++) {
                u[number] += sums[(part * NUMBERS + number) * p.plane + at];
            }
        }
        g += u[0];
        if HAS_DIAGONAL {
            d += u[min(1u, NUMBERS - 1u)];
            for (var number = 2u; number < NUMBERS; number++) {
                d += u[number] * u[number];
            }
        }
    }
    let out = select(e, p.bias + (e - p.packing.elements), e >= p.packing.elements);
    if ACCUMULATE {
        gradient[out] += p.scale * g;
    } else {
        gradient[out] = p.scale * g;
    }
    write_diagonal(out, p.scale * d);
}
