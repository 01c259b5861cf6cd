// t ← t + 1: counts a step in a dispatch of its own, see `count.wgsl`. Grid: one invocation.

@compute @workgroup_size(1)
fn main() {
    count_step();
}
