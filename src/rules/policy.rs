//! Targets of policies: what was done, how likely it was then, and how good it turned out to be.

use crate::{Error, Result};

/// Targets of [`Loss::PpoDiscrete`](crate::Loss::PpoDiscrete) for [`Targets::Values`](crate::model::Targets::Values): rows
/// `[action, log π_old(action), advantage]`. An action is the index of its logit, at most 2²⁴.
///
/// ```
/// use hesscale::model::discrete_policy_targets;
///
/// let rows = discrete_policy_targets(&[2, 0], &[-0.5, -1.25], &[1.0, -2.0])?;
/// assert_eq!(rows, [2.0, -0.5, 1.0, 0.0, -1.25, -2.0]);
/// # Ok::<(), hesscale::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`] unless there are as many of each.
pub fn discrete_policy_targets(
    actions: &[u32],
    old_log_probs: &[f32],
    advantages: &[f32],
) -> Result<Vec<f32>> {
    let actions: Vec<f32> = actions.iter().map(|action| *action as f32).collect();
    rows(&actions, actions.len(), old_log_probs, advantages)
}

/// Targets of [`Loss::PpoGaussian`](crate::Loss::PpoGaussian) for [`Targets::Values`](crate::model::Targets::Values): rows
/// `[action …, log π_old(action), advantage]`. `actions` is `[N, K]`, one number for each of the K means.
///
/// # Errors
/// [`Error::Length`] unless there are N old log-probabilities and N advantages.
pub fn gaussian_policy_targets(
    actions: &[f32],
    old_log_probs: &[f32],
    advantages: &[f32],
) -> Result<Vec<f32>> {
    rows(actions, old_log_probs.len(), old_log_probs, advantages)
}

fn rows(actions: &[f32], samples: usize, old_log_probs: &[f32], advantages: &[f32]) -> Result<Vec<f32>> {
    Error::check_length("old log-probabilities", old_log_probs.len(), samples)?;
    Error::check_length("advantages", advantages.len(), samples)?;
    let width = actions.len().checked_div(samples).unwrap_or(0).max(1);
    Error::check_length("actions", actions.len(), samples * width)?;
    let behind = old_log_probs.iter().zip(advantages);
    let row = |(action, (old, advantage)): (&[f32], (&f32, &f32))| [action, &[*old, *advantage]].concat();
    Ok(actions.chunks(width).zip(behind).flat_map(row).collect())
}

/// Whether the action of each row is one of so many.
pub(super) fn check_actions(actions: usize, rows: &[f32]) -> Result<()> {
    for (index, action) in rows.chunks(3).map(|row| row[0]).enumerate() {
        if !(action >= 0.0 && action.fract() == 0.0) {
            let (place, needed) = (format!("target {index}"), "the index of a logit");
            return Err(Error::value(place, "the action", f64::from(action), needed));
        }
        if action as usize >= actions {
            return Err(Error::TargetOutOfRange { index, class: action as i64, classes: actions });
        }
    }
    Ok(())
}
