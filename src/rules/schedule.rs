//! Learning rates over the course of training.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What the learning rate is multiplied by at each step, counted from 0. Plain data: a checkpoint keeps it.
///
/// ```
/// use hesscale::model::Schedule;
///
/// // Up to the full rate in 100 steps, there for 1000, then down to a hundredth of it in 5000.
/// let schedule = Schedule::warm_up(100).then(100, Schedule::constant()).then(1100, Schedule::cosine(5000, 0.01));
/// assert_eq!([0, 99, 500, 6100, 9999].map(|step| schedule.factor(step)), [0.01, 1.0, 1.0, 0.01, 0.01]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// The same factor throughout.
    Constant {
        /// Finite and not negative, as all factors.
        factor: f64,
    },
    /// In a straight line, `from + (to − from) t / steps`, then `to`.
    Linear {
        /// At step 0.
        from: f64,
        /// From step `steps` on.
        to: f64,
        /// Steps until then.
        steps: u64,
    },
    /// Half a period of a cosine, `to + (from − to) (1 + cos(π t / steps)) / 2`, then `to`.
    Cosine {
        /// At step 0.
        from: f64,
        /// From step `steps` on.
        to: f64,
        /// Steps until then.
        steps: u64,
    },
    /// `factor^⌊t / every⌋`
    Step {
        /// Steps between two changes, at least 1.
        every: u64,
        /// What each multiplies by.
        factor: f64,
    },
    /// `factor^t`
    Exponential {
        /// What each step multiplies by.
        factor: f64,
    },
    /// One after another, each from its own step 0 on.
    Sequence {
        /// What comes first.
        first: Box<Schedule>,
        /// The step at which `then` begins.
        at: u64,
        /// What follows.
        then: Box<Schedule>,
    },
}

impl Schedule {
    /// The learning rate as it is.
    #[must_use]
    pub fn constant() -> Schedule {
        Schedule::Constant { factor: 1.0 }
    }

    /// A linear warm-up: `1 / steps` at the first step, 1 at the last of `steps`, and from then on.
    #[must_use]
    pub fn warm_up(steps: u64) -> Schedule {
        Schedule::Linear { from: 1.0 / steps.max(1) as f64, to: 1.0, steps: steps.saturating_sub(1) }
    }

    /// From 1 down to `to` within `steps`, along a cosine.
    #[must_use]
    pub fn cosine(steps: u64, to: f64) -> Schedule {
        Schedule::Cosine { from: 1.0, to, steps }
    }

    /// Times `factor` after every so many steps.
    #[must_use]
    pub fn step(every: u64, factor: f64) -> Schedule {
        Schedule::Step { every, factor }
    }

    /// Times `factor` after every step.
    #[must_use]
    pub fn exponential(factor: f64) -> Schedule {
        Schedule::Exponential { factor }
    }

    /// This until step `at`, then another from its own beginning.
    #[must_use]
    pub fn then(self, at: u64, then: Schedule) -> Schedule {
        Schedule::Sequence { first: Box::new(self), at, then: Box::new(then) }
    }

    /// The factor of a step, counted from 0.
    #[must_use]
    pub fn factor(&self, step: u64) -> f64 {
        let share = |steps: u64| if step >= steps { 1.0 } else { step as f64 / steps as f64 };
        match *self {
            Schedule::Constant { factor } => factor,
            Schedule::Linear { to, steps, .. } | Schedule::Cosine { to, steps, .. } if step >= steps => to,
            Schedule::Linear { from, to, steps } => from + (to - from) * share(steps),
            Schedule::Cosine { from, to, steps } => {
                to + (from - to) * (0.5 + 0.5 * (std::f64::consts::PI * share(steps)).cos())
            }
            Schedule::Step { every, factor } => factor.powf((step / every.max(1)) as f64),
            Schedule::Exponential { factor } => factor.powf(step as f64),
            Schedule::Sequence { ref first, at, ref then } => match step.checked_sub(at) {
                Some(step) => then.factor(step),
                None => first.factor(step),
            },
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`Error::Value`] for a factor that is negative, NaN or infinite, for one above 1 where it is raised to a power, and for an
    /// `every` of 0.
    pub fn validate(&self) -> Result<()> {
        let check = |name, value: f64, ok: bool, needed| {
            if ok { Ok(()) } else { Err(Error::value("schedule", name, value, needed)) }
        };
        let factor = |name, value: f64| {
            check(name, value, (value as f32).is_finite() && value >= 0.0, "finite in f32 and >= 0")
        };
        let power = |value: f64| check("factor", value, (0.0..=1.0).contains(&value), "in [0, 1]");
        match self {
            Schedule::Constant { factor: value } => factor("factor", *value),
            Schedule::Linear { from, to, .. } | Schedule::Cosine { from, to, .. } => {
                factor("from", *from)?;
                factor("to", *to)
            }
            Schedule::Step { every, factor } => {
                check("every", *every as f64, *every > 0, "at least 1")?;
                power(*factor)
            }
            Schedule::Exponential { factor } => power(*factor),
            Schedule::Sequence { first, then, .. } => {
                first.validate()?;
                then.validate()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use crate::Error;

    #[test]
    fn factors() {
        let at = |schedule: &Schedule, steps: &[u64]| -> Vec<f64> {
            steps.iter().map(|step| schedule.factor(*step)).collect()
        };
        assert_eq!(at(&Schedule::constant(), &[0, 9]), [1.0, 1.0]);
        assert_eq!(at(&Schedule::warm_up(4), &[0, 1, 2, 3, 4, 99]), [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        assert_eq!(at(&Schedule::warm_up(0), &[0, 1]), [1.0, 1.0]);
        assert_eq!(at(&Schedule::warm_up(1), &[0, 1]), [1.0, 1.0]);
        let cosine = at(&Schedule::cosine(4, 0.5), &[0, 1, 2, 4, u64::MAX]);
        let expected = [1.0, 0.5 + 0.25 * (1.0 + 0.5_f64.sqrt()), 0.75, 0.5, 0.5];
        assert!(cosine.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{cosine:?}");
        assert_eq!(at(&Schedule::step(3, 0.5), &[0, 2, 3, 5, 6]), [1.0, 1.0, 0.5, 0.5, 0.25]);
        assert_eq!(at(&Schedule::exponential(0.5), &[0, 1, 3]), [1.0, 0.5, 0.125]);
        let both = Schedule::warm_up(2).then(2, Schedule::exponential(0.5)).then(4, Schedule::constant());
        assert_eq!(at(&both, &[0, 1, 2, 3, 4, 5]), [0.5, 1.0, 1.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn wrong_numbers_are_refused() {
        for schedule in [
            Schedule::Constant { factor: -1.0 },
            Schedule::cosine(5, f64::NAN),
            Schedule::Linear { from: f64::INFINITY, to: 1.0, steps: 3 },
            Schedule::step(0, 0.5),
            Schedule::step(3, 1.5),
            Schedule::exponential(-0.5),
            Schedule::warm_up(3).then(3, Schedule::exponential(2.0)),
        ] {
            assert!(matches!(schedule.validate(), Err(Error::Value { .. })), "{schedule:?}");
        }
        assert!(Schedule::warm_up(3).then(3, Schedule::cosine(9, 0.0)).validate().is_ok());
    }

    #[test]
    fn json_keeps_them() {
        let schedule = Schedule::warm_up(3).then(3, Schedule::step(5, 0.1)).then(9, Schedule::cosine(9, 0.0));
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
        assert!(serde_json::from_str::<Schedule>(r#"{"type":"constant","factor":1.0,"extra":1}"#).is_err());
    }
}
