//! Recurrent layers: PyTorch's definition; the gradient against differences; the rule step by step against explicit derivatives; what is
//! exact.

use crate::common::relative_max_norm;
use crate::norm::{explicit, linear_near, near};
use crate::problem::Problem;
use hesscale::model::{Builder, Gru, Lstm, Role};
use hesscale::reference::{Dual, Real, Signal, predict};
use hesscale::{Error, Layer, Loss, Mode, Model};

/// A kind's name and number of gates, the layer by itself, and what puts a projection before it.
type Kind = (&'static str, usize, fn(usize, bool) -> Layer, fn(Builder, usize) -> Builder);

const CELLS: [Kind; 2] = [
    ("gru", 3, |hidden, bias| Gru::new(hidden).bias(bias).into(), |builder, hidden| builder.gru(hidden)),
    ("lstm", 4, |hidden, bias| Lstm::new(hidden).bias(bias).into(), |builder, hidden| builder.lstm(hidden)),
];

/// A unit's step as PyTorch documents it: h, and c of an LSTM, from a and q of each gate and what h and c were.
fn step<T: Real>(name: &str, a: &[T], q: &[T], [h, c]: [T; 2]) -> [T; 2] {
    let sigmoid = |x: T| T::one() / (T::one() + (-x).exp());
    if name == "gru" {
        let (r, z) = (sigmoid(a[0] + q[0]), sigmoid(a[1] + q[1]));
        let n = (a[2] + r * q[2]).tanh();
        return [(T::one() - z) * n + z * h, c];
    }
    let [i, f, o] = [0, 1, 3].map(|k| sigmoid(a[k] + q[k]));
    let g = (a[2] + q[2]).tanh();
    let c = f * c + i * g;
    [o * c.tanh(), c]
}

/// A sample through `nn.GRU` or `nn.LSTM` of one layer: x is `[in, T]`, the result `[H, T]`, weights and biases as PyTorch has them.
fn torch(
    name: &str,
    x: &[f64],
    [inputs, hidden, positions]: [usize; 3],
    parameters: [&[f64]; 4],
) -> Vec<f64> {
    let [weight_ih, bias_ih, weight_hh, bias_hh] = parameters;
    let gates = weight_ih.len() / inputs / hidden;
    let mut z = vec![0.0; hidden * positions];
    let mut state = vec![[0.0; 2]; hidden];
    for t in 0..positions {
        let input: Vec<f64> = (0..inputs).map(|c| x[c * positions + t]).collect();
        let before: Vec<f64> = state.iter().map(|[h, _]| *h).collect();
        let linear = |w: &[f64], b: &[f64], x: &[f64], k: usize| -> f64 {
            b[k] + x.iter().zip(&w[k * x.len()..]).map(|(x, w)| w * x).sum::<f64>()
        };
        for (j, state) in state.iter_mut().enumerate() {
            let of = |w, b, x: &[f64]| -> Vec<f64> {
                (0..gates).map(|gate| linear(w, b, x, gate * hidden + j)).collect()
            };
            let (a, q) = (of(weight_ih, bias_ih, &input), of(weight_hh, bias_hh, &before));
            *state = step(name, &a, &q, *state);
            z[j * positions + t] = state[0];
        }
    }
    z
}

#[test]
fn outputs_are_those_of_pytorch() {
    for (name, _, _, projected) in CELLS {
        let [inputs, hidden, positions] = [4, 5, 7];
        let model = projected(Model::builder([inputs, positions]), hidden).loss(Loss::mse()).unwrap();
        let problem = Problem::new(model, 3, 4);
        let parameters = ["0.weight", "0.bias", "1.weight", "1.bias"]
            .map(|name| &problem.parameters[problem.model.parameter_named(name).unwrap().range()]);
        let samples = problem.input.chunks_exact(inputs * positions);
        let want: Vec<f64> =
            samples.flat_map(|x| torch(name, x, [inputs, hidden, positions], parameters)).collect();
        let got = predict(&problem.model, &problem.parameters, &problem.input).unwrap();
        assert!(relative_max_norm(&got, &want) < 1e-14, "{name}");
    }
}

/// Each kind by itself, with and without a bias, of several lengths and widths.
fn alone() -> impl Iterator<Item = (&'static str, [usize; 3], Problem)> {
    let sizes = [(3, 4, true), (2, 5, false), (1, 6, true), (4, 1, true)];
    CELLS.into_iter().flat_map(move |(name, gates, layer, _)| {
        sizes.into_iter().map(move |(hidden, positions, bias)| {
            let model = Model::builder([gates * hidden, positions]).layer(layer(hidden, bias));
            let problem = Problem::new(model.loss(Loss::mse()).unwrap(), 2, (hidden + positions) as u64);
            (name, [gates, hidden, positions], problem)
        })
    })
}

/// g and u go through the whole exactly.
#[test]
fn what_is_linear_goes_by_explicit_derivatives() {
    for (_, _, problem) in alone() {
        for mode in Mode::ALL {
            let got = problem.pass(mode).input_signal;
            let (g, _, u) = explicit(&problem, mode);
            linear_near(&problem, mode, &got, &(g, u));
        }
    }
}

#[test]
fn the_gradient_is_that_of_differences() {
    for (name, sizes, mut problem) in alone() {
        let gradient = problem.pass(Mode::None).gradient;
        for k in problem.model.parameters().iter().flat_map(|p| p.range()).collect::<Vec<_>>() {
            let (middle, step) = (problem.parameters[k], 1e-5);
            let mut at = |x| {
                problem.parameters[k] = x;
                problem.pass(Mode::None).loss
            };
            let difference = (at(middle + step) - at(middle - step)) / (2.0 * step);
            at(middle);
            assert!(
                (difference - gradient[k]).abs() < 1e-9,
                "{name} {sizes:?}: {difference} {}",
                gradient[k]
            );
        }
    }
}

type Second = Dual<Dual<f64>>;

/// h and c of a unit's step, and of both the first and the second derivative by each of its inputs: a of each gate, q of each, h, c.
fn derivatives(name: &str, a: &[f64], q: &[f64], state: [f64; 2]) -> ([f64; 2], Vec<[[f64; 2]; 2]>) {
    let inputs = [a, q, &state].concat();
    let of = |varied: Option<usize>| {
        let x: Vec<Second> = inputs
            .iter()
            .enumerate()
            .map(|(i, x)| match varied == Some(i) {
                true => Dual { value: Dual::variable(*x), slope: Dual::constant(1.0) },
                false => Second::constant(Dual::constant(*x)),
            })
            .collect();
        let (gates, state) = x.split_at(2 * a.len());
        step(name, &gates[..a.len()], &gates[a.len()..], [state[0], state[1]])
    };
    let slopes = (0..inputs.len()).map(|i| of(Some(i)).map(|out| [out.slope.value, out.slope.slope]));
    (of(None).map(|out| out.value.value), slopes.collect())
}

/// (g, rest of h, u …) of one component each.
type Components = Vec<f64>;

/// The signals at a and at q of a sample, each `[component][gate of a unit][position]`, from the components of the one at the output: the
/// recursion with explicit derivatives of every step.
fn by_steps(
    name: &str,
    x: &[f64],
    [weight, bias]: [&[f64]; 2],
    [gates, hidden, positions]: [usize; 3],
    above: &[Components],
    curved: bool,
) -> [Vec<Components>; 2] {
    let channels = gates * hidden;
    let mut state = vec![[0.0; 2]; hidden];
    let mut steps = Vec::new();
    for t in 0..positions {
        let product = |k: usize| {
            let row = weight[k * hidden..].iter().zip(&state).map(|(w, [h, _])| w * h).sum::<f64>();
            row + bias.get(k).copied().unwrap_or(0.0)
        };
        let of_unit = |j: usize| {
            let a: Vec<f64> = (0..gates).map(|k| x[(k * hidden + j) * positions + t]).collect();
            let q: Vec<f64> = (0..gates).map(|k| product(k * hidden + j)).collect();
            derivatives(name, &a, &q, state[j])
        };
        let (next, by): (Vec<_>, Vec<_>) = (0..hidden).map(of_unit).unzip();
        state = next;
        steps.push(by);
    }
    let zeros = || vec![vec![0.0; channels * positions]; above.len()];
    let [mut at_a, mut at_q] = [zeros(), zeros()];
    // Of each unit and component, at h and at c.
    let mut from_behind = vec![vec![[0.0; 2]; above.len()]; hidden];
    for t in (0..positions).rev() {
        let mut before = vec![vec![[0.0; 2]; above.len()]; hidden];
        for j in 0..hidden {
            let at: Vec<[f64; 2]> = (0..above.len())
                .map(|s| [from_behind[j][s][0] + above[s][j * positions + t], from_behind[j][s][1]])
                .collect();
            // Through one input: h takes c along as far as h depends on c, which the composed derivatives have.
            let through = |[of_h, of_c]: [[f64; 2]; 2]| -> Components {
                (0..at.len())
                    .map(|s| match s {
                        1 => {
                            let bent = of_h[1] * at[0][0] + of_c[1] * at[0][1];
                            let straight = of_h[0].powi(2) * at[1][0] + of_c[0].powi(2) * at[1][1];
                            straight + if curved { bent } else { 0.0 }
                        }
                        _ => of_h[0] * at[s][0] + of_c[0] * at[s][1],
                    })
                    .collect()
            };
            let by = &steps[t][j];
            for gate in 0..gates {
                let to = (gate * hidden + j) * positions + t;
                for (s, x) in through(by[gate]).into_iter().enumerate() {
                    at_a[s][to] = x;
                }
                for (s, x) in through(by[gates + gate]).into_iter().enumerate() {
                    at_q[s][to] = x;
                }
            }
            let own = [through(by[2 * gates]), through(by[2 * gates + 1])];
            for s in 0..at.len() {
                before[j][s] = if name == "gru" { [own[0][s], 0.0] } else { [0.0, own[1][s]] };
            }
        }
        for (j, before) in before.iter_mut().enumerate() {
            for (s, [h, _]) in before.iter_mut().enumerate() {
                let w = |k: usize| weight[k * hidden + j].powi(if s == 1 { 2 } else { 1 });
                *h += (0..channels).map(|k| w(k) * at_q[s][k * positions + t]).sum::<f64>();
            }
        }
        from_behind = before;
    }
    // The output at a position is what the product of the next one reads.
    [at_a, at_q]
}

#[test]
fn curvature_goes_step_by_step() {
    for (name, sizes, problem) in alone() {
        let [gates, hidden, positions] = sizes;
        let [weight, bias] = [Role::Weight, Role::Bias].map(|role| {
            let parameter = problem.model.parameters().iter().find(|p| p.role == role);
            parameter.map_or(0..0, |p| p.range())
        });
        let parameters = [weight.clone(), bias.clone()].map(|range| &problem.parameters[range]);
        let z = predict(&problem.model, &problem.parameters, &problem.input).unwrap();
        for mode in [Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2] {
            let pass = problem.pass(mode);
            let rest = |s: &Signal<f64>| if s.u.is_empty() { s.h.clone() } else { s.rest.clone() };
            let above = &pass.signals[0];
            let components: Vec<Components> = [vec![above.g.clone(), rest(above)], above.u.clone()].concat();
            let (inputs, outputs) = (gates * hidden * positions, hidden * positions);
            let (mut at_a, mut sums) = (Vec::new(), vec![0.0; problem.model.flat_len()]);
            for n in 0..2 {
                let own: Vec<Components> =
                    components.iter().map(|s| s[n * outputs..(n + 1) * outputs].to_vec()).collect();
                let x = &problem.input[n * inputs..(n + 1) * inputs];
                let [of_a, of_q] = by_steps(name, x, parameters, sizes, &own, mode != Mode::HesScaleGn);
                at_a.extend(of_a[1].clone());
                // h of a weight, position by position, and u of all positions together.
                let h_before =
                    |j: usize, t: usize| if t == 0 { 0.0 } else { z[n * outputs + j * positions + t - 1] };
                for k in 0..gates * hidden {
                    let add = |to: &mut f64, factor: &dyn Fn(usize) -> f64| {
                        let over = |s: usize, power: i32| -> f64 {
                            (0..positions).map(|t| of_q[s][k * positions + t] * factor(t).powi(power)).sum()
                        };
                        *to += over(1, 2) + (2..of_q.len()).map(|s| over(s, 1).powi(2)).sum::<f64>();
                    };
                    for j in 0..hidden {
                        add(&mut sums[weight.start + k * hidden + j], &|t| h_before(j, t));
                    }
                    if !bias.is_empty() {
                        add(&mut sums[bias.start + k], &|_| 1.0);
                    }
                }
            }
            near(&problem, mode, "h", &rest(&pass.input_signal), &at_a);
            near(&problem, mode, "diagonal", &pass.diagonal, &sums);
        }
    }
}

/// Of one position all there is to drop is what units have in common, and behind them a single output of a square loss has no more than
/// they have: the diagonal is exact. So it is of one unit.
#[test]
fn one_position_is_exact() {
    for (name, _, _, projected) in CELLS {
        for hidden in [1, 3] {
            let model = projected(Model::builder([2, 1]), hidden).last().dense(1).loss(Loss::mse()).unwrap();
            let problem = Problem::new(model, 3, 5);
            let (got, want) = (problem.pass(Mode::HesScale).diagonal, problem.exact());
            assert!(relative_max_norm(&got, &want) < 1e-13, "{name} of {hidden}");
        }
    }
}

/// The exact diagonal, which recurrent layers are not linear for, is that of the gradient's differences.
#[test]
fn the_exact_diagonal_is_that_of_differences() {
    for (name, sizes, mut problem) in alone() {
        let exact = problem.exact();
        for k in problem.model.parameters().iter().flat_map(|p| p.range()).collect::<Vec<_>>() {
            let (middle, step) = (problem.parameters[k], 1e-5);
            let mut at = |x| {
                problem.parameters[k] = x;
                problem.pass(Mode::None).gradient[k]
            };
            let difference = (at(middle + step) - at(middle - step)) / (2.0 * step);
            at(middle);
            assert!((difference - exact[k]).abs() < 1e-8, "{name} {sizes:?}: {difference} {}", exact[k]);
        }
    }
}

#[test]
fn what_is_no_sequence_of_gates_is_refused() {
    let refused =
        |shape: &[usize], layer: Layer| Model::builder(shape).layer(layer).loss(Loss::mse()).unwrap_err();
    let channels = refused(&[7, 3], Gru::new(2).into());
    assert!(channels.to_string().contains("[3 · 2, length]"), "{channels}");
    for (shape, layer) in [
        (&[8][..], Lstm::new(2).into()),
        (&[8, 2, 2], Lstm::new(2).into()),
        (&[6, 4], Lstm::new(2).into()),
        (&[6, 4], Gru::new(usize::MAX).into()),
        (&[6], Layer::Last),
        (&[6, 2, 2], Layer::Last),
    ] {
        assert!(matches!(refused(shape, layer), Error::Shape { .. }));
    }
    assert!(matches!(refused(&[6, 4], Gru::new(0).into()), Error::ZeroSize { .. }));
}

#[test]
fn the_last_position() {
    let model = Model::builder([2, 3]).layer(Layer::Last).loss(Loss::mse().sum()).unwrap();
    let z = predict(&model, &[], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    assert_eq!(z, [3.0, 6.0]);
    let problem = Problem::new(model, 1, 3);
    let signal = problem.pass(Mode::HesScale).input_signal;
    assert_eq!(signal.h, [0.0, 0.0, 2.0, 0.0, 0.0, 2.0]);
}
