// z = f(a), one element per invocation.

@group(0) @binding(1) var<storage, read> a: array<N1>;
@group(0) @binding(2) var<storage, read_write> z: array<N2>;

fn each(i: u32) {
    z[i] = N2(storable(vec4<f32>(act(f32(a[i])))).x);
}
