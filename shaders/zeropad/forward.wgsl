// z[y] = x[y - before] inside the image, else 0; one vec4 per invocation.

@group(0) @binding(1) var<storage, read> x: array<vec4<N1>>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<N2>>;

fn each(i: u32) {
    let pixel = divide(i, p.vectors);
    let row = divide(pixel.x, p.padded.y);
    let sample = divide(row.x, p.padded.x);
    // Above and left of the image this wraps around to a large value.
    let place = vec2<u32>(sample.y, row.y) - p.before;
    var value = vec4<f32>(0.0);
    if all(place < p.image) {
        let source = (sample.x * p.image.x + place.x) * p.image.y + place.y;
        value = vec4<f32>(x[source * p.vectors + pixel.y]);
    }
    z[i] = vec4<N2>(storable(value));
}
