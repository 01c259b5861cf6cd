//! A model of the time of each kernel of a plan on a GPU that need not be there.

use crate::gemm::{Load, Machine};
use crate::plan::{Bound, Outline};
use crate::shader::Kernel;
use std::fmt;

/// What a model says of a full step of a plan on a machine. **A model, not a measurement**: the longest of what a kernel issues,
/// reads through workgroup memory, loads and moves, stretched by how few invocations the cores have, plus a launch. What it assumes
/// is in docs/performance.md; it is for comparing tiles and plans, and may be wrong by a factor of two. [`fmt::Display`] gives a
/// table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// On which machine.
    pub machine: Machine,
    /// The kernels in the order they run.
    pub kernels: Vec<KernelForecast>,
}

/// A kernel of a forecast.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KernelForecast {
    /// Its name, as in [`Plan::dispatches`](crate::Plan::dispatches).
    pub label: String,
    /// Microseconds by the model, without its launch.
    pub micros: f64,
    /// Workgroups.
    pub groups: u32,
    /// Workgroups over those that the machine keeps at once: below 1 a part of it is idle.
    pub fill: f64,
    /// Multiply-adds of the machine at full rate in that time over those that are wanted.
    pub share: f64,
}

/// Share of a core's multiply-adds that kernels reach which are no tiled products. Assumed.
const PLAIN_SHARE: f64 = 0.25;

impl Outline {
    /// A full step on that machine.
    pub fn forecast(&self, machine: &Machine) -> Forecast {
        let kernels = self.full_step().map(|bound| KernelForecast::of(bound, machine)).collect();
        Forecast { machine: *machine, kernels }
    }
}

impl KernelForecast {
    fn of(bound: &Bound, machine: &Machine) -> KernelForecast {
        let kernel = &bound.kernel;
        let load = machine.load(kernel).unwrap_or_else(|| plain(kernel, machine));
        let flops = kernel.flops() as f64;
        let micros = load.time(machine).max(moved(kernel.bytes(&bound.bytes), &load, machine));
        let rate = 2.0 * f64::from(machine.cores.count * machine.cores.lanes) * machine.clock;
        KernelForecast {
            label: kernel.label(),
            micros,
            groups: kernel.groups(),
            fill: load.fill(machine),
            share: flops / rate / micros,
        }
    }
}

/// A kernel without tiled products: its operations, evenly among its workgroups.
fn plain(kernel: &Kernel, machine: &Machine) -> Load {
    let (groups, lanes) = (kernel.groups().max(1), kernel.workgroup().invocations());
    let adds = kernel.flops() as f64 / 2.0 / f64::from(groups);
    let clocks = adds / (PLAIN_SHARE * f64::from(machine.cores.lanes));
    let by_memory = machine.cores.memory.checked_div(kernel.workgroup().bytes).unwrap_or(u32::MAX);
    let kept = by_memory.saturating_mul(lanes).min(machine.cores.most).max(1);
    Load { groups, lanes, kept, clocks }
}

/// Microseconds to move what is bound once: from the cache if it has room for it, else from memory, at a rate that takes as many
/// invocations as hide latency.
fn moved(bytes: u64, load: &Load, machine: &Machine) -> f64 {
    let Machine { cores, clock, fetched, cache, bandwidth, .. } = machine;
    let from_cache = f64::from(cores.count) * fetched * clock;
    let rate = if bytes <= *cache { from_cache } else { bandwidth.min(from_cache) };
    let there = u64::from(load.groups) * u64::from(load.lanes);
    let wanted = f64::from(cores.count * cores.wanted);
    bytes as f64 / (rate * (there as f64 / wanted).min(1.0))
}

impl Forecast {
    /// Microseconds of a step: of all kernels, with a launch each.
    pub fn micros(&self) -> f64 {
        self.kernels.iter().map(|kernel| kernel.micros + self.machine.launch).sum()
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "modelled, not measured: {} as {:?}\n", self.machine.name, self.machine.class)?;
        writeln!(f, "| kernel | µs | workgroups | fill | of peak |\n|---|---|---|---|---|")?;
        for KernelForecast { label, micros, groups, fill, share } in &self.kernels {
            writeln!(f, "| {label} | {micros:.1} | {groups} | {fill:.2} | {:.0} % |", 100.0 * share)?;
        }
        let launches = self.machine.launch * self.kernels.len() as f64;
        write!(f, "| all {}, launches {launches:.0} | {:.1} | | | |", self.kernels.len(), self.micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Loss;
    use crate::{Activation, Mode, Model, PlanOptions};

    fn forecast(batch: usize, mode: Mode, machine: &Machine) -> Forecast {
        let body = Model::builder([784]).dense(512).act(Activation::Tanh).dense(512).act(Activation::Tanh);
        let model = body.dense(10).loss(Loss::cross_entropy()).expect("valid");
        let options = PlanOptions::training(mode).whole_network(false);
        Outline::new(machine.class, &model, batch, None, &options).expect("an outline").forecast(machine)
    }

    /// What no model may get wrong: nothing is faster than the machine, more work takes longer, and two components less than three
    /// times as long as one.
    #[test]
    fn a_forecast_keeps_to_the_machine() {
        for machine in Machine::KNOWN {
            let mut last = 0.0;
            for batch in [1, 32, 512, 4096] {
                let [plain, dual] = [Mode::None, Mode::HesScale].map(|mode| forecast(batch, mode, &machine));
                for kernel in plain.kernels.iter().chain(&dual.kernels) {
                    assert!(kernel.share <= 1.0 && kernel.fill > 0.0 && kernel.micros > 0.0, "{kernel:?}");
                }
                let (plain, dual) = (plain.micros(), dual.micros());
                assert!(plain > last, "{} at {batch}: {plain} after {last}", machine.name);
                assert!((1.0..3.0).contains(&(dual / plain)), "{}: {}", machine.name, dual / plain);
                last = plain;
            }
        }
    }
}
