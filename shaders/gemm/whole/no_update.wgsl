// θ ← θ: no optimiser.
fn update(lane: u32) {}
