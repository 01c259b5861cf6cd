//! Tile tables that run every product through workgroup memory, or slice sums, or have little to compile, on any adapter.

use hesscale::tuning::{DeviceClass, Family, Tile, TileEntry, TileTable, TileUse};

const USES: [TileUse; 6] = [
    TileUse::Forward,
    TileUse::Signal,
    TileUse::Parameters,
    TileUse::ConvolutionForward,
    TileUse::ConvolutionSignal,
    TileUse::ConvolutionParameters,
];

/// Small enough for llvmpipe, and covering all cases of the shaders: rows of one vec4 and of two, several rounds of blocks,
/// invocations that fetch nothing, one buffer and two.
fn tile(components: u32, steps: u32, buffers: u32) -> Tile {
    let (rows, vectors) = if components == 1 { (8, 2) } else { (4, 1) };
    let (width, height) = if steps == 4 { (4, 8) } else { (8, 2) };
    Tile { family: Family::Workgroup { steps, buffers, slices: 1 }, rows, vectors, width, height }
}

/// Forward products and signals of dense layers by the sliced family, their parameters by as many invocations of the register
/// family where there are eight slices, so that the two can share a dispatch.
pub(crate) fn sliced(slices: u32) -> TileTable {
    // Several rows and columns for what has one number and more of them.
    let tile = |usage, components| {
        let (rows, vectors) = match (usage, components) {
            (TileUse::Forward, _) => (4, 2),
            (_, 1) => (4, 1),
            _ => (1, 2),
        };
        Tile { family: Family::Sliced, rows, vectors, width: 4, height: slices }
    };
    let entry =
        |usage, components| TileEntry { usage, components, size: None, tile: tile(usage, components) };
    let uses = [TileUse::Forward, TileUse::Signal];
    let entries = uses.into_iter().flat_map(|usage| (1..=4).map(move |components| entry(usage, components)));
    let beside = Tile { family: Family::Registers, rows: 4, vectors: 1, width: 16, height: 2 };
    let beside = |components| TileEntry { usage: TileUse::Parameters, components, size: None, tile: beside };
    TileTable { adapter: "any".into(), entries: entries.chain([1, 2].map(beside)).collect() }
}

/// All products by the workgroup family.
pub(crate) fn staged(steps: u32, buffers: u32) -> TileTable {
    let entry = |usage, components| TileEntry {
        usage,
        components,
        size: None,
        tile: tile(components, steps, buffers),
    };
    let entries = USES.into_iter().flat_map(|usage| (1..=4).map(move |components| entry(usage, components)));
    TileTable { adapter: "any".into(), entries: entries.collect() }
}

/// Little to compile: the register family for software; for the integrated class slices in dense layers, and the workgroup family
/// elsewhere; for all others the workgroup family, without slices. llvmpipe's time grows with the square of a shader's branches, and
/// every access to memory is some.
pub(crate) fn small(class: DeviceClass) -> TileTable {
    let all = |family: fn(TileUse) -> Family| {
        let tile = move |usage| Tile { family: family(usage), rows: 4, vectors: 1, width: 8, height: 2 };
        let entry = move |usage, components| TileEntry { usage, components, size: None, tile: tile(usage) };
        USES.into_iter().flat_map(move |usage| (1..=4).map(move |components| entry(usage, components)))
    };
    // Sums of parameters have the parts of a bias where a stage was: two numbers of a step for sixteen invocations.
    let staged = || {
        all(|usage| {
            let parameters = matches!(usage, TileUse::Parameters | TileUse::ConvolutionParameters);
            Family::Workgroup { steps: if parameters { 8 } else { 4 }, buffers: 1, slices: 1 }
        })
    };
    let entries = match class {
        DeviceClass::Software => all(|_| Family::Registers).collect(),
        // The first that fits counts.
        DeviceClass::Integrated => sliced(8).entries.into_iter().chain(staged()).collect(),
        _ => staged().collect(),
    };
    TileTable { adapter: "any".into(), entries }
}
