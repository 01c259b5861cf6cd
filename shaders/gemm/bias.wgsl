// bias4(n) = b[n .. n + 4]
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn bias4(column: u32) -> vec4<f32> {
    let last = arrayLength(&bias) - 1u; // padding channels have none; any finite value will do
    return vec4<f32>(
        bias[min(column, last)],
        bias[min(column + 1u, last)],
        bias[min(column + 2u, last)],
        bias[min(column + 3u, last)],
    );
}
