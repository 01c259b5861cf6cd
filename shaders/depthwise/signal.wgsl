// The signal below a depthwise convolution: place y of the input gathers from the positions q whose tap t covers it,
// y = q·stride + t·dilation - before:
//
//     g[n, y, c] = Σ_t W[c, t] g[n, q, c]      h[n, y, c] = Σ_t W[c, t]² h[n, q, c]      u like g
//
// then through the activation below (signal/leave).

fn each(i: u32) {
    let e = share(i, p.image);
    let sample = e.sample * p.positions.x;
    let corner = e.place + p.before;
    var s = array<Signal, COLUMNS>();
    for (var r = 0u; r < p.kernel.x; r++) {
        // Above the first position this wraps around to a large value.
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
