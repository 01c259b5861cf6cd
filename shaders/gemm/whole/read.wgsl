// The parameters, read-only.
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
