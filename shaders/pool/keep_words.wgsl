// Stores the maximum's tap as a word per channel, for windows of more than 256 elements.
@group(0) @binding(3) var<storage, read_write> taps: array<vec4<u32>>;

fn keep_tap(i: u32, tap: vec4<u32>) {
    taps[i] = tap;
}
