// loss_of_row = that of the loss by itself, its reduction factor multiplied by the sample's weight, of any sign. The loss's files
// know its parameters as `weighted` here, and its own loss_of_row is `loss_by_itself`.
@group(0) @binding(WEIGHTS) var<storage, read> sample_weights: array<f32>;

var<private> weighted: LossParams;

fn loss_of_row(n: u32, real: bool, lane: vec3<u32>) -> f32 {
    weighted = p;
    weighted.factor *= sample_weights[n / p.positions];
    return loss_by_itself(n, real, lane);
}
