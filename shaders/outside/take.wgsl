// The signal at the outputs as the host left it, with s the loss's scale:
//
//     g' = s g      h' = s h      u' = √s u      d' = h' + Σ u'²
//
// One value of every plane per invocation.

struct TakeParams {
    n: u32, // values of a plane
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
    scale: f32,
    root: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: TakeParams;

fn each(i: u32) {
    var s = above_at(i);
    s.g *= p.scale;
    if HAS_DIAGONAL {
        s.h *= p.scale;
        for (var r = 0u; r < RANK; r++) {
            s.u[r] *= p.root;
        }
    }
    leave(i, s);
}
