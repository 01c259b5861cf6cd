// The parameters rest.
fn update(lane: u32) {}
