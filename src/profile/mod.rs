//! Profiling a pass: the GPU time of each kernel.

mod clock;
mod forecast;
mod roofline;

pub use forecast::{Forecast, KernelForecast};
pub use roofline::Roofline;

use crate::Result;
use crate::gpu::Dispatch;
use crate::plan::Plan;
use crate::record::Pieces;
use clock::Clock;
use std::fmt;

/// A kernel of a profile.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KernelTime {
    /// Its name, as in [`Plan::dispatches`].
    pub label: String,
    /// Microseconds on the GPU, the median of all repetitions.
    pub micros: f64,
    /// Floating-point operations; 0 for kernels that only move memory.
    pub flops: u64,
    /// Bytes of the bound ranges: the traffic if each were read or written once.
    pub bytes: u64,
}

/// The kernels of a pass in the order they run. [`fmt::Display`] gives a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Profile {
    /// Adapter and driver.
    pub adapter: String,
    /// The kernels with their times.
    pub kernels: Vec<KernelTime>,
    /// The roofline to compare with, if any: see [`Profile::under`].
    pub roofline: Option<Roofline>,
}

impl Plan {
    /// Runs all of `pieces`' work, recorded or not, `repetitions` times but at least once, with a compute pass and two timestamps
    /// per kernel; blocks. Afterwards the state has the same bits as after the same number of ordinary passes.
    ///
    /// Separate passes keep a driver from overlapping kernels, so the sum may exceed the time of an ordinary pass.
    ///
    /// # Errors
    /// [`crate::Error::NotPlanned`] as when the work is recorded, for a device without [`wgpu::Features::TIMESTAMP_QUERY`];
    /// [`crate::Error::Limit`] for more kernels than a query set has timestamps; [`crate::Error::Device`].
    pub fn profile(&self, pieces: Pieces, repetitions: usize) -> Result<Profile> {
        let repetitions = repetitions.max(1);
        let kernels: Vec<&Dispatch> = self.kernels_of(pieces)?.collect();
        let clock = Clock::new(&self.context, kernels.len())?;
        let mut times = vec![Vec::with_capacity(repetitions); kernels.len()];
        for _ in 0..repetitions {
            let micros = clock.time(&self.context, |index, pass| kernels[index].record(pass))?;
            times.iter_mut().zip(micros).for_each(|(times, micros)| times.push(micros));
        }
        let time = |(kernel, times): (&&Dispatch, Vec<f64>)| KernelTime {
            label: kernel.label.clone(),
            micros: median(times),
            flops: kernel.flops,
            bytes: kernel.bytes,
        };
        let kernels = kernels.iter().zip(times).map(time).collect();
        Ok(Profile { adapter: self.context.describe(), kernels, roofline: None })
    }
}

/// The median; of an even number, the upper one.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Profile {
    /// The same, compared with `roofline`.
    pub fn under(self, roofline: Roofline) -> Profile {
        Profile { roofline: Some(roofline), ..self }
    }

    /// Microseconds of all kernels together.
    pub fn micros(&self) -> f64 {
        self.kernels.iter().map(|kernel| kernel.micros).sum()
    }

    /// The roofline's time for a kernel over its measured time: near 1 if it could not be faster, above 1 if a cache serves
    /// what the roofline's copy fetched from memory. `None` without a roofline.
    pub fn share(&self, kernel: &KernelTime) -> Option<f64> {
        self.roofline.map(|roofline| roofline.micros(kernel.flops, kernel.bytes) / kernel.micros)
    }

    /// A trace in Chrome's format, for `chrome://tracing` or Perfetto: kernels one after another, each as long as its median.
    pub fn chrome_trace(&self) -> String {
        let mut begin = 0.0;
        let mut event = |kernel: &KernelTime| {
            let args = serde_json::json!({
                "flops": kernel.flops, "bytes": kernel.bytes, "of roofline": self.share(kernel),
            });
            let event = serde_json::json!({
                "name": kernel.label, "ph": "X", "pid": 0, "tid": 0, "ts": begin, "dur": kernel.micros, "args": args,
            });
            begin += kernel.micros;
            event
        };
        let events: Vec<_> = self.kernels.iter().map(&mut event).collect();
        let other = serde_json::json!({ "adapter": self.adapter });
        serde_json::json!({ "displayTimeUnit": "ms", "otherData": other, "traceEvents": events }).to_string()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "adapter: {}", self.adapter)?;
        if let Some(Roofline { flops, bytes }) = self.roofline {
            writeln!(f, "roofline: {:.1} GFLOP/s, {:.1} GB/s", flops / 1e9, bytes / 1e9)?;
        }
        writeln!(f, "\n| kernel | µs | part | MFLOP | MB bound | GFLOP/s | GB/s | of roofline |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        let all = self.micros();
        for kernel in &self.kernels {
            let KernelTime { label, micros, flops, bytes } = kernel;
            let (part, flops, bytes) = (100.0 * micros / all, *flops as f64, *bytes as f64);
            let share = self.share(kernel).map_or("".into(), |share| format!("{:.0} %", 100.0 * share));
            write!(f, "| {label} | {micros:.1} | {part:.1} % | {:.2} | {:.2} ", flops / 1e6, bytes / 1e6)?;
            writeln!(f, "| {:.2} | {:.2} | {share} |", flops / micros / 1e3, bytes / micros / 1e3)?;
        }
        write!(f, "| all {} | {all:.1} | | | | | | |", self.kernels.len())
    }
}
