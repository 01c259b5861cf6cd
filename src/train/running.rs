//! Observations and rewards of a stream, brought to a common scale while they come in.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What keeps a variance of 0 from dividing.
const EPS: f64 = 1e-8;

/// Observations less their mean, over their deviation, of all that have been seen so far: each of their numbers by itself, by
/// Welford's recurrences in `f64` (Welford 1962; for learning from a stream, Elsayed, Vasan & Mahmood 2024, arXiv 2410.14606).
///
/// ```
/// use hesscale::train::RunningNormalization;
///
/// # fn main() -> hesscale::Result<()> {
/// let mut observations = RunningNormalization::new(2)?;
/// observations.observe(&[1.0, 10.0, 3.0, 20.0])?; // two of them
/// assert_eq!((observations.mean(), observations.variance()), (&[2.0, 15.0][..], vec![2.0, 50.0]));
/// let mut next = [2.0, 15.0];
/// observations.observe(&next)?;
/// observations.normalize(&mut next)?;
/// assert_eq!(next, [0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// By serde it keeps all that the next observation needs, and goes on with the same bits: a checkpoint has room for it in a note
/// ([`Trainer::set_note`](super::Trainer::set_note)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct RunningNormalization {
    count: u64,
    mean: Vec<f64>,
    /// The sum of squares of what is not the mean.
    squares: Vec<f64>,
}

/// As it is read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    count: u64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl TryFrom<Stored> for RunningNormalization {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<RunningNormalization> {
        let Stored { count, mean, squares } = stored;
        RunningNormalization::new(mean.len())?;
        Error::check_length("squares", squares.len(), mean.len())?;
        for mean in &mean {
            check("the mean", *mean, mean.is_finite(), "finite")?;
        }
        for squares in &squares {
            let good = squares.is_finite() && *squares >= 0.0;
            check("the sum of squares", *squares, good, "finite and >= 0")?;
            check(
                "the sum of squares",
                *squares,
                count > 1 || *squares == 0.0,
                "0 before a second observation",
            )?;
        }
        for mean in &mean {
            check("the mean", *mean, count > 0 || *mean == 0.0, "0 before an observation")?;
        }
        Ok(RunningNormalization { count, mean, squares })
    }
}

fn check(name: &'static str, value: f64, good: bool, needed: &'static str) -> Result<()> {
    if good { Ok(()) } else { Err(Error::value("running normalization", name, value, needed)) }
}

impl RunningNormalization {
    /// Of observations of `len` numbers, none so far.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a length of 0.
    pub fn new(len: usize) -> Result<RunningNormalization> {
        match len {
            0 => Err(Error::zero_size("running normalization", "the length of an observation")),
            _ => Ok(RunningNormalization { count: 0, mean: vec![0.0; len], squares: vec![0.0; len] }),
        }
    }

    /// Takes in any number of observations `[N, len]`, in their order.
    ///
    /// # Errors
    /// [`Error::Length`] unless they are whole observations; [`Error::NotFinite`]. Nothing changes on an error.
    pub fn observe(&mut self, observations: &[f32]) -> Result<()> {
        self.check(observations)?;
        for observation in observations.chunks_exact(self.mean.len()) {
            self.count = self.count.saturating_add(1);
            let share = 1.0 / self.count as f64;
            let moments = self.mean.iter_mut().zip(&mut self.squares);
            for ((mean, squares), x) in moments.zip(observation.iter().map(|x| f64::from(*x))) {
                let before = x - *mean;
                *mean += share * before;
                *squares += before * (x - *mean);
            }
        }
        Ok(())
    }

    /// `x ← (x − mean) / √(variance + 1e-8)` of observations `[N, len]`, which are not taken in.
    ///
    /// # Errors
    /// As [`RunningNormalization::observe`]; [`Error::NotFinite`] also where a result would not be finite.
    pub fn normalize(&self, observations: &mut [f32]) -> Result<()> {
        self.check(observations)?;
        let len = self.mean.len();
        let normal = |index: usize, x: f32| {
            let k = index % len;
            ((f64::from(x) - self.mean[k]) / (self.variance_of(self.squares[k]) + EPS).sqrt()) as f32
        };
        let results = observations.iter().enumerate().map(|(index, x)| (index, normal(index, *x)));
        if let Some((index, value)) = results.into_iter().find(|(_, value)| !value.is_finite()) {
            return Err(Error::NotFinite { tensor: "normalized observations".into(), index, value });
        }
        observations.iter_mut().enumerate().for_each(|(index, x)| *x = normal(index, *x));
        Ok(())
    }

    /// Observations so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Of each number; 0 before the first observation.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Of each number, the sample's: `Σ (x − mean)² / (count − 1)`; 1 before the second observation.
    pub fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| self.variance_of(*squares)).collect()
    }

    fn variance_of(&self, squares: f64) -> f64 {
        if self.count < 2 { 1.0 } else { squares / (self.count - 1) as f64 }
    }

    fn check(&self, observations: &[f32]) -> Result<()> {
        let (got, len) = (observations.len(), self.mean.len());
        Error::check_length("observations", got, got.next_multiple_of(len))?;
        Error::check_finite("observations", observations)
    }
}

/// Rewards over the deviation of the discounted return, which is followed from step to step: `r / √(Var R + 1e-8)`,
/// `R ← γ R + r`, with R = 0 where an episode begins (Engstrom et al. 2020, arXiv 2005.12729; Elsayed, Vasan & Mahmood 2024). The
/// sign of a reward, and what zero is, stay.
///
/// ```
/// use hesscale::train::RewardScale;
///
/// # fn main() -> hesscale::Result<()> {
/// let mut rewards = RewardScale::new(0.5)?;
/// assert!((rewards.scale(2.0, false)? - 2.0).abs() < 1e-6); // one return has no variance: it counts as 1
/// // R = 2, then 5: a variance of 4.5
/// assert!((rewards.scale(4.0, true)? - 4.0 / 4.5_f32.sqrt()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredScale")]
pub struct RewardScale {
    discount: f32,
    /// R
    discounted: f32,
    returns: RunningNormalization,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredScale {
    discount: f32,
    discounted: f32,
    returns: RunningNormalization,
}

impl TryFrom<StoredScale> for RewardScale {
    type Error = Error;

    fn try_from(stored: StoredScale) -> Result<RewardScale> {
        let StoredScale { discount, discounted, returns } = stored;
        RewardScale::new(discount)?;
        Error::check_length("returns", returns.mean.len(), 1)?;
        check("the discounted return", discounted.into(), discounted.is_finite(), "finite")?;
        Ok(RewardScale { discount, discounted, returns })
    }
}

impl RewardScale {
    /// With a discount γ in [0, 1].
    ///
    /// # Errors
    /// [`Error::Value`] for another one.
    pub fn new(discount: f32) -> Result<RewardScale> {
        check("the discount", discount.into(), (0.0..=1.0).contains(&discount), "in [0, 1]")?;
        Ok(RewardScale { discount, discounted: 0.0, returns: RunningNormalization::new(1)? })
    }

    /// Takes in a reward and scales it; `last`: whether the episode ends with it.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a reward that is not finite, or makes the return or its own scaled value so. Nothing changes then.
    pub fn scale(&mut self, reward: f32, last: bool) -> Result<f32> {
        let RunningNormalization { count, mean, squares } = &self.returns;
        let before = (*count, mean[0], squares[0]);
        let discounted = self.discount * self.discounted + reward;
        self.returns.observe(&[discounted]).map_err(|_| Error::NotFinite {
            tensor: "rewards".into(),
            index: 0,
            value: if reward.is_finite() { discounted } else { reward },
        })?;
        let scaled = (f64::from(reward) / (self.variance() + EPS).sqrt()) as f32;
        if !scaled.is_finite() {
            (self.returns.count, self.returns.mean[0], self.returns.squares[0]) = before;
            return Err(Error::NotFinite { tensor: "scaled rewards".into(), index: 0, value: scaled });
        }
        self.discounted = if last { 0.0 } else { discounted };
        Ok(scaled)
    }

    /// Of the discounted return; 1 before the second reward.
    pub fn variance(&self) -> f64 {
        self.returns.variance_of(self.returns.squares[0])
    }
}
