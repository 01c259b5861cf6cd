// Dropout: s = 1 / (1 - p) where an element is kept, else 0. An element is kept if its random word is at least the threshold.
// The word is pcg4d (Jarzynski & Olano, 2020) of (element, node, step, seed); elements are numbered in row-major [N, C, Q] order.

@group(0) @binding(3) var<storage, read> noise: array<u32>; // seed, step

fn slope(i: u32) -> Value {
    let pixel = divide(i, p.vectors);
    let sample = divide(pixel.x, p.positions);
    let first = (sample.x * p.channels + pixel.y * WIDTH) * p.positions + sample.y;
    let kept = vec4<f32>(
        keep(first),
        keep(first + p.positions),
        keep(first + 2u * p.positions),
        keep(first + 3u * p.positions),
    );
    return narrow(p.scale * kept);
}

fn keep(element: u32) -> f32 {
    return f32(word(element) >= p.threshold);
}

fn word(element: u32) -> u32 {
    return pcg4d(vec4<u32>(element, p.node, noise[1], noise[0])).x;
}
