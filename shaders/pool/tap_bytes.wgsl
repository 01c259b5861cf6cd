// Reads the maximum's tap of four channels from one word, a byte each.
@group(0) @binding(3) var<storage, read> taps: array<u32>;

fn tap_of(j: u32) -> vec4<u32> {
    return (vec4<u32>(taps[j]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u);
}
