// Stores no taps: there is no backward pass.
fn keep_tap(i: u32, tap: vec4<u32>) {}
