// x ← x m + c, repeated on eight independent scalars: measures peak multiply-add throughput.
// One iteration is 8 steps of 8 multiply-adds: 128 floating-point operations.

@group(0) @binding(0) var<storage, read> trips: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = vec4(0.999);
    let c = vec4(f32(id.x & 7u));
    var x = c;
    var y = c + 1.0;
    let n = trips[0];
    for (var i = 0u; i < n; i++) {
        x = x * m + c; y = y * m + c;
        x = x * m + c; y = y * m + c;
        x = x * m + c; y = y * m + c;
        x = x * m + c; y = y * m + c;
        x = x * m + c; y = y * m + c;
        x = x * m + c; y = y * m + c;
        x = x * m + c; y = y * m + c;
        x = x * m + c; y = y * m + c;
    }
    out[id.x] = x + y;
}
