// θ ← updated(θ, scale · Σ g b, scale · Σ d b²): the optimiser's step uses gradient and diagonal at once; they are never stored.

// All parameters of the model are bound, and their moments in `memory`, the second moments c_plane elements after the first ones.
// The layer's parameters begin at vec4 `first`.
// Plug: updated (optimizer/rule).

@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>;

// A row must not be updated twice.
const ONCE: bool = RAGGED;

fn prepare() {
    take_hyper();
}

// Updates the first `valid` of four parameters from `index` on; the rest is a gap in the flat layout and stays 0.
fn store(index: u32, sums: Sums, valid: u32) {
    let mine = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(valid);
    let nothing = vec4<f32>(0.0);
    let gradient = select(nothing, g.scale * sums[0], mine);
    let diagonal = select(nothing, g.scale * sums[D], mine);
    let i = g.first + index / 4u;
    parameters[i] = updated(Fours(i, g.c_plane / 4u, gradient, diagonal), parameters[i]);
}
