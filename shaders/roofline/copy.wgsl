// out_i = in_i: 32 bytes of traffic per invocation.

@group(0) @binding(0) var<storage, read> in: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    out[id.x] = in[id.x];
}
