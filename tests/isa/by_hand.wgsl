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

const BUFFER: u32 = 8u * 128u;

var<workgroup> rows: array<f32, 2u * BUFFER>; // [buffer][k][m]
var<workgroup> columns: array<vec4<f32>, BUFFER / 2u>; // [buffer][k][n]

// An invocation stages four terms of a row, which are turned into a column, and a vec4 of B.
fn put(buffer: u32, lane: u32, of_a: vec4<f32>, of_b: vec4<f32>) {
    let at = buffer * BUFFER + lane % 2u * 512u + lane / 2u;
    rows[at] = of_a.x;
    rows[at + 128u] = of_a.y;
    rows[at + 256u] = of_a.z;
    rows[at + 384u] = of_a.w;
    columns[buffer * BUFFER / 4u + lane] = of_b;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n4 = sizes.n / 4u;
    let x = lane % 16u;
    let y = lane / 16u;
    var from_a = (group.y * 128u + lane / 2u) * (sizes.k / 4u) + lane % 2u;
    var from_b = lane / 32u * n4 + group.x * 32u + lane % 32u;
    var of_a = a[from_a];
    var of_b = b[from_b];
    var sums: array<array<vec4<f32>, 2>, 8>;
    var buffer = 0u;
    put(buffer, lane, of_a, of_b);
    workgroupBarrier();
    let stages = sizes.k / 8u;
    for (var stage = 1u; stage <= stages; stage++) {
        // The last stage fetches itself once more.
        if stage < stages {
            from_a += 2u;
            from_b += 8u * n4;
        }
        of_a = a[from_a];
        of_b = b[from_b];
        for (var step = 0u; step < 8u; step++) {
            let at = buffer * BUFFER + step * 128u;
            let left = columns[at / 4u + x];
            let right = columns[at / 4u + 16u + x];
            for (var i = 0u; i < 8u; i++) {
                let row = vec4<f32>(rows[at + y * 8u + i]);
                sums[i][0] = fma(row, left, sums[i][0]);
                sums[i][1] = fma(row, right, sums[i][1]);
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
