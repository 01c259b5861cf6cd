// shown = scale · signal: a signal's planes in f32 without the loss scale. One element of every plane per invocation.

struct ShowParams {
    n: u32, // elements of a plane
    grid_x: u32,
    planes: u32,
    plane_in: u32,
    plane_out: u32,
    scale: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: ShowParams;
@group(0) @binding(1) var<storage, read> signal: array<N1>;
@group(0) @binding(2) var<storage, read_write> shown: array<f32>;

fn each(i: u32) {
    for (var plane = 0u; plane < p.planes; plane++) {
        shown[plane * p.plane_out + i] = p.scale * f32(signal[plane * p.plane_in + i]);
    }
}
