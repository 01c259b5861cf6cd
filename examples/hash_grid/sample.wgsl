// Samples a batch: random pixels' centres in [0, 1]², and their colours as the network's targets.

@group(0) @binding(0) var photo: texture_2d<f32>;
// One random generator (PCG) per sample.
@group(0) @binding(1) var<storage, read_write> random: array<u32>;
@group(0) @binding(2) var<storage, read_write> points: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> colours: array<f32>;

fn drawn(sample: u32) -> u32 {
    let state = random[sample] * 747796405u + 2891336453u;
    random[sample] = state;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let sample = id.x;
    if sample >= arrayLength(&random) {
        return;
    }
    let size = textureDimensions(photo);
    let pixel = drawn(sample) % (size.x * size.y);
    let at = vec2u(pixel % size.x, pixel / size.x);
    let colour = textureLoad(photo, at, 0);
    points[sample] = (vec2f(at) + 0.5) / vec2f(size);
    for (var channel = 0u; channel < 3u; channel++) {
        colours[3u * sample + channel] = colour[channel];
    }
}
