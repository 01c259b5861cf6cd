// A whole network of dense layers: a workgroup takes a chunk of the batch through all layers, a tile of samples at a time.
//
//     a_l = W_l z_{l-1} + b_l      z_l = act(a_l) or a_l      z_0 the input
//
// A tile's values are in `held`, as vec4s of four samples of one unit, [samples / 4, units]. So one load serves four samples,
// neighbours, which own neighbouring units, access neighbouring vec4s, and a vec4 that all read is a broadcast. Weights are read
// from the parameters' buffer, once for four samples.
//
// Sums over k, over o and over the chunk's samples run in order, whatever the tile. The per-layer kernels that are not sliced sum
// in the same order, so within one chunk the bits are equal to theirs, and the gradient has the same bits in every mode. Plugs:
// act; parameters (read | write); behind (backward | forward_only); begin and finish (forward_only | alone | chunked). Grid: one
// workgroup per chunk, folded into rows of g.grid_x.

struct Layer {
    inputs: u32,
    outputs: u32,
    weight: u32, // in the parameters
    bias: u32, // NO_BIAS: none
    activated: u32,
    x: u32, // index in `held`, in vec4s, of the input,
    a: u32, // the activation's input, if kept,
    z: u32, // the output,
    g: u32, // the signal's plane 0 at the activation's input,
    rest: u32, // and its other planes
    input_lanes: u32, // log₂ of the number of invocations along the inputs,
    output_lanes: u32, // along the outputs,
    block_lanes: u32, // along the inputs of blocks of weights
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

struct Network {
    count: u32, // layers
    batch: u32,
    chunk: u32, // samples of a workgroup
    tile: u32, // samples at a time; a multiple of four
    grid_x: u32,
    flat: u32, // length of the flat layout, gaps included
    logits: u32, // index in the results of the logits,
    losses: u32, // the chunks' losses,
    sums: u32, // the chunks' sums for the parameters
    held_losses: u32, // index in `held`, in vec4s, of the samples' losses
    target_len: u32,
    scale: f32, // of gradient and diagonal
    factor: f32, // the loss's reduction
    smoothing: f32,
    ignore: u32,
    has_ignore: u32,
    layers: array<Layer, MOST_LAYERS>,
    class_weights: array<vec4<f32>, MOST_CLASSES / 4u>,
}

const NO_BIAS: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> g: Network;
@group(0) @binding(2) var<storage, read> input: array<f32>;
@group(0) @binding(3) var<storage, read_write> results: array<f32>;

var<workgroup> held: array<f32, HELD>;

// The current samples: the first one's index in the batch, their number, and the number of vec4s. Uniform over the workgroup.
struct Tile {
    first: u32,
    count: u32,
    fours: u32,
    begins: bool, // whether it is the chunk's first,
    ends: bool, // or last tile
}

fn four(i: u32) -> vec4<f32> {
    return vec4<f32>(held[4u * i], held[4u * i + 1u], held[4u * i + 2u], held[4u * i + 3u]);
}

fn hold(i: u32, v: vec4<f32>) {
    held[4u * i] = v.x;
    held[4u * i + 1u] = v.y;
    held[4u * i + 2u] = v.z;
    held[4u * i + 3u] = v.w;
}

// Invocations as a rectangle of 2^width columns: an invocation's place, and the rectangle's height.
fn place_of(lane: u32, width: u32) -> vec2<u32> {
    if INVOCATIONS == NARROWEST {
        return vec2<u32>(lane, 0u); // all are in one row, and some drivers generate better code knowing it
    }
    return vec2<u32>(lane & ((1u << width) - 1u), lane >> width);
}

fn height(width: u32) -> u32 {
    return INVOCATIONS >> width;
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let chunk = group.y * g.grid_x + group.x;
    let end = min((chunk + 1u) * g.chunk, g.batch);
    begin(chunk, lane);
    for (var at = chunk * g.chunk; at < end; at += g.tile) {
        let count = min(g.tile, end - at);
        let tile = Tile(at, count, (count + 3u) / 4u, at == chunk * g.chunk, at + count == end);
        load(tile, lane);
        workgroupBarrier();
        for (var l = 0u; l < g.count; l++) {
            forward(l, tile, lane);
            workgroupBarrier();
        }
        behind(tile, chunk, lane);
    }
    finish(chunk, lane);
}

fn load(tile: Tile, lane: u32) {
    let inputs = g.layers[0].inputs;
    let width = g.layers[0].input_lanes;
    let place = place_of(lane, width);
    for (var n = place.y; n < tile.fours; n += height(width)) {
        for (var k = place.x; k < inputs; k += 1u << width) {
            let x = vec4<f32>(
                input_at(tile, 4u * n, k),
                input_at(tile, 4u * n + 1u, k),
                input_at(tile, 4u * n + 2u, k),
                input_at(tile, 4u * n + 3u, k),
            );
            hold(g.layers[0].x + n * inputs + k, x);
        }
    }
}

// Samples past the last are zeros.
fn input_at(tile: Tile, n: u32, k: u32) -> f32 {
    if n < tile.count {
        return input[(tile.first + n) * g.layers[0].inputs + k];
    }
    return 0.0;
}

fn forward(l: u32, tile: Tile, lane: u32) {
    let layer = g.layers[l];
    let place = place_of(lane, layer.output_lanes);
    // Rows whose length is a multiple of four are read in vec4s, others by scalars.
    let vectors = select(0u, layer.inputs, layer.inputs % 4u == 0u);
    for (var n = place.y; n < tile.fours; n += height(layer.output_lanes)) {
        for (var o = place.x; o < layer.outputs; o += 1u << layer.output_lanes) {
            let row = layer.weight + o * layer.inputs;
            let x = layer.x + n * layer.inputs;
            var a = vec4<f32>(0.0);
            for (var k = 0u; k < vectors; k += 4u) {
                let w = parameters[(row + k) / 4u];
                a = fma(four(x + k), vec4<f32>(w.x), a);
                a = fma(four(x + k + 1u), vec4<f32>(w.y), a);
                a = fma(four(x + k + 2u), vec4<f32>(w.z), a);
                a = fma(four(x + k + 3u), vec4<f32>(w.w), a);
            }
            for (var k = vectors; k < layer.inputs; k++) {
                a = fma(four(x + k), vec4<f32>(weight(row + k)), a);
            }
            if layer.bias != NO_BIAS {
                a += vec4<f32>(weight(layer.bias + o));
            }
            let at = n * layer.outputs + o;
            var z = a;
            if layer.activated != 0u {
                if KEEP {
                    hold(layer.a + at, a);
                }
                z = vec4<f32>(act(a.x), act(a.y), act(a.z), act(a.w));
            }
            hold(layer.z + at, z);
            if l + 1u == g.count {
                for (var j = 0u; j < min(4u, tile.count - 4u * n); j++) {
                    results[g.logits + (tile.first + 4u * n + j) * layer.outputs + o] = z[j];
                }
            }
        }
    }
}

fn weight(i: u32) -> f32 {
    return parameters[i / 4u][i % 4u];
}
