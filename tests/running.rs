//! Running normalisation of observations and scaling of rewards.

use hesscale::train::{RewardScale, RunningNormalization, Trainer, TrainerOptions};
use hesscale::{Error, Loss, Model, Optimizer, Result};

/// Numbers far from zero, of which naive sums of squares would lose the variance.
fn stream(count: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(7);
    let row = |random: &mut fastrand::Rng| [random.f32() - 0.5, 1e6 + 4.0 * random.f32(), -3.0];
    (0..count).flat_map(|_| row(&mut random)).collect()
}

#[test]
fn moments_are_those_of_all_that_was_seen() {
    let all = stream(1_000);
    let mut running = RunningNormalization::new(3).unwrap();
    assert_eq!((running.count(), running.variance()), (0, vec![1.0; 3]));
    // In pieces of any size.
    for piece in [&all[..3], &all[3..30], &[], &all[30..]] {
        running.observe(piece).unwrap();
    }
    assert_eq!(running.count(), 1_000);
    let mut normal = all.clone();
    running.normalize(&mut normal).unwrap();
    for channel in 0..3 {
        let of = |values: &[f32]| -> Vec<f64> {
            values.iter().skip(channel).step_by(3).map(|x| f64::from(*x)).collect()
        };
        let values = of(&all);
        let mean = values.iter().sum::<f64>() / 1e3;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 999.0;
        assert!((running.mean()[channel] - mean).abs() <= 1e-12 * mean.abs().max(1.0));
        assert!((running.variance()[channel] - variance).abs() <= 1e-9 * variance, "{channel}");
        let expected = values.iter().map(|x| (x - mean) / (variance + 1e-8).sqrt());
        assert!(of(&normal).iter().zip(expected).all(|(got, want)| (got - want).abs() < 1e-6));
    }
    // What never changes is at its mean.
    assert!(normal.iter().skip(2).step_by(3).all(|x| *x == 0.0));
}

#[test]
fn rewards_over_the_deviation_of_the_return() {
    let mut scale = RewardScale::new(0.9).unwrap();
    let (mut discounted, mut returns) = (0.0_f64, Vec::new());
    for step in 0..200_u8 {
        let (reward, last) = (f32::from(step % 7) - 2.0, step % 10 == 9);
        discounted = 0.9 * discounted + f64::from(reward);
        returns.push(discounted);
        let mean = returns.iter().sum::<f64>() / returns.len() as f64;
        let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
        let variance = if step == 0 { 1.0 } else { squares / (returns.len() - 1) as f64 };
        let got = f64::from(scale.scale(reward, last).unwrap());
        assert!((got - f64::from(reward) / variance.sqrt()).abs() < 1e-4, "step {step}: {got}");
        if last {
            discounted = 0.0;
        }
    }
}

#[test]
fn what_is_no_observation_changes_nothing() {
    assert!(matches!(RunningNormalization::new(0), Err(Error::ZeroSize { .. })));
    for discount in [-0.1, 1.1, f32::NAN] {
        assert!(matches!(RewardScale::new(discount), Err(Error::Value { name: "the discount", .. })));
    }
    let mut running = RunningNormalization::new(3).unwrap();
    running.observe(&stream(5)).unwrap();
    let before = running.clone();
    assert!(matches!(running.observe(&[1.0; 4]), Err(Error::Length { got: 4, needed: 6, .. })));
    for bad in [f32::NAN, f32::INFINITY] {
        let error = running.observe(&[1.0, 2.0, 3.0, 4.0, bad, 6.0]).unwrap_err();
        assert!(matches!(error, Error::NotFinite { index: 4, .. }), "{error}");
        let mut rows = [1.0, bad, 3.0];
        assert!(matches!(running.normalize(&mut rows), Err(Error::NotFinite { index: 1, .. })));
        assert_eq!((rows[0], rows[2]), (1.0, 3.0));
    }
    // The third number never changes: 1e4 times what is apart from it is too large.
    let mut rows = [0.0, 1e6, -3.0, 0.0, 1e6, 3e38];
    assert!(matches!(running.normalize(&mut rows), Err(Error::NotFinite { index: 5, .. })));
    assert_eq!(rows, [0.0, 1e6, -3.0, 0.0, 1e6, 3e38]);
    assert_eq!(running, before);
    // Returns that are all the same, so that their deviation is 0.
    let mut scale = RewardScale::new(0.9).unwrap();
    scale.scale(3e38, true).unwrap();
    let before = scale.clone();
    assert!(matches!(scale.scale(3e38, true), Err(Error::NotFinite { .. })));
    assert_eq!(scale, before);
    let mut scale = RewardScale::new(1.0).unwrap();
    scale.scale(f32::MAX, false).unwrap();
    let before = scale.clone();
    // Finite, but the return is not.
    for bad in [f32::NAN, f32::NEG_INFINITY, f32::MAX] {
        assert!(matches!(scale.scale(bad, true), Err(Error::NotFinite { .. })), "{bad}");
    }
    assert_eq!(scale, before);
}

/// A checkpoint's notes keep both, bit for bit; a damaged text is refused.
#[test]
fn they_go_on_from_a_checkpoint() -> Result<()> {
    let (mut running, mut scale) = (RunningNormalization::new(3)?, RewardScale::new(0.99)?);
    running.observe(&stream(40))?;
    for step in 0..10_u8 {
        scale.scale(f32::from(step).sin(), step == 4)?;
    }
    let model = Model::builder([3]).dense(2).loss(Loss::mse())?;
    let trainer = || Trainer::on_cpu(&model, Optimizer::sgd(0.1), TrainerOptions::default());
    let mut saved = trainer()?;
    saved.set_note("observations", serde_json::to_string(&running).unwrap());
    saved.set_note("rewards", serde_json::to_string(&scale).unwrap());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("running.safetensors");
    saved.save(&path)?;
    let mut loaded = trainer()?;
    loaded.load(&path)?;
    let note = |name: &str| loaded.notes()[name].as_str();
    let mut same: RunningNormalization = serde_json::from_str(note("observations")).unwrap();
    let mut same_scale: RewardScale = serde_json::from_str(note("rewards")).unwrap();
    assert_eq!((&same, &same_scale), (&running, &scale));
    running.observe(&stream(3))?;
    same.observe(&stream(3))?;
    assert_eq!(same, running);
    assert_eq!(same_scale.scale(0.3, false), scale.scale(0.3, false));

    for (text, problem) in [
        (r#"{"count": 2, "mean": [], "squares": []}"#, "length of an observation"),
        (r#"{"count": 2, "mean": [0.0], "squares": [1.0, 2.0]}"#, "squares"),
        (r#"{"count": 2, "mean": [0.0], "squares": [-1.0]}"#, "finite and >= 0"),
        (r#"{"count": 0, "mean": [5.0], "squares": [0.0]}"#, "0 before an observation"),
        (r#"{"count": 1, "mean": [5.0], "squares": [7.0]}"#, "0 before a second observation"),
        (r#"{"count": 2, "mean": [0.0], "squares": [1.0], "more": 1}"#, "unknown field"),
    ] {
        let error = serde_json::from_str::<RunningNormalization>(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    let two = r#"{"discount": 0.5, "discounted": 0.0, "returns": {"count": 0, "mean": [0.0, 0.0], "squares": [0.0, 0.0]}}"#;
    assert!(serde_json::from_str::<RewardScale>(two).unwrap_err().to_string().contains("returns"));
    Ok(())
}
