// t ← t + 1: counts the step here, so that all workgroups of the next kernel see the updated bias corrections.
fn count_once() {
    count_step();
}
