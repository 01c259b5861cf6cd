// No backward pass follows: nothing is kept.
fn keep_tap(i: u32, tap: vec4<u32>) {}
