//! Nearly valid inputs: no panic, and no allocation of a size that only a header claims.
//!
//! A few by default; `HESSCALE_FUZZ_INPUTS=10000000 HESSCALE_FUZZ_SEED=2 cargo test --test fuzz` for more and others. The
//! test profile checks arithmetic for overflow. What fails is printed with its seed.

mod allocator;
mod files;
mod models;
mod mutate;
#[path = "../common/pickled.rs"]
mod pickled;
#[path = "../common/signed.rs"]
mod signed;

use fastrand::Rng;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Inputs over all targets.
fn budget() -> u64 {
    variable("HESSCALE_FUZZ_INPUTS").unwrap_or(100_000)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// Says on a panic which input it was.
struct Culprit<'a> {
    target: &'a str,
    seed: u64,
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {}, seed {}", self.target, self.seed);
        }
    }
}

/// One at a time, so that an allocation can be attributed.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails where an input of `len` bytes took more memory than such a one may.
fn keeps_to(taken: usize, len: usize) {
    assert!(taken <= (64 << 20) + 64 * len, "{taken} bytes of memory for an input of {len}");
}

/// Runs `share` per cent of the budget through `target`, which makes an input of random numbers, uses it, and says how long
/// it was and whether it was accepted.
fn fuzz(name: &str, share: u64, mut target: impl FnMut(&mut Rng) -> (usize, bool)) {
    let _alone = alone();
    let (inputs, first) = (budget() * share / 100, variable("HESSCALE_FUZZ_SEED").unwrap_or(1) << 32);
    let begin = Instant::now();
    let (mut accepted, mut most) = (0_u64, 0);
    for seed in first..first + inputs {
        let _culprit = Culprit { target: name, seed };
        let (before, mut random) = (allocator::begin(), Rng::with_seed(seed));
        let (len, good) = target(&mut random);
        let taken = allocator::peak() - before;
        keeps_to(taken, len);
        accepted += u64::from(good);
        most = taken.max(most);
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{name}: {inputs} inputs in {seconds:.1} s, {accepted} accepted, {most} bytes at most");
    // Both ways are taken.
    assert!(accepted > 0 && accepted < inputs, "{accepted} of {inputs} accepted");
}
