// The application's own optimiser of the table: AdaHesScale's rule, or Adam's if CURVED is false (then q = g²).
//
//     m ← β₁ m + (1 - β₁) g      v ← β₂ v + (1 - β₂) q      q = d²      θ ← θ - RATE m̂ / (√v̂ + EPS)
//
// Most entries are met by no point of a batch; they and their moments rest, and each entry counts its own steps for the bias
// corrections. The sums start again from 0. One invocation for each entry.

struct Memory {
    m: vec2f,
    v: vec2f,
    steps: vec2f, // both the same
    unused: vec2f,
}

@group(0) @binding(0) var<storage, read_write> sums: array<vec4i>;
@group(0) @binding(1) var<storage, read_write> memory: array<Memory>;
@group(0) @binding(2) var<storage, read_write> table: array<vec2f>;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.99;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
    let i = (group.y * groups.x + group.x) * 64u + index;
    if i >= arrayLength(&table) || all(sums[i] == vec4i(0)) {
        return;
    }
    let sum = vec4f(sums[i]) / UNITS;
    sums[i] = vec4i(0);
    let q = select(sum.xy, sum.zw, CURVED);
    let before = memory[i];
    let steps = before.steps + 1.0;
    let m = BETA1 * before.m + (1.0 - BETA1) * sum.xy;
    let v = BETA2 * before.v + (1.0 - BETA2) * q * q;
    memory[i] = Memory(m, v, steps, vec2f(0.0));
    let mean = m / (1.0 - pow(vec2f(BETA1), steps));
    let size = sqrt(v / (1.0 - pow(vec2f(BETA2), steps)));
    table[i] -= RATE * mean / (size + EPS);
}
