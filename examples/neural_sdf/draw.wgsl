// Draws where `distance` is 0: a ray for each pixel goes on by the distance to the surface until it is there (sphere tracing, Hart,
// 1996). Joined to it are `const SIZE: vec2<f32>`, the frame's, and `fn distance(p: vec3<f32>) -> f32`.

const STEPS: u32 = 64;
const EYE: vec3<f32> = vec3(1.5, 1.25, 1.9);

@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    return vec4(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn colour(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let at = (2.0 * position.xy - SIZE) / SIZE.y;
    let forward = normalize(-EYE);
    let right = normalize(cross(forward, vec3(0.0, 1.0, 0.0)));
    let ray = normalize(2.3 * forward + at.x * right - at.y * cross(right, forward));

    // The part of the ray within the cube from -1 to 1, where the network has learnt.
    let near = (-sign(ray) - EYE) / ray;
    let far = (sign(ray) - EYE) / ray;
    let end = min(far.x, min(far.y, far.z));
    var t = max(near.x, max(near.y, near.z));
    var d = 1.0;
    for (var step = 0u; step < STEPS && t < end && d > 0.001; step++) {
        d = distance(EYE + t * ray);
        t += 0.9 * d;
    }
    if d > 0.01 || t >= end {
        return vec4(vec3(0.93), 1.0);
    }

    // The gradient by differences between the corners of a tetrahedron.
    let p = EYE + t * ray;
    var gradient = vec3(0.0);
    for (var i = 0u; i < 4u; i++) {
        let corner = vec3(f32(i & 1u), f32((i >> 1u) & 1u), f32((i ^ (i >> 1u)) & 1u)) * 2.0 - 1.0;
        gradient += corner * distance(p + 0.004 * corner);
    }
    let light = max(dot(normalize(gradient), normalize(vec3(0.3, 1.0, 0.5))), 0.0);
    return vec4(vec3(0.15, 0.2, 0.3) + light * vec3(0.8, 0.6, 0.35), 1.0);
}
