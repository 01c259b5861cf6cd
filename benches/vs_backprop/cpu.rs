//! The same measurement for the CPU executor.

use crate::measure::{Effort, Row, WARM_UP, median};
use crate::workload::{Data, MODES, Workload};
use cpu_time::ProcessTime;
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::{Init, Noise};
use hesscale::{Mode, Result};
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

/// A mode's executor and a plain one, with the times of their interleaved steps.
struct Contest {
    mode: Mode,
    executors: [Executor; 2],
    times: [Times; 2],
}

/// One row for each number of threads and mode.
pub(crate) fn measure(threads: &[Threads], workload: &Workload, effort: Effort) -> Result<Vec<Row>> {
    let (parameters, data) = (workload.model.init(Init::Glorot, 1)?, workload.data());
    let mut contests = Vec::new();
    for (threads, mode) in threads.iter().flat_map(|threads| MODES.map(|mode| (threads, mode))) {
        let executor = |mode| {
            let options = ExecutorOptions::training(mode).threads(threads.clone());
            Executor::new(&workload.model, workload.batch, options)
        };
        let executors = [executor(MODES[0])?, executor(mode)?];
        contests.push(Contest { mode, executors, times: Default::default() });
    }
    let round = |contests: &mut [Contest]| {
        contests.iter_mut().try_for_each(|contest| contest.turn(&parameters, &data))
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
    /// A plain step, then one of the mode's.
    fn turn(&mut self, parameters: &[f32], data: &Data) -> Result<()> {
        let modes = [MODES[0], self.mode];
        for ((executor, mode), times) in self.executors.iter_mut().zip(modes).zip(&mut self.times) {
            let (start, processor) = (Instant::now(), ProcessTime::now());
            executor.pass(mode, parameters, &data.inputs, data.targets(), Noise::default())?;
            times.processor.push(1e3 * processor.elapsed().as_secs_f64());
            times.wall.push(1e3 * start.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn row(self, workload: &Workload) -> Row {
        let [plain, own] = &self.executors;
        let (flops, plain_flops) = (own.flops(self.mode), plain.flops(MODES[0]));
        let threads = own.threads().count();
        let [plain_times, mode_times] = self.times;
        Row {
            workload: workload.network,
            batch: workload.batch,
            mode: self.mode.name(),
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
