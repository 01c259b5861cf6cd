// Reads the maximum's tap as a word per channel.
@group(0) @binding(3) var<storage, read> taps: array<vec4<u32>>;

fn tap_of(j: u32) -> vec4<u32> {
    return taps[j];
}
