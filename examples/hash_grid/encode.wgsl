// Writes the network's input: each point's features, two a level. One invocation for each point and level.

@group(0) @binding(0) var<storage, read> points: array<vec2f>;
@group(0) @binding(1) var<storage, read> table: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> features: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
    let i = (group.y * groups.x + group.x) * 64u + index;
    if i >= arrayLength(&points) * LEVELS {
        return;
    }
    let here = cell(i % LEVELS, points[i / LEVELS]);
    var sum = vec2f(0.0);
    for (var corner = 0u; corner < 4u; corner++) {
        sum += here.weights[corner] * table[here.slots[corner]];
    }
    features[i] = sum;
}
