// No step is counted.
fn count_once() {}
