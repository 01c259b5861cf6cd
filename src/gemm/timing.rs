//! A model of a product's time on a GPU: what its workgroups issue, stage, load and fetch, and how full they keep the cores.

use super::join::Join;
use super::loss_head::LossHead;
use super::machine::Machine;
use super::product::{Gemm, Product};
use super::sizes::{Sizes, TileUse};
use super::tile::{Family, Tile};
use crate::shader::Kernel;

/// Instructions beside multiply-adds and squares: of a stage, and of each of its steps; of a step of the register family. Counted
/// in what RADV makes of the shaders for RDNA 3.
struct Others {
    stage: f64,
    staged_step: f64,
    step: f64,
}

impl Others {
    fn of(sizes: &Sizes) -> Others {
        match sizes.kind {
            TileUse::Forward | TileUse::Signal => Others { stage: 16.0, staged_step: 3.0, step: 5.0 },
            TileUse::Parameters => Others { stage: 16.0, staged_step: 3.0, step: 9.0 },
            // They look for their positions, and the register family for the ends of its runs.
            TileUse::ConvolutionForward | TileUse::ConvolutionSignal => {
                Others { stage: 40.0, staged_step: 4.0, step: 25.0 }
            }
            TileUse::ConvolutionParameters => Others { stage: 60.0, staged_step: 4.0, step: 25.0 },
        }
    }
}

/// Instructions for four results: bias, activation or derivatives, addresses.
const RESULT: f64 = 40.0;
/// Of invocations that read workgroup memory at once half read the same: assumed.
const SHARED: f64 = 0.5;
/// Invocations that load together, and bytes of a line.
const SUBGROUP: u32 = 32;
const LINE: f64 = 128.0;

/// What a kernel asks of a GPU's cores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub groups: u32,
    /// Invocations of a workgroup.
    pub lanes: u32,
    /// Invocations that a core keeps at once.
    pub kept: u32,
    /// Clocks of a workgroup on a core that is full.
    pub clocks: f64,
}

/// Clocks of a core for one step of one invocation, by what limits it.
struct Step {
    issue: f64,
    staged: f64,
    loaded: f64,
    fetched: f64,
}

impl Load {
    /// Microseconds.
    pub(crate) fn time(&self, machine: &Machine) -> f64 {
        machine.cores.turns(self.groups, self.lanes, self.kept) * self.clocks / machine.clock
    }

    /// Workgroups over those that the machine keeps at once.
    pub(crate) fn fill(&self, machine: &Machine) -> f64 {
        let at_once = (self.kept / self.lanes).max(1) * machine.cores.count;
        f64::from(self.groups) / f64::from(at_once)
    }

    /// Two kernels in one dispatch: workgroups of either, and of each half the cores' room.
    fn beside(self, other: Load) -> Load {
        let groups = self.groups + other.groups;
        let work = f64::from(self.groups) * self.clocks + f64::from(other.groups) * other.clocks;
        Load {
            groups,
            lanes: self.lanes.max(other.lanes),
            kept: self.kept.min(other.kept),
            clocks: work / f64::from(groups),
        }
    }
}

impl Machine {
    /// What the products of a kernel ask of it; nothing of a kernel without any.
    pub(crate) fn load(&self, kernel: &Kernel) -> Option<Load> {
        let of = |product: &Product| self.product(&product.gemm);
        if let Some(join) = kernel.get::<Join>() {
            let [first, second] = join.products();
            return Some(of(first).beside(of(second)));
        }
        kernel.product().or_else(|| kernel.get::<LossHead>().map(LossHead::product)).map(of)
    }

    pub(crate) fn product(&self, gemm: &Gemm) -> Load {
        let (tile, sizes) = (gemm.tile(), gemm.sizes());
        let parts = f64::from(gemm.split().splits * tile.slices());
        let terms = f64::from(sizes.segments) * f64::from(whole_steps(tile, &sizes)) / parts;
        // The first stage is filled before anything is multiplied.
        let filled = match tile.family {
            Family::Workgroup { steps, .. } => f64::from(steps),
            _ => 0.0,
        };
        let results = f64::from(tile.rows * tile.vectors * sizes.components);
        let results = results * (RESULT / f64::from(self.cores.lanes) + 16.0 / self.loaded);
        // Half of the sums go into workgroup memory and come out again, then a quarter, …
        let added = if tile.slices() > 1 {
            8.0 * f64::from(tile.sums() * sizes.components) / self.staged
        } else {
            0.0
        };
        let held = if sizes.long { 2 * sizes.components } else { sizes.components };
        let of_invocation = (terms + filled) * self.step(tile, &sizes) + added + results;
        Load {
            // Those that sum a bias beside them have little to do.
            groups: gemm.tiles() * gemm.split().splits,
            lanes: tile.lanes(),
            kept: self.cores.kept(tile, &sizes, held),
            clocks: f64::from(tile.lanes()) * of_invocation,
        }
    }

    /// Clocks of a step of one invocation.
    fn step(&self, tile: Tile, sizes: &Sizes) -> f64 {
        let Step { issue, staged, loaded, fetched } = self.limits(tile, sizes);
        match tile.family {
            // Nothing is fetched ahead: what it loads it waits for.
            Family::Registers => (issue + loaded).max(fetched),
            _ => issue.max(staged).max(loaded).max(fetched),
        }
    }

    fn limits(&self, tile: Tile, sizes: &Sizes) -> Step {
        let p = f64::from(sizes.components);
        // Invocations that work on the same steps.
        let lanes = match tile.family {
            Family::Sliced => tile.width,
            _ => tile.width * tile.height,
        };
        let [rows, vectors, lanes] = [tile.rows, tile.vectors, lanes].map(f64::from);
        let others = Others::of(sizes);
        let sums = f64::from(tile.sums()) * p;
        let squares = if sizes.components > 1 { 4.0 * vectors } else { 0.0 };
        // Rows and columns beyond the edge are worked on, but not fetched.
        let reach = f64::from(tile.high().min(sizes.m)) * p;
        let width = f64::from((4 * tile.vectors * tile.width).min(sizes.n));
        let fetched = |columns: f64| 4.0 * (reach + columns) / lanes / self.fetched;
        let issue = |others: f64| (sums + squares + others) / f64::from(self.cores.lanes);
        let (of_a, of_b) = (rows * p / 4.0, vectors);
        match tile.family {
            Family::Registers => {
                let scattered = matches!(sizes.kind, TileUse::Forward | TileUse::ConvolutionForward);
                let side_by_side = tile.width.min(SUBGROUP);
                // Lines that a subgroup touches with one load: a row of A is read by all that stand in it; weights lie along k in
                // the forward product, each column on a line of its own.
                let lines_of_a = f64::from((SUBGROUP / tile.width).max(1));
                let lines_of_b =
                    if scattered { f64::from(side_by_side) } else { f64::from(side_by_side.div_ceil(8)) };
                let lines = (of_a * lines_of_a + of_b * lines_of_b) / f64::from(SUBGROUP);
                // Of a scattered line half of what arrives is evicted unused: assumed.
                let columns = if scattered { 2.0 * width } else { width };
                Step {
                    issue: issue(others.step + of_a + of_b),
                    staged: 0.0,
                    loaded: lines * LINE / self.loaded,
                    fetched: fetched(columns),
                }
            }
            Family::Workgroup { steps, buffers, .. } => {
                // With one buffer all wait while it is filled.
                let waits = if buffers == 1 { 2.0 } else { 1.0 };
                let others = waits * (others.stage / f64::from(steps) + others.staged_step);
                let (a, b) = tile.sides();
                let moved = f64::from(sizes.components * a + b) / lanes;
                Step {
                    issue: issue(others),
                    staged: 16.0 * (SHARED * (of_a + of_b) + moved) / self.staged,
                    loaded: 2.0 * 16.0 * moved / self.loaded,
                    fetched: fetched(width),
                }
            }
            // Neighbours read neighbouring vec4s of B, and the same of A.
            Family::Sliced => Step {
                issue: issue(others.step + of_a + of_b),
                staged: 0.0,
                loaded: 16.0 * (of_a / f64::from(tile.width) + of_b) / self.loaded,
                fetched: fetched(width),
            },
            // Not modelled: as if multiply-adds took an eighth.
            Family::Cooperative { .. } => Step {
                issue: issue(0.0) / super::cooperative::FASTER,
                staged: 0.0,
                loaded: 0.0,
                fetched: fetched(width),
            },
        }
    }
}

/// Steps of a segment, with those of the last stage that lie beyond its end.
fn whole_steps(tile: Tile, sizes: &Sizes) -> u32 {
    match tile.family {
        Family::Registers => sizes.k.next_multiple_of(sizes.step),
        Family::Workgroup { steps, slices, .. } => sizes.k.next_multiple_of(slices * steps),
        Family::Sliced => sizes.k.next_multiple_of(4 * tile.height),
        Family::Cooperative { steps, .. } => sizes.k.next_multiple_of(steps),
    }
}

#[cfg(test)]
mod tests {
    use super::super::choose::Tuning;
    use super::super::image::{ImageGeometry, Split};
    use super::super::product::{GradientSink, Use};
    use super::*;
    use crate::model::{Activation, Conv2d, Layer, Mode};
    use crate::shader::DeviceClass;

    const PLAIN: Use = Use::Partial { mode: Mode::None, bias: true };
    const TANH: Activation = Activation::Tanh;
    const MODES: [Mode; 2] = [Mode::None, Mode::HesScale];

    /// The products of a dense layer.
    fn dense(class: DeviceClass, batch: u32, inputs: u32, outputs: u32) -> Vec<Gemm> {
        let forward = Use::Forward { activation: TANH, bias: true, keep: false };
        let mut all = vec![Gemm::new(class, forward, batch, outputs, inputs)];
        for mode in MODES {
            let (diagonal, sink) = (mode.has_diagonal(), GradientSink::Replace);
            all.push(Gemm::new(class, Use::Signal { mode, below: TANH }, batch, inputs, outputs));
            let parameters = Use::Parameters { diagonal, bias: true, sink };
            all.push(Gemm::new(class, parameters, outputs, inputs, batch));
        }
        all
    }

    /// The products of a convolution of 128 square images.
    fn convolution(
        class: DeviceClass,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        side: usize,
    ) -> Vec<Gemm> {
        let layer: Layer = Conv2d::new(outputs, kernel).inputs(inputs).into();
        let layer = layer.convolution("convolution", &[inputs, side, side]).expect("valid").expect("one");
        let mut all =
            vec![layer.forward(class, 128, Use::Forward { activation: TANH, bias: true, keep: false })];
        for mode in MODES {
            all.push(layer.signal(class, 128, Use::Signal { mode, below: TANH }));
            all.push(layer.partial(class, 128, mode));
        }
        all
    }

    /// Products of 784-512-512-10, of layers of 1024, and of the convolutions of 3C3D.
    fn products(class: DeviceClass) -> Vec<Gemm> {
        let mut all = Vec::new();
        for batch in [1, 8, 32, 128, 512] {
            for [inputs, outputs] in [[784, 512], [512, 512], [512, 10]] {
                all.extend(dense(class, batch, inputs, outputs));
            }
        }
        all.extend([128, 512, 1024].into_iter().flat_map(|batch| dense(class, batch, 1024, 1024)));
        for [inputs, outputs, kernel, side] in [[3, 64, 5, 32], [64, 96, 3, 14], [96, 128, 3, 6]] {
            all.extend(convolution(class, inputs, outputs, kernel, side));
        }
        all
    }

    /// In that tile. A convolution's sum is cut as the tile of plain backprop wants it.
    fn tiled(gemm: &Gemm, tile: Tile, class: DeviceClass) -> Gemm {
        let mut gemm = gemm.with_tile(tile);
        let Some(image) = gemm.image.filter(|_| gemm.usage == PLAIN) else {
            return gemm;
        };
        let split = Split::new(class.into(), gemm.tiles(), image.samples, gemm.k);
        gemm.image = Some(ImageGeometry { split, ..image });
        gemm
    }

    /// The longest time of a dispatch in the tile that is chosen as on `class`, over its time in the best that the machine can
    /// have.
    fn worst(machine: &Machine, class: DeviceClass) -> (f64, String) {
        let of = |gemm: Gemm| {
            let sizes = gemm.sizes();
            let time = |tile: Tile| {
                let tiled = tiled(&gemm, tile, machine.class);
                machine.launch + machine.product(&tiled).time(machine)
            };
            let tuning = Tuning::from(machine.class);
            // Of several components, those that sum in plain backprop's order.
            let order = |tile: Tile| tile.order(sizes.kind);
            let alike = |tile: &Tile| sizes.components == 1 || order(*tile) == order(gemm.tile());
            let best =
                |tiles: &mut dyn Iterator<Item = Tile>| tiles.min_by(|a, b| time(*a).total_cmp(&time(*b)));
            let best =
                best(&mut tuning.legal(&sizes).filter(alike)).or_else(|| best(&mut tuning.legal(&sizes)));
            let best = best.expect("there is one");
            let ratio = time(gemm.tile()) / time(best);
            (ratio, format!("{} on {}: {ratio:.2} of {best}", gemm.label(), machine.name))
        };
        let all = products(class).into_iter().map(of);
        all.max_by(|a, b| a.0.total_cmp(&b.0)).expect("some")
    }

    const NEAR: f64 = 1.35;

    #[test]
    fn the_chosen_tile_is_near_the_models_best() {
        for machine in Machine::KNOWN {
            let (ratio, worst) = worst(&machine, machine.class);
            assert!(ratio < NEAR, "{worst}");
        }
    }

    /// Where tiles are chosen as for a CPU, or for a phone, the model finds better ones.
    #[test]
    fn tiles_of_another_machine_are_noticed() {
        for class in [DeviceClass::Software, DeviceClass::Mobile] {
            let (ratio, worst) = worst(&Machine::KNOWN[0], class);
            assert!(ratio > NEAR, "{worst}");
        }
    }
}
