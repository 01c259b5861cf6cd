// Counts no step.
fn count_once() {}
