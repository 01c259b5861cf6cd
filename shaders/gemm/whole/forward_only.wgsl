// The logits are all that is wanted.
fn begin(chunk: u32, lane: u32) {}

fn behind(tile: Tile, chunk: u32, lane: u32) {}

fn finish(chunk: u32, lane: u32) {}
