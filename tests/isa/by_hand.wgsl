// C = A B as one would write it by hand for a GPU: a workgroup has 128 x 128 sums, an invocation 8 x 8, eight steps along k are staged
// at a time, twice buffered, and fetched a stage ahead. All sizes are multiples of the tile's. It stands beside the crate's kernels in
// `docs/isa.md`, which shows what their generality costs.

struct Sizes {
    m: u32,
    n: u32,
    k: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // [m][k]
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>; // [k][n]
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>; // [m][n]

var<workgroup> rows: array<vec4<f32>, 2 * 8 * 32>; // [buffer][k][m]
var<workgroup> columns: array<vec4<f32>, 2 * 8 * 32>; // [buffer][k][n]

// Four rows by one column of four terms: what an invocation stages of A is turned on the way, so 64 invocations have it.
fn put(buffer: u32, lane: u32, of_a: mat4x4<f32>, of_b: vec4<f32>) {
    if lane < 64u {
        let turned = transpose(of_a);
        for (var s = 0u; s < 4u; s++) {
            rows[(buffer * 8u + lane / 32u * 4u + s) * 32u + lane % 32u] = turned[s];
        }
    }
    columns[(buffer * 8u + lane / 32u) * 32u + lane % 32u] = of_b;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let k4 = sizes.k / 4u;
    let n4 = sizes.n / 4u;
    let x = lane % 16u;
    let y = lane / 16u;
    var from_a = (group.y * 128u + lane % 32u * 4u) * k4 + lane / 32u % 2u;
    var from_b = lane / 32u * n4 + group.x * 32u + lane % 32u;
    var sums: array<array<vec4<f32>, 2>, 8>;
    var of_a = mat4x4<f32>(a[from_a], a[from_a + k4], a[from_a + 2u * k4], a[from_a + 3u * k4]);
    var of_b = b[from_b];
    put(0u, lane, of_a, of_b);
    workgroupBarrier();
    var buffer = 0u;
    let stages = sizes.k / 8u;
    for (var stage = 1u; stage <= stages; stage++) {
        // The last stage fetches itself once more.
        if stage < stages {
            from_a += 2u;
            from_b += 8u * n4;
        }
        if lane < 64u {
            of_a = mat4x4<f32>(a[from_a], a[from_a + k4], a[from_a + 2u * k4], a[from_a + 3u * k4]);
        }
        of_b = b[from_b];
        for (var step = 0u; step < 8u; step++) {
            let at = (buffer * 8u + step) * 32u;
            let left = columns[at + x];
            let right = columns[at + 16u + x];
            for (var half = 0u; half < 2u; half++) {
                let four = rows[at + 2u * y + half];
                for (var s = 0u; s < 4u; s++) {
                    let i = half * 4u + s;
                    sums[i][0] = fma(vec4<f32>(four[s]), left, sums[i][0]);
                    sums[i][1] = fma(vec4<f32>(four[s]), right, sums[i][1]);
                }
            }
        }
        buffer = 1u - buffer;
        put(buffer, lane, of_a, of_b);
        workgroupBarrier();
    }
    for (var i = 0u; i < 8u; i++) {
        let at = (group.y * 128u + y * 8u + i) * n4 + group.x * 32u + x;
        c[at] = sums[i][0];
        c[at + 16u] = sums[i][1];
    }
}
