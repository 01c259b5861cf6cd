// Sorted runs twice as long, within each part: a pair of row and position goes as many places behind its run's beginning and that of
// the neighbour as pairs of either go before it.
@group(0) @binding(1) var<storage, read> runs: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> merged: array<vec2<u32>>;

fn goes_before(a: vec2<u32>, b: vec2<u32>) -> bool {
    return (a.x < b.x) || ((a.x == b.x) && (a.y < b.y));
}

fn each(i: u32) {
    let part = i / p.part * p.part;
    let end = min(part + p.part, p.all);
    let run = (i - part) / p.run;
    let neighbour = min(part + (run ^ 1u) * p.run, end);
    let own = runs[i];
    var low = neighbour;
    var high = min(neighbour + p.run, end);
    while low < high {
        let middle = (low + high) / 2u;
        if goes_before(runs[middle], own) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    let start = part + (run & 0xfffffffeu) * p.run;
    merged[start + (i - part) % p.run + (low - neighbour)] = own;
}
