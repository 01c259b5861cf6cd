// What selects rows: the network's input.
@group(0) @binding(X_BINDING) var<storage, read> x: array<f32>;
