// What each channel's signal is made of (batchnorm/signal), from its statistics and the sums of all samples (batchnorm/signal_sums):
//
//     m, d, 1/s, γ, n, samples; means over the n numbers of G, G x̂, H, H x̂, H x̂², with G = γ g, H = γ² h
//
// LANES invocations share the samples, and a workgroup has ROWS such rows. Plug: samples.

@group(0) @binding(1) var<storage, read> sums: array<Value>;
@group(0) @binding(2) var<storage, read_write> coefficients: array<Value>;
@group(0) @binding(3) var<storage, read> statistics: array<Value>;
@group(0) @binding(4) var<storage, read> gamma: array<f32>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let v = min(item, p.n - 1u);
    var g = array<Value, 2>();
    var h = array<Value, 3>();
    for (var sample = lane.x; sample < p.batch; sample += LANES) {
        let first = sample * SUMS * p.vectors + v;
        g[0] += sums[first];
        g[1] += sums[first + p.vectors];
        if HAS_DIAGONAL {
            h[0] += sums[first + 2u * p.vectors];
            h[1] += sums[first + 3u * p.vectors];
            h[2] += sums[first + 4u * p.vectors];
        }
    }
    g[0] = row_sum(g[0], lane);
    g[1] = row_sum(g[1], lane);
    if HAS_DIAGONAL {
        h[0] = row_sum(h[0], lane);
        h[1] = row_sum(h[1], lane);
        h[2] = row_sum(h[2], lane);
    }
    if item < p.n && lane.x == 0u {
        let n = f32(max(rows(), 1u));
        let c = min(v * 4u + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u));
        let weight = vec4<f32>(gamma[c.x], gamma[c.y], gamma[c.z], gamma[c.w]);
        coefficients[v] = statistics[v];
        coefficients[p.vectors + v] = statistics[p.vectors + v];
        coefficients[2u * p.vectors + v] = statistics[2u * p.vectors + v];
        coefficients[3u * p.vectors + v] = weight;
        coefficients[4u * p.vectors + v] = Value(n);
        coefficients[5u * p.vectors + v] = Value(f32(samples()));
        coefficients[6u * p.vectors + v] = weight * g[0] / n;
        coefficients[7u * p.vectors + v] = weight * g[1] / n;
        if HAS_DIAGONAL {
            coefficients[8u * p.vectors + v] = weight * weight * h[0] / n;
            coefficients[9u * p.vectors + v] = weight * weight * h[1] / n;
            coefficients[10u * p.vectors + v] = weight * weight * h[2] / n;
        }
    }
}
