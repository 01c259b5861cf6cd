// x = x · a + b over vec4s: measures a device's peak multiply-add throughput. 32 multiply-adds per round, in eight independent
// chains.
//
// 2 · 4 · 32 · ROUNDS floating-point operations per invocation.

@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;

const ROUNDS: u32 = 1024u;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let a = vec4<f32>(0.999) + vec4<f32>(f32(id.x & 1u) * 1e-4);
    let b = vec4<f32>(1e-3);
    var x: array<vec4<f32>, 8>;
    for (var i = 0u; i < 8u; i++) {
        x[i] = vec4<f32>(f32(id.x + i));
    }
    for (var round = 0u; round < ROUNDS; round++) {
        for (var again = 0u; again < 4u; again++) {
            for (var i = 0u; i < 8u; i++) {
                x[i] = fma(x[i], a, b);
            }
        }
    }
    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < 8u; i++) {
        sum += x[i];
    }
    out[id.x] = sum;
}
