// sums[chunk] = Σ_(n in chunk) …: the batch is split into chunks. Each writes its sums and its loss, and gather.wgsl adds them up.
// Plug: count_once (count | no_count).

fn begin(chunk: u32, lane: u32) {
    if chunk == 0u && lane == 0u {
        count_once();
    }
}

fn leave(plane: u32, chunk: u32, ends: bool, i: u32, sum: f32) {
    results[sum_at(plane, chunk, i)] = sum;
}

fn finish(chunk: u32, lane: u32) {
    if lane == 0u {
        results[g.losses + chunk] = loss;
    }
}
