// From the signal (g, h) at the network's input to the table's gradient and Hessian diagonal: a feature is linear in the table, so
//
//     gradient[slot] += w g      diagonal[slot] += w² h
//
// Many points meet in one entry, and WGSL adds only integers atomically. So sums are in units of 1 / UNITS, which also makes them
// independent of the order. One invocation for each point and level.

@group(0) @binding(0) var<storage, read> points: array<vec2f>;
@group(0) @binding(1) var<storage, read> g: array<vec2f>;
@group(0) @binding(2) var<storage, read> h: array<vec2f>;
// Of each entry: two gradients, two diagonals.
@group(0) @binding(3) var<storage, read_write> sums: array<atomic<i32>>;

fn add(at: u32, value: f32) {
    atomicAdd(&sums[at], i32(round(UNITS * clamp(value, -MOST, MOST))));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
    let i = (group.y * groups.x + group.x) * 64u + index;
    if i >= arrayLength(&points) * LEVELS {
        return;
    }
    let here = cell(i % LEVELS, points[i / LEVELS]);
    let gradient = g[i];
    let diagonal = h[i];
    for (var corner = 0u; corner < 4u; corner++) {
        let w = here.weights[corner];
        let first = 4u * here.slots[corner];
        add(first, w * gradient.x);
        add(first + 1u, w * gradient.y);
        add(first + 2u, w * w * diagonal.x);
        add(first + 3u, w * w * diagonal.y);
    }
}
