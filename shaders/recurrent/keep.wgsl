// Stores what the backward pass reads.
@group(0) @binding(5) var<storage, read_write> kept: array<Value>;

fn keep(index: u32, value: Value) {
    kept[index] = value;
}
