// step ← step + 1: counts a backward pass, so that the next one draws new random words. Grid: one invocation.

@group(0) @binding(0) var<storage, read_write> noise: array<u32>; // seed, step

@compute @workgroup_size(1)
fn main() {
    noise[1] += 1u;
}
