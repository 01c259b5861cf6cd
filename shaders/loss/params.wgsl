// What every loss kernel is given, and what it writes: values [rows]; the signal in planes, each as the logits lie:
// [batch, outputs, positions].

struct LossParams {
    rows: u32, // samples times positions
    outputs: u32,
    grid_x: u32,
    plane_stride: u32,
    factor: f32, // the reduction's
    smoothing: f32,
    ignore: u32,
    has_ignore: u32,
    positions: u32,
}

@group(0) @binding(0) var<uniform> p: LossParams;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>; // class indices, or numbers by their bits
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> signal: array<f32>;
