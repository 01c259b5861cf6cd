// z = max x over each window, and the tap (the window's element number) of the maximum, the first in row-major order among equals.
// NaN counts as larger than any number and equal to itself. ROWS results per workgroup, LANES invocations per result. Plugs:
// windows, keep_tap.

@group(0) @binding(1) var<storage, read> x: array<vec4<N1>>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<N2>>;

struct Largest {
    value: vec4<f32>,
    tap: vec4<u32>,
}

var<workgroup> tops: array<Largest, LANES * ROWS>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let i = min(item, p.n - 1u);
    let e = element(i, POSITIONS, IMAGE);
    let first = first_place(e.place);
    let size = end_place(e.place) - first;
    let origin = first + BEFORE - e.place * STRIDE; // first place inside the image, relative to the window
    let corner = e.sample + (first.x * IMAGE.y + first.y) * VECTORS + e.vector;

    // Every lane starts with the first place, so that it has a valid candidate.
    var top = Largest(vec4<f32>(x[corner]), vec4<u32>(origin.x * KERNEL.y + origin.y));
    var w = walk(lane.x, size.y);
    for (var t = lane.x; t < size.x * size.y; t += LANES) {
        let value = vec4<f32>(x[corner + (w.at.x * IMAGE.y + w.at.y) * VECTORS]);
        let tap = vec4<u32>((origin.x + w.at.x) * KERNEL.y + origin.y + w.at.y);
        let higher = above(value, top.value);
        top = Largest(select(top.value, value, higher), select(top.tap, tap, higher));
        advance(&w);
    }
    top = highest(top, lane);
    if item < p.n && lane.x == 0u {
        z[i] = vec4<N2>(storable(top.value));
        keep_tap(i, top.tap);
    }
}

// a > b. NaN is detected by its bits, because compilers may evaluate comparisons with it either way.
fn above(a: vec4<f32>, b: vec4<f32>) -> vec4<bool> {
    return !are_nan(b) & (are_nan(a) | (a > b));
}

fn are_nan(x: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

fn highest(lane_top: Largest, lane: vec3<u32>) -> Largest {
    if LANES == 1u {
        return lane_top;
    }
    let mine = lane.y * LANES + lane.x;
    tops[mine] = lane_top;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane.x < half {
            let a = tops[mine];
            let b = tops[mine + half];
            let other = above(b.value, a.value) | (!above(a.value, b.value) & (b.tap < a.tap));
            tops[mine] = Largest(select(a.value, b.value, other), select(a.tap, b.tap, other));
        }
    }
    workgroupBarrier();
    return tops[lane.y * LANES];
}
