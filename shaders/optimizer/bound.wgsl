// min(1, √(most / sum)), without the root unless SQUARES; 0 where the sum is not finite. FACTOR: which `most`.
fn factor_of(sum: f32) -> f32 {
    let most = bitcast<f32>(memory.unused[1][FACTOR]);
    if (bitcast<u32>(sum) & 0x7f800000u) == 0x7f800000u {
        return 0.0;
    }
    if sum > most {
        let part = most / sum;
        return select(part, sqrt(part), SQUARES);
    }
    return 1.0;
}
