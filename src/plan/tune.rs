//! Times the products of a plan in different tiles.

use super::{Pass, Plan, Work};
use crate::Result;
use crate::gemm::{Tile, TileEntry, TileUse};
use crate::gpu::Dispatch;
use std::time::{Duration, Instant};

/// Which tiles are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tiles {
    /// The one that the plan has.
    Planned,
    /// That, and all others of the device's class that the device can make.
    All,
}

/// The time of one product in one tile.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProductTime {
    /// What the product is for.
    pub usage: TileUse,
    /// Numbers per element.
    pub components: u32,
    /// m, n and k, all terms of the sum together.
    pub size: [u32; 3],
    /// The tile.
    pub tile: Tile,
    /// Whether it is the one that the plan has.
    pub planned: bool,
    /// Floating-point operations.
    pub flops: u64,
    /// The median of some repetitions, with all that is fused behind the product.
    pub time: Duration,
}

impl ProductTime {
    /// The tile as an entry of a [`TileTable`](crate::tuning::TileTable).
    pub fn entry(&self) -> TileEntry {
        TileEntry { usage: self.usage, components: self.components, size: Some(self.size), tile: self.tile }
    }
}

/// Runs whose median counts.
const RUNS: usize = 5;

impl Plan {
    /// Times each product of a full step by itself, `about` so long in each tile: dispatches of one product behind each
    /// other, submitted and waited for. Those that share a dispatch are left out: [`crate::PlanOptions::fewer_dispatches`]
    /// (`false`) keeps all apart. What the plan's buffers hold afterwards means nothing; the parameters stay.
    ///
    /// # Errors
    /// [`crate::Error::Device`] for what the driver refuses.
    pub fn time_products(&self, tiles: Tiles, about: Duration) -> Result<Vec<ProductTime>> {
        let mut times: Vec<ProductTime> = Vec::new();
        let works = [Work::Forward, Work::Gradient(Pass::FULL)];
        for dispatch in works.into_iter().filter_map(|work| self.kernels(work).ok()).flatten() {
            let (kernel, resources) = &dispatch.made_of;
            let Some(gemm) = kernel.product().map(|product| product.gemm) else { continue };
            let sizes = gemm.sizes();
            let size = [sizes.m, sizes.n, sizes.terms()];
            let same =
                |t: &ProductTime| (t.usage, t.components, t.size) == (sizes.kind, sizes.components, size);
            if times.iter().any(same) {
                continue;
            }
            let mut wanted = vec![gemm.tile()];
            if tiles == Tiles::All {
                wanted.extend(self.context.tuning().legal(&sizes).filter(|tile| *tile != gemm.tile()));
            }
            let again = |tile: Tile| self.context.dispatch(&kernel.clone().with_tile(tile), resources);
            let dispatches = wanted.iter().map(|tile| again(*tile)).collect::<Result<Vec<_>>>()?;
            for (tile, time) in wanted.into_iter().zip(self.time(&dispatches, about)?) {
                times.push(ProductTime {
                    usage: sizes.kind,
                    components: sizes.components,
                    size,
                    tile,
                    planned: tile == gemm.tile(),
                    flops: dispatch.flops,
                    time,
                });
            }
        }
        Ok(times)
    }

    /// The median time of each dispatch. They take turns, so that what disturbs, disturbs all.
    fn time(&self, dispatches: &[Dispatch], about: Duration) -> Result<Vec<Duration>> {
        let run = |dispatch: &Dispatch, count: u32| -> Result<Duration> {
            let start = Instant::now();
            let mut encoder = self.context.device().create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for _ in 0..count {
                    dispatch.record(&mut pass);
                }
            }
            self.context.queue().submit([encoder.finish()]);
            self.context.wait()?;
            Ok(start.elapsed() / count)
        };
        let share = about.as_secs_f64() / RUNS as f64;
        let count = |dispatch: &Dispatch| -> Result<u32> {
            run(dispatch, 1)?;
            Ok((share / run(dispatch, 1)?.as_secs_f64().max(1e-6)).clamp(1.0, 1000.0) as u32)
        };
        let counts = dispatches.iter().map(count).collect::<Result<Vec<u32>>>()?;
        let mut times = vec![[Duration::ZERO; RUNS]; dispatches.len()];
        for round in 0..RUNS {
            for ((dispatch, count), times) in dispatches.iter().zip(&counts).zip(&mut times) {
                times[round] = run(dispatch, *count)?;
            }
        }
        let median = |mut times: [Duration; RUNS]| {
            times.sort_unstable();
            times[RUNS / 2]
        };
        Ok(times.into_iter().map(median).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::TileTable;
    use crate::gpu::{Context, ContextOptions};
    use crate::model::{Loss, Mode, Model};
    use crate::{At, PlanOptions, State};

    #[test]
    fn all_tiles_of_each_product_are_timed_and_the_table_is_followed() {
        let model = Model::builder([8]).dense(12).loss(Loss::mse()).expect("valid");
        let context = pollster::block_on(Context::request()).expect("an adapter");
        let planned = |context: &Context, tiles| {
            let state = State::new(context, &model, None).expect("a state");
            let options = PlanOptions::training(Mode::None).signal(At::Input).fewer_dispatches(false);
            let plan = Plan::new(context, &model, &state, 4, options).expect("a plan");
            plan.time_products(tiles, Duration::ZERO).expect("times")
        };
        let times = planned(&context, Tiles::All);
        let products: Vec<_> =
            times.iter().filter(|t| t.planned).map(|t| (t.usage, t.components, t.size)).collect();
        assert_eq!(
            products,
            [
                (TileUse::Forward, 1, [4, 12, 8]),
                (TileUse::Signal, 1, [4, 8, 12]),
                (TileUse::Parameters, 1, [12, 8, 4])
            ]
        );
        assert!(times.len() > 20 && times.iter().all(|t| t.time > Duration::ZERO && t.flops > 0));
        // Another tile than the shipped one for each.
        let others =
            times.chunk_by(|a, b| a.usage == b.usage).filter_map(|of| of.iter().find(|t| !t.planned));
        let entries: Vec<TileEntry> = others.map(ProductTime::entry).collect();
        let table = TileTable { adapter: context.describe(), entries: entries.clone() };
        let options = ContextOptions { tiles: Some(table), ..ContextOptions::default() };
        let tuned = Context::from_device(context.device(), context.queue(), options);
        let followed = planned(&tuned, Tiles::Planned);
        assert_eq!(followed.iter().map(ProductTime::entry).collect::<Vec<_>>(), entries);
    }
}
