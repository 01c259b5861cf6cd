//! Checks that both libraries compute the same gradient before anything is timed.

use hesscale::model::Parameter;

/// The tolerance relative to a tensor's largest element; the libraries sum in different orders.
const TOLERANCE: f32 = 1e-3;

/// The largest error of a tensor.
///
/// # Errors
/// The tensor that is wrong.
pub(crate) fn check(parameters: &[Parameter], ours: &[f32], theirs: &[Vec<f32>]) -> Result<f32, String> {
    if theirs.len() != parameters.len() {
        return Err(format!("burn has {} tensors and not {}", theirs.len(), parameters.len()));
    }
    let mut worst = 0.0;
    for (parameter, theirs) in parameters.iter().zip(theirs) {
        let error = error(&ours[parameter.range()], theirs);
        // NaN counts as wrong too.
        if !matches!(error, Some(error) if error <= TOLERANCE) {
            return Err(format!("gradient of {}: error {error:?}", parameter.name()));
        }
        worst = error.unwrap_or_default().max(worst);
    }
    Ok(worst)
}

/// `max |a - b| / max |b|`; `None` if the lengths differ.
fn error(a: &[f32], b: &[f32]) -> Option<f32> {
    let largest = |values: &mut dyn Iterator<Item = f32>| {
        values.map(f32::abs).fold(0.0, |most: f32, x| if x.is_nan() || x > most { x } else { most })
    };
    let difference = largest(&mut a.iter().zip(b).map(|(a, b)| a - b));
    (a.len() == b.len()).then(|| difference / largest(&mut b.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::check;
    use hesscale::{Loss, Model};

    #[test]
    fn a_wrong_number_is_found() {
        let model = Model::builder([3]).dense(2).loss(Loss::mse()).expect("a model");
        let ours: Vec<f32> = (0..model.flat_len()).map(|i| 1.0 + i as f32).collect();
        let theirs: Vec<Vec<f32>> = model.parameters().iter().map(|p| ours[p.range()].to_vec()).collect();
        assert_eq!(check(model.parameters(), &ours, &theirs), Ok(0.0));
        for wrong in [2.0, f32::NAN, f32::INFINITY] {
            for tensor in 0..theirs.len() {
                let mut broken = theirs.clone();
                broken[tensor][1] = wrong;
                broken[tensor][1] += ours[model.parameters()[tensor].offset + 1];
                assert!(check(model.parameters(), &ours, &broken).is_err(), "{wrong} in {tensor}");
            }
        }
        assert!(check(model.parameters(), &ours, &theirs[..1]).is_err());
    }
}
