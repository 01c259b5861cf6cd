// What limits a step, in what `state.wgsl` leaves free: numbers that the host may rewrite between submissions, then two factors of
// the whole step, which are 1 unless `factor.wgsl` sets them, and UPGD's largest utility.
struct Limits {
    gradient: f32, // most of |g|
    update: f32, // most of |step|
    average: f32, // κ
    gradient_factor: f32,
    step_factor: f32,
}

fn read_limits() -> Limits {
    let a = bitcast<vec4<f32>>(memory.unused[0]);
    let factors = bitcast<vec4<f32>>(memory.unused[2]);
    return Limits(a.x, a.y, a.z, factors.x, factors.y);
}

// How a block of 64 parameters is trained.
struct Block {
    rate: f32, // times the learning rate
    weight_decay: f32,
    trained: f32, // how many of its elements are; the rest is a gap
}

// The blocks follow the moments and the average.
fn block_of(i: u32, vectors: u32) -> Block {
    let words = bitcast<vec4<f32>>(memory.moments[(MOMENTS + u32(AVERAGED)) * vectors + i / 16u]);
    return Block(words.x, words.y, words.z);
}

// Which of four elements are trained: the others are a gap, or frozen.
fn trained(i: u32, vectors: u32) -> vec4<bool> {
    let at = vec4<f32>(f32(4u * (i % 16u))) + vec4<f32>(0.0, 1.0, 2.0, 3.0);
    return at < vec4<f32>(block_of(i, vectors).trained);
}

// clip(x, ±most); what is not finite stays as it is, and is told. It tests bits, as tell_of does.
fn clip(x: vec4<f32>, most: f32) -> vec4<f32> {
    let exponent = vec4<u32>(0x7f800000u);
    let finite = (bitcast<vec4<u32>>(x) & exponent) != exponent;
    return select(x, clamp(x, vec4<f32>(-most), vec4<f32>(most)), finite);
}
