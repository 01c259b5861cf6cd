//! The measurement: each mode's steps interleaved with plain ones.

use crate::timestamps::Timestamps;
use crate::workload::{MODES, Workload};
use hesscale::{Context, Pass, Plan, Products, Result};
use std::time::{Duration, Instant};

/// Numbers of repetitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    least: usize,
    most: usize,
    /// Within these bounds, a workload's repetitions take about this long.
    about: Duration,
}

impl Effort {
    pub(crate) const FULL: Effort = Effort { least: 11, most: 101, about: Duration::from_secs(5) };
    pub(crate) const QUICK: Effort = Effort { least: 3, most: 21, about: Duration::from_millis(500) };

    pub(crate) fn exactly(repetitions: usize) -> Effort {
        Effort { least: repetitions, most: repetitions, about: Duration::ZERO }
    }

    pub(crate) fn repetitions(self, one: Duration) -> usize {
        let fitting = self.about.as_secs_f64() / one.as_secs_f64().max(1e-6);
        (fitting as usize).clamp(self.least, self.most)
    }
}

/// Untimed steps of each mode before the first timed one: they compile, allocate and fill caches.
pub(crate) const WARM_UP: usize = 2;

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) workload: &'static str,
    pub(crate) batch: usize,
    pub(crate) mode: &'static str,
    /// Medians in milliseconds: of the plain steps next to this mode's, and of this mode's.
    pub(crate) plain_ms: f64,
    pub(crate) mode_ms: f64,
    /// The same by the device's clock, if any: GPU timestamps, or CPU time.
    pub(crate) device_ms: Option<(f64, f64)>,
    /// Floating-point operations of a step, and their ratio to a plain step's.
    pub(crate) flops: u64,
    pub(crate) flop_ratio: f64,
    /// Dispatches on a GPU; threads on the CPU.
    pub(crate) dispatches: usize,
    pub(crate) adapter: String,
}

impl Row {
    pub(crate) fn ratio(&self) -> f64 {
        self.mode_ms / self.plain_ms
    }

    pub(crate) fn gflops(&self) -> f64 {
        self.flops as f64 / self.mode_ms / 1e6
    }
}

/// Times of one kind of step.
#[derive(Default)]
struct Times {
    wall: Vec<f64>,
    gpu: Vec<f64>,
}

/// One row per mode, and per product.
pub(crate) fn measure(context: &Context, workload: &Workload, effort: Effort) -> Result<Vec<Row>> {
    let state = workload.state(context)?;
    let plain = workload.plan(context, &state, MODES[0])?;
    let plans = MODES.map(|mode| workload.plan(context, &state, mode));
    let plans = plans.into_iter().collect::<Result<Vec<_>>>()?;
    let products = workload.products(context, &state)?;
    let mut steps: Vec<(&'static str, Step<'_>)> = Vec::new();
    steps.extend(plans.iter().map(|plan| (plan.mode().name(), Step::Pass(plan))));
    for ([first, next], products) in &products {
        steps.extend([(*first, Step::Pass(products.plan())), (*next, Step::NextProduct(products))]);
    }
    let plain = Step::Pass(&plain);
    let clock = Timestamps::new(context);

    let mut one = Duration::MAX;
    for _ in 0..WARM_UP {
        let start = Instant::now();
        for (_, step) in &steps {
            plain.run(context, clock.as_ref(), &mut Times::default())?;
            step.run(context, clock.as_ref(), &mut Times::default())?;
        }
        one = one.min(start.elapsed());
    }
    // For each mode, the times of its steps and of the plain steps just before them, so that disturbances affect both.
    let mut times: Vec<[Times; 2]> = steps.iter().map(|_| Default::default()).collect();
    for _ in 0..effort.repetitions(one) {
        for ((_, step), [plain_times, step_times]) in steps.iter().zip(&mut times) {
            plain.run(context, clock.as_ref(), plain_times)?;
            step.run(context, clock.as_ref(), step_times)?;
        }
    }

    let flops = |step: &Step<'_>| step.dispatches().iter().sum::<u64>();
    let row = |((name, step), [plain_times, plan_times]): ((&'static str, Step<'_>), [Times; 2])| Row {
        workload: workload.network,
        batch: workload.batch,
        mode: name,
        plain_ms: median(plain_times.wall),
        mode_ms: median(plan_times.wall),
        device_ms: clock.is_some().then(|| (median(plain_times.gpu), median(plan_times.gpu))),
        flops: flops(&step),
        flop_ratio: flops(&step) as f64 / flops(&plain) as f64,
        dispatches: step.dispatches().len(),
        adapter: context.describe(),
    };
    Ok(steps.into_iter().zip(times).map(row).collect())
}

/// What is timed.
enum Step<'a> {
    /// A pass with its gradient, and its diagonal where the mode has one.
    Pass(&'a Plan),
    /// Behind a product at the same parameters.
    NextProduct(&'a Products),
}

impl Step<'_> {
    /// Records, submits and waits.
    fn run(&self, context: &Context, clock: Option<&Timestamps>, times: &mut Times) -> Result<()> {
        let start = Instant::now();
        let mut encoder = context.device().create_command_encoder(&Default::default());
        if let Some(clock) = clock {
            clock.write(&mut encoder, 0);
        }
        match self {
            Step::Pass(plan) => plan.record_gradient(&mut encoder, Pass::FULL)?,
            Step::NextProduct(products) => products.record_next(&mut encoder)?,
        }
        if let Some(clock) = clock {
            clock.write(&mut encoder, 1);
        }
        context.queue().submit([encoder.finish()]);
        context.wait()?;
        times.wall.push(1e3 * start.elapsed().as_secs_f64());
        if let Some(clock) = clock {
            times.gpu.push(clock.read(context)?);
        }
        Ok(())
    }

    /// The operations of each of its kernels.
    fn dispatches(&self) -> Vec<u64> {
        match self {
            Step::Pass(plan) => plan.dispatches().map(|(_, flops)| flops).collect(),
            Step::NextProduct(products) => products.next_dispatches().map(|(_, flops)| flops).collect(),
        }
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}
