// The step is counted here, so that all workgroups of the kernel behind find the corrections made.
fn count_once() {
    count_step();
}
