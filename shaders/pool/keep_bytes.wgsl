// Stores the maximum's tap of four channels in one word, a byte each.
@group(0) @binding(3) var<storage, read_write> taps: array<u32>;

fn keep_tap(i: u32, tap: vec4<u32>) {
    taps[i] = tap.x | (tap.y << 8u) | (tap.z << 16u) | (tap.w << 24u);
}
