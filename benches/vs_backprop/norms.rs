//! Normalisations on the CPU beside copies of as many bytes.

use crate::measure::{Effort, median};
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::{GroupNorm, Init, LayerNorm, Noise, OutputSignal, RmsNorm};
use hesscale::{At, Layer, Loss, Mode, Model, Result};
use std::hint::black_box;
use std::time::{Duration, Instant};

const BATCH: usize = 32;

/// A table: for each normalisation, how fast it reads and writes, over a copy's speed, on one thread.
pub(crate) fn table(effort: Effort) -> Result<String> {
    let layers: [(&str, [usize; 3], Layer); 5] = [
        ("layer norm, a pixel's 64 channels", [64, 16, 16], LayerNorm::of_channels().into()),
        ("RMS norm, a pixel's 64 channels", [64, 16, 16], RmsNorm::of_channels().into()),
        ("group norm, 8 of 64 channels", [64, 16, 16], GroupNorm::new(8).into()),
        ("group norm, all of 16 channels", [16, 32, 32], GroupNorm::new(1).into()),
        ("layer norm, an image of 16x32x32", [16, 32, 32], LayerNorm::new().into()),
    ];
    let mut text =
        format!("{:34} {:>8} {:>9} {:>9}\n", "over a copy of its bytes", "forward", "backward", "with h");
    for (name, shape, layer) in layers {
        let of = |times| {
            let layers = (0..times).fold(Model::builder(shape), |model, _| model.layer(layer.clone()));
            times_of(&layers.loss(Loss::external())?, effort)
        };
        // What one more takes: the first also changes the layout.
        let ([copy, one @ ..], [_, two @ ..]) = (of(1)?, of(2)?);
        // Numbers it moves for each of its input: x and z; x, g and the signal below; these and h above and below.
        let share = |i: usize, moved: f64| match moved / 2.0 * copy / (two[i] - one[i]) {
            share if share.is_finite() && share > 0.0 => format!("{share:.2}"),
            _ => "-".into(),
        };
        let [forward, backward, curved] = [share(0, 2.0), share(1, 3.0), share(2, 5.0)];
        text += &format!("{name:34} {forward:>8} {backward:>9} {curved:>9}\n");
    }
    Ok(text)
}

/// Medians in seconds: of a copy of the input, of the forward pass, of the backward pass to input and parameters, and of that with h.
fn times_of(model: &Model, effort: Effort) -> Result<[f64; 4]> {
    let (parameters, elements) = (model.init(Init::Auto, 1)?, BATCH * model.inputs());
    let x: Vec<f32> = (0..elements).map(|i| (i * 7919 % 1000) as f32 / 500.0).collect();
    let executor = |mode| {
        let options = ExecutorOptions::training(mode).signal(At::Input).threads(Threads::new(1)?);
        Executor::new(model, BATCH, options)
    };
    let (mut plain, mut curved, mut copy) = (executor(Mode::None)?, executor(Mode::HesScale)?, x.clone());
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..effort.repetitions(Duration::from_millis(20)) {
        let mut timed = |which: usize, act: &mut dyn FnMut() -> Result<()>| -> Result<()> {
            let start = Instant::now();
            act()?;
            times[which].push(start.elapsed().as_secs_f64());
            Ok(())
        };
        timed(0, &mut || {
            black_box(&mut copy).copy_from_slice(black_box(&x));
            Ok(())
        })?;
        timed(1, &mut || plain.forward(&parameters, &x, Noise::default()).map(drop))?;
        timed(2, &mut || plain.backward(Mode::None, &parameters, OutputSignal { g: &x, h: &[], u: &[] }))?;
        curved.forward(&parameters, &x, Noise::default())?;
        timed(3, &mut || {
            curved.backward(Mode::HesScale, &parameters, OutputSignal { g: &x, h: &x, u: &[] })
        })?;
    }
    Ok(times.map(median))
}
