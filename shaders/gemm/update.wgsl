// Gradient and diagonal, scaled by g.scale, are used at once by the optimiser's step, and never stored.

// A row must not be updated twice.
const ONCE: bool = RAGGED;

// The first `valid` of four parameters from `index` on; what stands behind them belongs to nobody, and stays 0.
fn store(index: u32, sums: Sums, valid: u32) {
    let mine = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(valid);
    let nothing = vec4<f32>(0.0);
    let gradient = select(nothing, g.scale * sums[0], mine);
    update(index / 4u, gradient, select(nothing, g.scale * sums[D], mine));
}
