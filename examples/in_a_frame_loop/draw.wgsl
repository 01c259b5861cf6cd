// Draws the network's output: a triangle that covers the screen; each pixel is read from the output buffer.

struct Size {
    width: u32,
    height: u32,
    // Screen pixels per picture pixel.
    zoom: u32,
}

@group(0) @binding(0) var<uniform> size: Size;
// Rows of red, green, blue.
@group(0) @binding(1) var<storage, read> picture: array<f32>;

@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
    return vec4f(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn colour(@builtin(position) position: vec4f) -> @location(0) vec4f {
    let at = min(vec2u(position.xy) / size.zoom, vec2u(size.width, size.height) - 1u);
    let first = 3u * (at.y * size.width + at.x);
    return vec4f(picture[first], picture[first + 1u], picture[first + 2u], 1.0);
}
