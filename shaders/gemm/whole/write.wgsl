// The parameters, updated at the end.
@group(0) @binding(1) var<storage, read_write> parameters: array<vec4<f32>>;
