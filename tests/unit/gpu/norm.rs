use super::{Bound, Lie, MODES, Signal, compare, numbers, run};
use crate::model::{Activation, GroupNorm, Layer, Mode, Parameter, RmsNorm, Targets};
use crate::ops::norm::{GroupNormForward, GroupNormSignal, NormGroups};
use crate::reference::{self, PassOutput, pass};
use crate::shader::{BatchShape, DeviceClass, Flow};
use crate::{Loss, Model};

/// A batch of groups: how they lie, and the model that is nothing but their normalisation.
struct Case {
    shape: BatchShape,
    lie: Lie,
    groups: u32,
    centred: bool,
    model: Model,
}

const EPS: f64 = 1e-3;

impl Case {
    fn new([batch, channels, positions]: [usize; 3], groups: usize, centred: bool, affine: bool) -> Case {
        let [n, c, p] = [batch, channels, positions].map(|size| size as u32);
        let rows = positions == 1 && groups == 1;
        let (shape, lie) = if rows {
            (BatchShape::Rows { batch: n, features: c }, Lie::Rows { len: batch * channels })
        } else {
            (
                BatchShape::Image { batch: n, channels: c, positions: p },
                Lie::Image { batch, channels, positions },
            )
        };
        let layer: Layer = match centred {
            true => GroupNorm::new(groups).eps(EPS).affine(affine).into(),
            false => RmsNorm::new().eps(EPS).affine(affine).into(),
        };
        let model = Model::builder([channels, positions]).layer(layer).flatten();
        let model = model.loss(Loss::mse().sum()).expect("valid");
        Case { shape, lie, groups: groups as u32, centred, model }
    }

    fn kernel(&self, class: DeviceClass) -> NormGroups {
        let parameters = self.model.parameters().len();
        let groups = NormGroups::new(class, self.shape, self.groups, EPS as f32);
        groups.centred(self.centred).affine(parameters > 0, parameters > 1)
    }

    /// γ and β, each as it is bound.
    fn parameters(&self, flat: &[f64]) -> Vec<Vec<u32>> {
        let rows = |p: &Parameter| Lie::Rows { len: p.len() }.store(&flat[p.range()]);
        self.model.parameters().iter().map(rows).collect()
    }

    fn pass(&self, mode: Mode, flat: &[f64], x: &[f64]) -> PassOutput<f64> {
        pass(&self.model, mode, flat, x, Targets::Values(&vec![0.5; x.len()])).expect("it runs")
    }
}

/// Every number of invocations that shares a group in any class; padding of every width; groups of one number.
fn cases() -> Vec<Case> {
    let of = Case::new;
    vec![
        of([3, 5, 1], 1, true, true),
        of([3, 1, 1], 1, true, true),
        of([70, 3, 1], 1, false, true),
        of([2, 300, 1], 1, true, false),
        of([2, 2500, 1], 1, false, true),
        of([1, 20_000, 1], 1, true, true),
        of([2, 5, 7], 1, true, true),
        of([2, 6, 1], 3, true, true),
        of([3, 6, 7], 2, true, true),
        of([2, 7, 35], 7, true, false),
        of([1, 9, 1100], 3, true, true),
        of([1, 2, 70_000], 1, true, true),
    ]
}

/// As the kernels' tests have it: g, what of the diagonal is not in u, u.
fn signal(of: &reference::Signal<f64>) -> Signal {
    let rest = if of.u.is_empty() { &of.h } else { &of.rest };
    let own = if rest.is_empty() { vec![] } else { vec![rest.clone()] };
    Signal([vec![of.g.clone()], own, of.u.clone()].concat())
}

#[test]
fn normalisation_of_samples() {
    for case in cases() {
        // The mean is not near 0.
        let x: Vec<f64> = numbers(4, case.lie.len()).iter().map(|x| f64::from((x + 3.0) as f32)).collect();
        let flat: Vec<f64> = numbers(5, case.model.flat_len());
        let lie = case.lie;
        for class in [DeviceClass::Software, DeviceClass::Discrete] {
            let norm = case.kernel(class);
            let what = format!("{norm:?}");
            let statistics = norm.statistics_len() as usize;
            let mut bound =
                vec![Bound::Read(lie.store(&x)), Bound::Write(lie.elements()), Bound::Write(statistics)];
            let parameters = case.parameters(&flat);
            bound.extend(parameters.iter().cloned().map(Bound::Read));
            let results = run(GroupNormForward(norm), &bound);
            let found = lie.load(&results[0]);
            compare(&what, &found, &case.pass(Mode::None, &flat, &x).logits);
            for mode in MODES {
                let want = case.pass(mode, &flat, &x);
                let (plane_in, plane_out) = (lie.plane() as u32, lie.plane() as u32);
                let flow = Flow { mode, below: Activation::Identity, plane_in, plane_out };
                let above = signal(&want.signals[0]);
                let mut bound = vec![
                    Bound::Read(above.store(mode, lie)),
                    Bound::Write(lie.plane() * mode.planes()),
                    Bound::Read(lie.store(&x)),
                    Bound::Read(results[1].clone()),
                ];
                bound.extend(parameters.iter().take(1).cloned().map(Bound::Read));
                let below = &run(GroupNormSignal { norm, flow }, &bound)[0];
                signal(&want.input_signal).check(&format!("{what} {}", mode.name()), mode, lie, below);
            }
        }
    }
}
