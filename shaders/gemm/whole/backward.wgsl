// The backward pass: the loss, then for each layer the parameters' sums and the signal below it:
//
//     gradient W[o, i] = Σ_n g[n, o] x[n, i]        gradient b[o] = Σ_n g[n, o]
//     diagonal W[o, i] = Σ_n d[n, o] x[n, i]²       diagonal b[o] = Σ_n d[n, o]
//
//     g' = f' Σ_o g[n, o] W[o, i]                   u' = f' Σ_o u[n, o] W[o, i]
//     h' = f'² Σ_o h[n, o] W[o, i]² + f'' Σ_o g[n, o] W[o, i]         (Gauss-Newton: without the f'' term)
//
// Planes of a signal: 0 g; 1 d = h + Σ u²; with u: 2 h, 3 … u. P components go through a layer: g; h; u. A layer's g overwrites its
// activation's input (or output); the other planes have their own place.
// Plugs: loss_of_row; leave, begin and finish (alone | chunked).

@group(0) @binding(4) var<storage, read> targets: array<u32>; // class indices, or the bits of f32 targets

alias Value = vec4<f32>;

const HAS_D: bool = P > 1u;

// The loss's parameters, under the name that its files use, and the tile's first sample.
var<private> p: LossParams;
var<private> first_sample: u32;
// The chunk's loss so far, in invocation 0.
var<private> loss: f32;

fn behind(tile: Tile, chunk: u32, lane: u32) {
    losses(tile, lane);
    workgroupBarrier();
    if lane == 0u {
        for (var n = 0u; n < tile.count; n++) {
            loss += held[4u * g.held_losses + n];
        }
    }
    let top = g.count - 1u;
    if g.layers[top].activated != 0u {
        bend_top(tile, lane);
        workgroupBarrier();
    }
    for (var down = 0u; down < g.count; down++) {
        let l = top - down;
        weights_of(l, tile, chunk, lane);
        biases_of(l, tile, chunk, lane);
        workgroupBarrier();
        if l > 0u {
            descend(l, tile, lane);
            workgroupBarrier();
        }
    }
}

// ---- The loss: one sample per invocation ----

fn losses(tile: Tile, lane: u32) {
    let outputs = g.layers[g.count - 1u].outputs;
    p = LossParams(g.batch, outputs, 1u, 0u, g.factor, g.smoothing, g.ignore, g.has_ignore, 1u, 1.0);
    first_sample = tile.first;
    for (var n = lane; n < 4u * tile.fours; n += INVOCATIONS) {
        if n < tile.count {
            held[4u * g.held_losses + n] = loss_of_row(n, true, vec3<u32>(0u));
        } else {
            // Samples past the last contribute nothing to any sum.
            for (var o = 0u; o < outputs; o++) {
                for (var plane = 0u; plane < PLANES; plane++) {
                    put(plane, n, o, 0.0);
                }
            }
        }
    }
}

fn row_at(n: u32) -> u32 {
    return n;
}

fn element(at: u32, c: u32) -> u32 {
    return at * p.outputs + c;
}

fn logit(at: u32, c: u32) -> f32 {
    return held[4u * (g.layers[g.count - 1u].z + at / 4u * p.outputs + c) + at % 4u];
}

fn target_bits(i: u32) -> u32 {
    return targets[first_sample * g.target_len + i];
}

fn put(plane: u32, at: u32, c: u32, value: f32) {
    held[4u * (plane_at(g.count - 1u, plane) + at / 4u * p.outputs + c) + at % 4u] = value;
}

fn look(plane: u32, at: u32, c: u32) -> f32 {
    return held[4u * (plane_at(g.count - 1u, plane) + at / 4u * p.outputs + c) + at % 4u];
}


// ---- Signals ----

fn plane_at(l: u32, plane: u32) -> u32 {
    if plane == 0u {
        return g.layers[l].g;
    }
    return g.layers[l].rest + (plane - 1u) * g.layers[l].outputs * (g.tile / 4u);
}

// The plane from which component i is propagated: h is in plane 2 if there are u.
fn source(i: u32) -> u32 {
    return select(i, i + 1u, P > 2u && i > 0u);
}

alias Numbers = array<vec4<f32>, P>;

// The signal through layer l and the activation of the layer below.
fn descend(l: u32, tile: Tile, lane: u32) {
    let layer = g.layers[l];
    let place = place_of(lane, layer.input_lanes);
    for (var n = place.y; n < tile.fours; n += height(layer.input_lanes)) {
        for (var i = place.x; i < layer.inputs; i += 1u << layer.input_lanes) {
            var sums = Numbers();
            let whole = layer.outputs / 4u * 4u;
            for (var o = 0u; o < whole; o += 4u) {
                pass_on(&sums, l, n, o, i);
                pass_on(&sums, l, n, o + 1u, i);
                pass_on(&sums, l, n, o + 2u, i);
                pass_on(&sums, l, n, o + 3u, i);
            }
            for (var o = whole; o < layer.outputs; o++) {
                pass_on(&sums, l, n, o, i);
            }
            bend(l - 1u, n * layer.inputs + i, &sums);
        }
    }
}

fn pass_on(sums: ptr<function, Numbers>, l: u32, n: u32, o: u32, i: u32) {
    let w = weight(g.layers[l].weight + o * g.layers[l].inputs + i);
    let at = n * g.layers[l].outputs + o;
    for (var number = 0u; number < P; number++) {
        let through = select(w, w * w, number == 1u);
        (*sums)[number] = fma(four(plane_at(l, source(number)) + at), vec4<f32>(through), (*sums)[number]);
    }
}

// The loss's signal through the last layer's activation.
fn bend_top(tile: Tile, lane: u32) {
    let top = g.count - 1u;
    for (var at = lane; at < tile.fours * g.layers[top].outputs; at += INVOCATIONS) {
        var numbers = Numbers();
        for (var number = 0u; number < P; number++) {
            numbers[number] = four(plane_at(top, source(number)) + at);
        }
        bend(top, at, &numbers);
    }
}

// Turns the signal at a layer's output into the one at its activation's input, and stores it.
fn bend(l: u32, at: u32, numbers: ptr<function, Numbers>) {
    var f = Derivatives(vec4<f32>(1.0), vec4<f32>(0.0));
    if g.layers[l].activated != 0u {
        f = derivatives_at(four(select(g.layers[l].z, g.layers[l].a, KEEP) + at));
    }
    let at_output = (*numbers)[0];
    hold(plane_at(l, 0u) + at, f.first * at_output);
    if HAS_D {
        let h = h_below(f, at_output, (*numbers)[min(1u, P - 1u)]);
        var d = h;
        for (var number = P - 1u; number > 1u; number--) {
            let u = f.first * (*numbers)[number];
            d += u * u;
            hold(plane_at(l, number + 1u) + at, u);
        }
        hold(plane_at(l, 1u) + at, d);
        if P > 2u {
            hold(plane_at(l, 2u) + at, h);
        }
    }
}

// ---- Parameters: blocks of four outputs times four inputs, the inputs a width apart ----

fn weights_of(l: u32, tile: Tile, chunk: u32, lane: u32) {
    let layer = g.layers[l];
    let width = 1u << layer.block_lanes;
    let place = place_of(lane, layer.block_lanes);
    let last = layer.inputs - 1u;
    for (var o = 4u * place.y; o < layer.outputs; o += 4u * height(layer.block_lanes)) {
        let rows = min(vec4<u32>(o, o + 1u, o + 2u, o + 3u), vec4<u32>(layer.outputs - 1u));
        for (var i = place.x; i < layer.inputs; i += 4u * width) {
            let columns = min(vec4<u32>(i, i + width, i + 2u * width, i + 3u * width), vec4<u32>(last));
            var gradient_sums = mat4x4<f32>();
            var diagonal_sums = mat4x4<f32>();
            if !tile.begins {
                gradient_sums = resume_block(0u, chunk, layer, o, i);
                if HAS_D {
                    diagonal_sums = resume_block(1u, chunk, layer, o, i);
                }
            }
            for (var n = 0u; n < tile.fours; n++) {
                let x = layer.x + n * layer.inputs;
                let b = transpose(
                    mat4x4<f32>(four(x + columns.x), four(x + columns.y), four(x + columns.z), four(x + columns.w)),
                );
                add_block(&gradient_sums, plane_at(l, 0u) + n * layer.outputs, rows, b);
                if HAS_D {
                    let squares = mat4x4<f32>(b[0] * b[0], b[1] * b[1], b[2] * b[2], b[3] * b[3]);
                    add_block(&diagonal_sums, plane_at(l, 1u) + n * layer.outputs, rows, squares);
                }
            }
            leave_block(0u, chunk, tile.ends, layer, o, i, gradient_sums);
            if HAS_D {
                leave_block(1u, chunk, tile.ends, layer, o, i, diagonal_sums);
            }
        }
    }
}

// Four samples, one after the other: sums[row] += a[row] b, b[sample] of four inputs.
fn add_block(sums: ptr<function, mat4x4<f32>>, a: u32, rows: vec4<u32>, b: mat4x4<f32>) {
    (*sums)[0] = add_row((*sums)[0], four(a + rows.x), b);
    (*sums)[1] = add_row((*sums)[1], four(a + rows.y), b);
    (*sums)[2] = add_row((*sums)[2], four(a + rows.z), b);
    (*sums)[3] = add_row((*sums)[3], four(a + rows.w), b);
}

fn add_row(sum: vec4<f32>, a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    let two = fma(vec4<f32>(a.y), b[1], fma(vec4<f32>(a.x), b[0], sum));
    return fma(vec4<f32>(a.w), b[3], fma(vec4<f32>(a.z), b[2], two));
}

// Reads the block's own weights only: those past the last row and column belong to other invocations, which may be writing them.
fn resume_block(plane: u32, chunk: u32, layer: Layer, o: u32, i: u32) -> mat4x4<f32> {
    var sums = mat4x4<f32>();
    let width = 1u << layer.block_lanes;
    for (var r = 0u; r < min(4u, layer.outputs - o); r++) {
        let row = layer.weight + (o + r) * layer.inputs;
        for (var j = 0u; j < 4u; j++) {
            if i + j * width < layer.inputs {
                sums[r][j] = resume(plane, chunk, row + i + j * width);
            }
        }
    }
    return sums;
}

fn leave_block(plane: u32, chunk: u32, ends: bool, layer: Layer, o: u32, i: u32, block: mat4x4<f32>) {
    var sums = block;
    let width = 1u << layer.block_lanes;
    for (var r = 0u; r < min(4u, layer.outputs - o); r++) {
        let row = layer.weight + (o + r) * layer.inputs;
        for (var j = 0u; j < 4u; j++) {
            if i + j * width < layer.inputs {
                leave(plane, chunk, ends, row + i + j * width, sums[r][j]);
            }
        }
    }
}

fn biases_of(l: u32, tile: Tile, chunk: u32, lane: u32) {
    let layer = g.layers[l];
    if layer.bias == NO_BIAS {
        return;
    }
    for (var o = lane; o < layer.outputs; o += INVOCATIONS) {
        for (var plane = 0u; plane < min(P, 2u); plane++) {
            var sum = 0.0;
            if !tile.begins {
                sum = resume(plane, chunk, layer.bias + o);
            }
            for (var n = 0u; n < tile.fours; n++) {
                let s = four(plane_at(l, plane) + n * layer.outputs + o);
                sum += s.x;
                sum += s.y;
                sum += s.z;
                sum += s.w;
            }
            leave(plane, chunk, tile.ends, layer.bias + o, sum);
        }
    }
}

// The index of one of the chunk's sums.
fn sum_at(plane: u32, chunk: u32, i: u32) -> u32 {
    return g.sums + (chunk * min(P, 2u) + plane) * g.flat + i;
}

fn resume(plane: u32, chunk: u32, i: u32) -> f32 {
    return results[sum_at(plane, chunk, i)];
}
