//! The same measurement for the CPU executor.

use crate::measure::{Effort, Row, WARM_UP, median};
use crate::workload::{Data, MATRICES, MODES, Workload};
use cpu_time::ProcessTime;
use hesscale::cpu::{Executor, ExecutorOptions, Products, Threads};
use hesscale::curvature::Operator;
use hesscale::model::{Init, Noise};
use hesscale::{Error, Mode, Result};
use std::time::{Duration, Instant};

/// The given number of threads, or one and all.
pub(crate) fn threads(count: Option<usize>) -> Result<Vec<Threads>> {
    let all = Threads::default();
    match count {
        Some(count) => Ok(vec![Threads::new(count)?]),
        None if all.count() > 1 => Ok(vec![Threads::new(1)?, all]),
        None => Ok(vec![all]),
    }
}

/// Milliseconds of steps: wall-clock time, and CPU time of all threads, which does not depend on the machine's load.
#[derive(Default)]
struct Times {
    wall: Vec<f64>,
    processor: Vec<f64>,
}

/// What is compared with a plain executor.
enum Other {
    Mode(Mode, Box<Executor>),
    Product(&'static str, Box<Products>),
    /// Behind another at the same parameters.
    NextProduct(&'static str, Box<Products>),
}

/// It and a plain one, with the times of their interleaved steps.
struct Contest {
    plain: Executor,
    other: Other,
    times: [Times; 2],
}

/// One row for each number of threads and mode, and for each product.
pub(crate) fn measure(threads: &[Threads], workload: &Workload, effort: Effort) -> Result<Vec<Row>> {
    let (parameters, data) = (workload.model.init(Init::Glorot, 1)?, workload.data());
    let mut contests = Vec::new();
    for threads in threads {
        let options = |mode| ExecutorOptions::training(mode).threads(threads.clone());
        let executor = |mode| Executor::new(&workload.model, workload.batch, options(mode));
        let mut push = |other| -> Result<()> {
            contests.push(Contest { plain: executor(MODES[0])?, other, times: Default::default() });
            Ok(())
        };
        for mode in MODES {
            push(Other::Mode(mode, Box::new(executor(mode)?)))?;
        }
        for (name, matrix) in MATRICES {
            let products = || Products::new(&workload.model, workload.batch, matrix, options(Mode::None));
            match products() {
                Err(Error::Unsupported { .. }) => {}
                first => {
                    push(Other::Product(name[0], Box::new(first?)))?;
                    push(Other::NextProduct(name[1], Box::new(products()?)))?;
                }
            }
        }
    }
    // Not the parameters themselves, which would be in cache.
    let v: Vec<f32> = parameters.iter().map(|parameter| 0.5 * parameter).collect();
    let round = |contests: &mut [Contest]| {
        contests.iter_mut().try_for_each(|contest| contest.turn(&parameters, &v, &data))
    };
    let mut one = Duration::MAX;
    for _ in 0..WARM_UP {
        let start = Instant::now();
        round(&mut contests)?;
        one = one.min(start.elapsed());
    }
    contests.iter_mut().for_each(|contest| contest.times = Default::default());
    for _ in 0..effort.repetitions(one) {
        round(&mut contests)?;
    }
    Ok(contests.into_iter().map(|contest| contest.row(workload)).collect())
}

impl Contest {
    /// A plain step, then one of the other's.
    fn turn(&mut self, parameters: &[f32], v: &[f32], data: &Data) -> Result<()> {
        let [plain_times, times] = &mut self.times;
        timed(plain_times, || pass(&mut self.plain, MODES[0], parameters, data))?;
        match &mut self.other {
            Other::Mode(mode, executor) => timed(times, || pass(executor, *mode, parameters, data)),
            Other::Product(_, products) => {
                timed(times, || products.product(parameters, &data.inputs, data.targets(), None, v).map(drop))
            }
            Other::NextProduct(_, products) => {
                let mut product = vec![0.0; v.len()];
                let mut at = products.at(parameters, &data.inputs, data.targets(), None)?;
                at.apply(parameters, &mut product)?;
                timed(times, || at.apply(v, &mut product))
            }
        }
    }

    fn row(self, workload: &Workload) -> Row {
        let (mode, flops) = match &self.other {
            Other::Mode(mode, executor) => (mode.name(), executor.flops(*mode)),
            Other::Product(name, products) => (*name, products.flops()),
            Other::NextProduct(name, products) => (*name, products.flops_behind_the_first()),
        };
        let (plain_flops, threads) = (self.plain.flops(MODES[0]), self.plain.threads().count());
        let [plain_times, mode_times] = self.times;
        Row {
            workload: workload.network,
            batch: workload.batch,
            mode,
            plain_ms: median(plain_times.wall),
            mode_ms: median(mode_times.wall),
            device_ms: Some((median(plain_times.processor), median(mode_times.processor))),
            flops,
            flop_ratio: flops as f64 / plain_flops as f64,
            dispatches: threads,
            adapter: format!("processor, {threads} threads"),
        }
    }
}

fn pass(executor: &mut Executor, mode: Mode, parameters: &[f32], data: &Data) -> Result<()> {
    executor.pass(mode, parameters, &data.inputs, data.targets(), Noise::default()).map(drop)
}

fn timed(times: &mut Times, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let (start, processor) = (Instant::now(), ProcessTime::now());
    act()?;
    times.processor.push(1e3 * processor.elapsed().as_secs_f64());
    times.wall.push(1e3 * start.elapsed().as_secs_f64());
    Ok(())
}
