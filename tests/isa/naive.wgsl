// C = A B with an invocation a sum, straight from storage: what a first attempt looks like. It stands beside the crate's kernels in
// `docs/isa.md`.

struct Sizes {
    m: u32,
    n: u32,
    k: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>; // [m][k]
@group(0) @binding(2) var<storage, read> b: array<f32>; // [k][n]
@group(0) @binding(3) var<storage, read_write> c: array<f32>; // [m][n]

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    if at.y >= sizes.m || at.x >= sizes.n {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < sizes.k; k++) {
        sum = fma(a[at.y * sizes.k + k], b[k * sizes.n + at.x], sum);
    }
    c[at.y * sizes.n + at.x] = sum;
}
