// The signal through a depthwise convolution and the activation below it: each place gathers through the taps that reach it.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        let e = share(i, p.image);
        let sample = e.sample * p.positions.x;
        let corner = e.place + p.before;
        var s = array<Signal, COLUMNS>();
        for (var r = 0u; r < p.kernel.x; r++) {
            // What is above the first position wraps round to something large.
            let down = corner.x - r * p.dilation.x;
            let row = down / STRIDE.x;
            if row * STRIDE.x == down && row < p.positions.x {
                for (var c = 0u; c < p.kernel.y; c++) {
                    let w = weight4(e.vector, r * p.kernel.y + c);
                    for (var k = 0u; k < COLUMNS; k++) {
                        let along = corner.y + k - c * p.dilation.y;
                        let column = along / STRIDE.y;
                        if column * STRIDE.y == along && column < p.positions.y {
                            let j = ((sample + row) * p.positions.y + column) * p.vectors + e.vector;
                            s[k] = gather(s[k], above_at(j), w);
                        }
                    }
                }
            }
        }
        let row = e.sample * p.image.x + e.place.x;
        for (var k = 0u; k < COLUMNS; k++) {
            if e.place.y + k < p.image.y {
                leave((row * p.image.y + e.place.y + k) * p.vectors + e.vector, s[k]);
            }
        }
    }
}
