use super::{Bound, Lie, MODES, Signal, compare, numbers, run};
use crate::model::{Activation, Encoding, Mode};
use crate::ops::encode::{Encode, EncodeForward, EncodeSignal};
use crate::shader::Flow;
use std::f64::consts::PI;

/// `f_k` at a and its derivatives.
fn function(encoding: Encoding, a: f64, k: usize) -> [f64; 3] {
    match encoding {
        Encoding::Frequency { .. } => {
            let w = 2.0_f64.powi((k / 2) as i32) * PI;
            let (sin, cos) = (w * a).sin_cos();
            if k.is_multiple_of(2) { [sin, w * cos, -w * w * sin] } else { [cos, -w * sin, -w * w * cos] }
        }
        Encoding::OneBlob { bins } => {
            let bins = bins as f64;
            let d = bins * a - k as f64 - 0.5;
            let f = (-0.5 * d * d).exp();
            [f, -bins * d * f, bins * bins * (d * d - 1.0) * f]
        }
    }
}

#[test]
fn encodings_and_what_flows_back() {
    let encodings = [
        Encoding::Frequency { octaves: 1 },
        Encoding::Frequency { octaves: 5 },
        Encoding::OneBlob { bins: 1 },
        Encoding::OneBlob { bins: 32 },
    ];
    for (encoding, [channels, positions]) in
        encodings.into_iter().flat_map(|encoding| [[1, 1], [5, 7], [70, 1]].map(|sizes| (encoding, sizes)))
    {
        let (len, each) = (channels * positions, encoding.numbers());
        let (x, z) = (Lie::Rows { len }, Lie::Rows { len: len * each });
        let encode = Encode { encoding, numbers: len as u32, positions: positions as u32 };
        let values = numbers(1, len);
        let place = |i: usize, k: usize| (i / positions * each + k) * positions + i % positions;
        let mut want = vec![0.0; z.len()];
        for (i, k) in (0..len).flat_map(|i| (0..each).map(move |k| (i, k))) {
            want[place(i, k)] = function(encoding, values[i], k)[0];
        }
        let found = run(EncodeForward(encode), &[Bound::Read(x.store(&values)), Bound::Write(len * each)]);
        compare("encoded", &z.load(&found[0]), &want);
        for mode in MODES {
            // Small, for f'' is in thousands, and sums of such terms cancel.
            let mut signal = Signal::new(mode, z.len());
            signal.0.iter_mut().flatten().for_each(|s| *s *= 0.01);
            let sum = |i: usize, number: usize| -> f64 {
                let term = |k: usize| {
                    let [_, d1, d2] = function(encoding, values[i], k);
                    let at = place(i, k);
                    let curved = if mode == Mode::HesScaleGn { 0.0 } else { d2 * signal.0[0][at] };
                    let s = signal.0[number][at];
                    if number == 1 { d1 * d1 * s + curved } else { d1 * s }
                };
                (0..each).map(term).sum()
            };
            let through = |number| (0..len).map(|i| sum(i, number)).collect();
            let below = Signal((0..signal.0.len()).map(through).collect());
            for activation in [Activation::Identity, Activation::Tanh] {
                let (plane_in, plane_out) = (z.plane() as u32, x.plane() as u32);
                let flow = Flow { mode, below: activation, plane_in, plane_out };
                let a = numbers(7, len);
                let mut bound = vec![
                    Bound::Read(signal.store(mode, z)),
                    Bound::Write(x.plane() * mode.planes()),
                    Bound::Read(x.store(&values)),
                ];
                let mut want = Signal(below.0.clone());
                if activation == Activation::Tanh {
                    bound.push(Bound::Read(x.store(&a)));
                    want = want.through_tanh(mode, &a);
                }
                let found = run(EncodeSignal { encode, flow }, &bound);
                want.check(&format!("{encoding:?} {mode:?} {activation:?}"), mode, x, &found[0]);
            }
        }
    }
}

/// High octaves of numbers far from 0, which whole turns are taken off exactly; numbers that have no angle.
#[test]
fn octaves_far_out() {
    let encoding = Encoding::Frequency { octaves: 32 };
    let values = [0.3_f32, -0.999, 7.25, -1234.567, 1e-30].map(f64::from);
    let encode = Encode { encoding, numbers: 5, positions: 1 };
    let (x, z) = (Lie::Rows { len: 5 }, Lie::Rows { len: 5 * 64 });
    let found = run(EncodeForward(encode), &[Bound::Read(x.store(&values)), Bound::Write(z.len())]);
    let turned = |a: f64, k: usize| {
        let t = 2.0_f64.powi((k / 2) as i32) * a;
        let angle = PI * (t - 2.0 * (t / 2.0).round());
        if k.is_multiple_of(2) { angle.sin() } else { angle.cos() }
    };
    let want: Vec<f64> = (0..z.len()).map(|i| turned(values[i / 64], i % 64)).collect();
    compare("octaves", &z.load(&found[0]), &want);
    for bad in [f32::NAN, f32::INFINITY] {
        for (encoding, spoilt) in
            [(Encoding::Frequency { octaves: 2 }, true), (Encoding::OneBlob { bins: 4 }, bad.is_nan())]
        {
            let encode = Encode { encoding, numbers: 1, positions: 1 };
            let found = run(EncodeForward(encode), &[Bound::Read(vec![bad.to_bits()]), Bound::Write(4)]);
            assert!(found[0].iter().all(|z| f32::from_bits(*z).is_nan() == spoilt), "{bad} {encoding:?}");
        }
    }
}
