// Four random words of four: the hash pcg4d (Jarzynski & Olano, 2020), of (element, node, step, seed) wherever this library draws.

fn pcg4d(key: vec4<u32>) -> vec4<u32> {
    let v = mixed(key * 1664525u + 1013904223u);
    return mixed(v ^ (v >> vec4<u32>(16u)));
}

fn mixed(word: vec4<u32>) -> vec4<u32> {
    var v = word;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}
