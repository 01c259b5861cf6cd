// Two independent products in one dispatch: workgroups below `first` compute the first, the others the second. Both have equally
// many invocations, which each places in rows of its own width.

struct Join {
    first: u32,
    grid_x: u32,
}

@group(0) @binding(0) var<uniform> join: Join;

@compute @workgroup_size(WIDTH, HEIGHT)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = group.y * join.grid_x + group.x;
    if index < join.first {
        main_1(vec3<u32>(index, 0u, 0u), vec3<u32>(lane % WX_1, lane / WX_1, 0u));
    } else {
        main_2(vec3<u32>(index - join.first, 0u, 0u), vec3<u32>(lane % WX_2, lane / WX_2, 0u));
    }
}
