// The signal through a depthwise convolution and the activation below it: each place gathers through the taps that reach
// it; one vec4 an invocation.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        let pixel = divide(i, p.vectors);
        let row = divide(pixel.x, p.image.y);
        let sample = divide(row.x, p.image.x);
        let v = pixel.y;
        let place = vec2<u32>(sample.y, row.y) + p.before;
        let first = sample.x * p.positions.x * p.positions.y;
        var s = Signal();
        for (var r = 0u; r < p.kernel.x; r++) {
            // What is above the first position wraps round to something large.
            let down = place.x - r * p.dilation.x;
            if down % STRIDE.x == 0u && down / STRIDE.x < p.positions.x {
                for (var c = 0u; c < p.kernel.y; c++) {
                    let along = place.y - c * p.dilation.y;
                    if along % STRIDE.y == 0u && along / STRIDE.y < p.positions.y {
                        let q = first + down / STRIDE.x * p.positions.y + along / STRIDE.y;
                        s = gather(s, above_at(q * p.vectors + v), weight4(v, r * p.kernel.y + c));
                    }
                }
            }
        }
        leave(i, s);
    }
}
