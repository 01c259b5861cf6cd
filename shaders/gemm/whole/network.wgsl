// A network of dense layers as a whole: a workgroup takes a chunk of the batch through all of it, a tile of samples at a time.
//
//     a_l = W_l z_{l-1} + b_l      z_l = act(a_l) or a_l      z_0 the input
//
// What a tile's samples leave lies in `held`, in fours: four samples of one unit side by side, [samples / 4, units]. So one load
// serves four samples; neighbours, which own neighbouring units, read and write neighbouring fours; and where all read the same
// four it is a broadcast. Weights come from the parameters' buffer, each once for four samples.
//
// Every sum runs in order, over k, over o, over the chunk's samples, whatever the tile: as the layers' own kernels sum, so that
// up to a chunk's end the bits are theirs, and the gradient's are the same in every mode.
// Plugs: act; weights4 (parameters); behind (backward | forward_only).
// Grid: a workgroup a chunk, folded into rows of g.grid_x.

struct Layer {
    inputs: u32,
    outputs: u32,
    weight: u32, // in the parameters
    bias: u32, // NO_BIAS: none
    activated: u32,
    x: u32, // in `held`, in fours: the input,
    a: u32, // the activation's input, where it is kept,
    z: u32, // the output,
    g: u32, // the signal's plane 0 at the activation's input,
    rest: u32, // and the planes behind it
    input_lanes: u32, // log₂ of the invocations side by side along the inputs,
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
    flat: u32, // numbers of all parameters, gaps included
    logits: u32, // in the results: the logits,
    losses: u32, // a chunk's loss each,
    sums: u32, // a chunk's sums for the parameters
    held_losses: u32, // in `held`, in fours: a sample's loss each
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

// The samples at hand: where they start in the batch, how many, and in how many fours. All invocations agree.
struct Tile {
    first: u32,
    count: u32,
    fours: u32,
    begins: bool, // a chunk's first,
    ends: bool, // and its last
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

// Invocations as a rectangle, 2^width side by side: the place of one, and the rectangle's height.
fn place_of(lane: u32, width: u32) -> vec2<u32> {
    if INVOCATIONS == NARROWEST {
        return vec2<u32>(lane, 0u); // side by side they all are, and some drivers gain from knowing it
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
    // Rows of a multiple of four are read in vec4s, others one by one.
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
