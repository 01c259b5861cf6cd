// gradient = scale · Σ_n …, added to the stored values if ACCUMULATE; the diagonal alike: one chunk is the whole batch. Plugs:
// leave_diagonal (diagonal | no_diagonal), update (update | no_update).

@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;

fn begin(chunk: u32, lane: u32) {}

fn leave(plane: u32, chunk: u32, ends: bool, i: u32, sum: f32) {
    if !ends {
        results[sum_at(plane, chunk, i)] = sum;
    } else if plane == 0u {
        var value = g.scale * sum;
        if ACCUMULATE {
            value += gradient[i];
        }
        gradient[i] = value;
    } else {
        leave_diagonal(i, g.scale * sum);
    }
}

fn finish(chunk: u32, lane: u32) {
    if lane == 0u {
        results[0] = loss;
    }
    storageBarrier();
    update(lane);
}
