// Sorted runs twice as long: a pair of row and entry goes as many places behind the beginning of its run and that of the neighbour
// as pairs of either go before it.
@group(0) @binding(1) var<storage, read> runs: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> merged: array<vec2<u32>>;

fn goes_before(a: vec2<u32>, b: vec2<u32>) -> bool {
    return (a.x < b.x) || ((a.x == b.x) && (a.y < b.y));
}

fn each(i: u32) {
    let run = i / p.run;
    let neighbour = min((run ^ 1u) * p.run, p.entries);
    let own = runs[i];
    var low = neighbour;
    var high = min(neighbour + p.run, p.entries);
    while low < high {
        let middle = (low + high) / 2u;
        if goes_before(runs[middle], own) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    merged[(run & 0xfffffffeu) * p.run + i % p.run + (low - neighbour)] = own;
}
