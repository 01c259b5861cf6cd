//! A pool of threads, and work cut into equal parts for it.

use crate::error::Cause;
use crate::{Error, Result};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// How many threads an [`Executor`](crate::cpu::Executor) works with. Clones share their threads.
#[derive(Debug, Clone)]
pub struct Threads {
    count: usize,
    /// `None`: the caller's thread alone.
    pool: Option<Arc<rayon::ThreadPool>>,
    least_work: usize,
}

/// Floating-point operations, about 40 µs of them.
const LEAST_WORK: usize = 1 << 22;

/// More do not help the networks this crate is for; a larger number can be asked for.
const MOST_BY_DEFAULT: usize = 16;

/// A larger number is taken for a mistake: asking the system for so many threads does harm.
const MOST: usize = 1024;

impl Default for Threads {
    /// As many as this process may run at once, at most 16.
    fn default() -> Threads {
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        Threads::new(available.min(MOST_BY_DEFAULT)).unwrap_or(Threads::ALONE)
    }
}

impl Threads {
    const ALONE: Threads = Threads { count: 1, pool: None, least_work: LEAST_WORK };

    /// `count` threads; 1 is the caller's alone.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for none, [`Error::Limit`] for more than 1024, [`Error::Device`] where the system does not give them.
    pub fn new(count: usize) -> Result<Threads> {
        let pool = match count {
            0 => return Err(Error::zero_size("threads", "their number")),
            1 => None,
            more if more > MOST => {
                let (limit, needed, available) = ("threads of a pool", more as u64, MOST as u64);
                return Err(Error::limit("threads", limit, needed, available));
            }
            _ => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
                Some(Arc::new(pool.map_err(|error| Error::Device {
                    problem: format!("{count} threads: {error}"),
                    source: Cause::new(error),
                })?))
            }
        };
        Ok(Threads { count, pool, ..Threads::ALONE })
    }

    /// With another number of floating-point operations below which one more thread is thought to cost more than it takes over
    /// (2²²).
    pub fn least_work(self, operations: usize) -> Threads {
        Threads { least_work: operations.max(1), ..self }
    }

    /// Their number.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `with` inside the pool if its `largest` piece of work will be shared out, so that [`Threads::each`] need not wait for
    /// the pool; otherwise on the caller's thread, where the weights are in cache.
    pub(crate) fn enter<R: Send>(&self, largest: usize, with: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) if largest > self.least_work => pool.install(with),
            _ => with(),
        }
    }

    pub(crate) fn each<T: Send>(&self, parts: Vec<T>, work: impl Fn(T) + Sync + Send) {
        match &self.pool {
            Some(pool) if parts.len() > 1 => {
                pool.install(|| parts.into_par_iter().with_max_len(1).for_each(work));
            }
            _ => parts.into_iter().for_each(work),
        }
    }

    /// Splits `0..items` into as many ranges as are worth a thread each, for `work` operations in all. Sums are cut where ranges
    /// are, so the ranges must depend on nothing but these numbers.
    pub(crate) fn ranges(&self, items: usize, work: usize) -> Vec<Range<usize>> {
        let parts = self.count.min(items).min(work.div_ceil(self.least_work)).max(1);
        (0..parts).map(|part| part * items / parts..(part + 1) * items / parts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Threads;

    #[test]
    fn ranges_cover_all_once() {
        let threads = Threads::new(3).unwrap();
        for items in [1, 2, 3, 7, 128] {
            let ranges = threads.ranges(items, usize::MAX);
            assert_eq!(ranges.len(), items.min(3));
            assert_eq!(ranges.into_iter().flatten().collect::<Vec<_>>(), (0..items).collect::<Vec<_>>());
        }
        assert_eq!(threads.ranges(128, 1000), vec![0..128]);
    }
}
