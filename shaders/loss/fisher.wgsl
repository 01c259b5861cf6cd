// The signal beside g in mode Fisher: u = g, but for the reduction's factor, which its square has once; h = 0; d = u².
fn put_fisher(at: u32, c: u32, g: f32) {
    let u = p.spread * g;
    put(1u, at, c, u * u);
    put(2u, at, c, 0.0);
    put(3u, at, c, u);
}
