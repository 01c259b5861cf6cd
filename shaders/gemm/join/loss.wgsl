// The last layer followed by the loss, in one dispatch. A tile has all columns of its TILE_ROWS rows, so a row's loss depends on
// its own workgroup only. Each invocation takes one row at a time.

@compute @workgroup_size(WIDTH, HEIGHT)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    main_1(group, lane);
    storageBarrier();
    let tile = group.y * g_1.grid_x + group.x;
    for (var done = 0u; done < TILE_ROWS; done += WIDTH * HEIGHT) {
        take_2(tile * TILE_ROWS + done, min(TILE_ROWS - done, WIDTH * HEIGHT), lane.y * WIDTH + lane.x);
    }
}
