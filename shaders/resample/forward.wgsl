// z[y, x] = Σ_i Σ_j A[y, i] B[x, j] x[i, j]; one vec4 per invocation.

@group(0) @binding(1) var<storage, read> x: array<vec4<N1>>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<N2>>;

fn each(i: u32) {
    let e = element(i);
    let numbers = numbers_of(e.place);
    var sum = vec4<f32>(0.0);
    for (var row = 0u; row < numbers.count.x; row++) {
        for (var column = 0u; column < numbers.count.y; column++) {
            let pair = vec2<u32>(row, column);
            sum += weight_of(numbers, pair) * vec4<f32>(x[index_at(e, place_of(numbers, pair))]);
        }
    }
    z[i] = vec4<N2>(storable(sum));
}
