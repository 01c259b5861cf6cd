// Counts a step by itself: see `count.wgsl`. Grid: one invocation.

@compute @workgroup_size(1)
fn main() {
    count_step();
}
