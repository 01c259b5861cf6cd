// An entry of the sums is a position of the batch: it selects its input's row, whole, for all channels of its output.
fn entry_row(i: u32) -> u32 {
    return row_of(x[i]);
}
