//! Each layer against an equivalent one, or against hand-computed values.

use crate::common::relative_max_norm;
use crate::problem::Problem;
use hesscale::model::{
    AvgPool2d, BatchNorm, Conv1d, Conv2d, ConvTranspose2d, Interpolation, MaxPool2d, Padding, Reduction,
    Upsample2d,
};
use hesscale::reference::{PassOutput, predict};
use hesscale::{Layer, Loss, Mode, Model};

/// Under a loss whose curvature differs from logit to logit.
fn model(input: &[usize], layers: Vec<Layer>) -> Model {
    Model::new(input, layers, Loss::BceWithLogits { reduction: Reduction::Sum, pos_weight: None }).unwrap()
}

fn assert_near(what: &str, got: &[f64], want: &[f64]) {
    let error = relative_max_norm(got, want);
    assert!(error < 1e-13, "{what}: {error:e}\n{got:?}\n{want:?}");
}

/// Logits and the signal at the input.
fn assert_same_map(got: &PassOutput<f64>, want: &PassOutput<f64>) {
    assert_near("logits", &got.logits, &want.logits);
    assert_near("g", &got.input_signal.g, &want.input_signal.g);
    assert_near("h", &got.input_signal.h, &want.input_signal.h);
    assert_eq!(got.input_signal.u.len(), want.input_signal.u.len());
    got.input_signal.u.iter().zip(&want.input_signal.u).for_each(|(got, want)| assert_near("u", got, want));
}

/// Two networks that must be the same in every mode, parameters' sums included.
fn assert_same(input: &[usize], got: Vec<Layer>, want: Vec<Layer>) {
    let want = Problem::new(model(input, want), 3, 1);
    let mut got = Problem::new(model(input, got), 3, 1);
    got.parameters.copy_from_slice(&want.parameters);
    for mode in Mode::ALL {
        let (got, want) = (got.pass(mode), want.pass(mode));
        assert_same_map(&got, &want);
        assert_near("gradient", &got.gradient, &want.gradient);
        assert_near("diagonal", &got.diagonal, &want.diagonal);
    }
}

fn conv(inputs: usize, outputs: usize, kernel: [usize; 2]) -> Conv2d {
    Conv2d::new(outputs, kernel).inputs(inputs)
}

/// `⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩`, and what goes backwards through one is what goes forwards through the other.
#[test]
fn a_transposed_convolution_is_the_transpose_of_a_convolution() {
    for (seed, [stride, padding, dilation]) in
        [[1, 0, 1], [2, 1, 1], [3, 2, 1], [1, 1, 2], [2, 0, 2]].into_iter().enumerate()
    {
        for groups in [1, 2] {
            let image = [7, 8];
            let forth = conv(4, 6, [3, 2])
                .stride(stride)
                .padding(padding)
                .dilation([dilation, 1])
                .groups(groups)
                .bias(false);
            let forth = Problem::new(model(&[4, 7, 8], vec![forth.into()]), 2, seed as u64);
            let rest = |axis: usize, covered: usize| (image[axis] + 2 * padding - covered) % stride;
            let mut back = ConvTranspose2d::new(4, [3, 2])
                .stride(stride)
                .padding(padding)
                .dilation([dilation, 1])
                .output_padding([rest(0, 2 * dilation + 1), rest(1, 2)])
                .groups(groups)
                .bias(false);
            back.inputs = 6;
            let mut back = Problem::new(model(forth.model.output_shape(), vec![back.into()]), 2, 5);
            assert_eq!(back.model.output_shape(), forth.model.input_shape());
            // `[out, in/groups, …]` of the one is `[in, out/groups, …]` of the other.
            back.parameters.copy_from_slice(&forth.parameters);

            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            for mode in [Mode::HesScale, Mode::HesScaleR2] {
                let (there, here) = (forth.pass(mode), back.pass(mode));
                let (left, right) = (dot(&there.logits, &back.input), dot(&forth.input, &here.logits));
                assert!((left - right).abs() < 1e-12, "{left} {right}");
                for (one, other, pass) in [(&forth, &back, &there), (&back, &forth, &here)] {
                    let at = &pass.signals[0];
                    let through = |s: &[f64], w: &[f64]| predict(&other.model, w, s).unwrap();
                    let squares: Vec<f64> = one.parameters.iter().map(|w| w * w).collect();
                    assert_near("g", &pass.input_signal.g, &through(&at.g, &one.parameters));
                    let diagonal = if mode.rank() > 0 { &at.rest } else { &at.h };
                    let arrived =
                        if mode.rank() > 0 { &pass.input_signal.rest } else { &pass.input_signal.h };
                    assert_near("h", arrived, &through(diagonal, &squares));
                    for (u, at) in pass.input_signal.u.iter().zip(&at.u) {
                        assert_near("u", u, &through(at, &one.parameters));
                    }
                }
            }
        }
    }
}

#[test]
fn a_convolution_of_sequences_is_one_of_images_one_row_high() {
    let mut line = Conv1d::new(6, 3).stride(2).padding(2).dilation(2).groups(2);
    line.inputs = 4;
    let image = conv(4, 6, [1, 3]).stride([1, 2]).padding([0, 2]).dilation([1, 2]).groups(2);
    let line = Problem::new(model(&[4, 9], vec![line.into(), Layer::Flatten]), 3, 1);
    let image = Problem::new(model(&[4, 1, 9], vec![image.into(), Layer::Flatten]), 3, 1);
    for mode in Mode::ALL {
        let (got, want) = (line.pass(mode), image.pass(mode));
        assert_eq!((got.logits, got.gradient, got.diagonal), (want.logits, want.gradient, want.diagonal));
    }
}

#[test]
fn padding_is_zeros_around_the_image() {
    let zeros = |padding| Layer::ZeroPad2d { padding };
    let explicit = conv(2, 3, [3, 2]).stride(2).padding([2, 1]);
    let bare = conv(2, 3, [3, 2]).stride(2);
    assert_same(&[2, 5, 6], vec![explicit.into()], vec![zeros([1, 1, 2, 2]), bare.into()]);
    // `same`: an odd remainder is padded below and right.
    let same = conv(2, 3, [4, 3]).dilation([1, 2]).same();
    let bare = conv(2, 3, [4, 3]).dilation([1, 2]);
    assert_same(&[2, 5, 6], vec![same.clone().into()], vec![zeros([2, 2, 1, 2]), bare.clone().into()]);
    assert_eq!(model(&[2, 5, 6], vec![same.into()]).output_shape(), [3, 5, 6]);
    assert_same(&[2, 5, 6], vec![bare.clone().padding(Padding::VALID).into()], vec![bare.into()]);
}

/// TensorFlow's `SAME`: ⌈n/stride⌉ positions, the odd row or column of padding below or right.
#[test]
fn same_padding_with_strides_is_as_little_as_the_positions_need() {
    let zeros = |padding| Layer::ZeroPad2d { padding };
    for (image, kernel, stride, dilation, padding) in [
        ([5_usize, 6], [3, 2], [2, 2], [1, 1], [0, 0, 1, 1]),
        ([4, 8], [3, 3], [2, 3], [1, 1], [0, 1, 0, 1]),
        ([7, 5], [2, 3], [3, 2], [2, 2], [2, 2, 1, 1]),
        ([4, 9], [1, 2], [2, 4], [1, 1], [0, 1, 0, 0]),
    ] {
        let bare = conv(2, 3, kernel).stride(stride).dilation(dilation);
        let same = bare.clone().same();
        let shape = [3, image[0].div_ceil(stride[0]), image[1].div_ceil(stride[1])];
        let input = [2, image[0], image[1]];
        assert_eq!(model(&input, vec![same.clone().into()]).output_shape(), shape);
        assert_same(&input, vec![same.into()], vec![zeros(padding), bare.into()]);
    }
    let pool = AvgPool2d::new(3).stride(2).padding(Padding::SAME);
    assert_same(&[2, 4, 5], vec![pool.into()], vec![zeros([1, 1, 0, 1]), AvgPool2d::new(3).stride(2).into()]);
    let pool = MaxPool2d::new([1, 3]).stride([1, 2]).padding(Padding::SAME);
    assert_eq!(shares(&[1, 1, 4], pool.into(), &[-4.0, -1.0, -3.0, -2.0]).0, [-1.0, -2.0]);
}

/// PyTorch's rule: a last window begins in the image or in the padding before it, and what is past the padding's end never counts.
#[test]
fn a_last_window_may_go_past_the_end() {
    let x = [1.0, 3.0, 2.0, 5.0];
    let max = |kernel: usize, stride: usize, padding: usize, width: usize| {
        let pool = MaxPool2d::new([1, kernel]).stride([1, stride]).padding([0, padding]).ceil_mode(true);
        shares(&[1, 1, width], pool.into(), &x[..width])
    };
    assert_eq!(max(2, 2, 0, 3), (vec![3.0, 2.0], vec![0.0, 1.0, 1.0]));
    assert_eq!(max(2, 2, 1, 4).0, [1.0, 3.0, 5.0]);
    // A third window would begin in the padding behind the image.
    assert_eq!(max(2, 3, 1, 4).0, [1.0, 5.0]);
    // The image is smaller than the window.
    assert_eq!(max(3, 2, 0, 2), (vec![3.0], vec![0.0, 1.0]));
    let mean = |padding: usize, counted| {
        let pool = AvgPool2d::new([1, 3]).stride([1, 2]).padding([0, padding]).ceil_mode(true);
        shares(&[1, 1, 4], pool.count_include_pad(counted).into(), &x)
    };
    // Without padding both counts are of what is there.
    for counted in [true, false] {
        assert_eq!(mean(0, counted).0, [2.0, 3.5]);
    }
    // The third of these windows has one number and one of padding.
    let (z, h) = mean(1, true);
    assert_near("counted", &z, &[4.0 / 3.0, 10.0 / 3.0, 2.5]);
    assert_near("counted, h", &h, &[1.0 / 9.0, 2.0 / 9.0, 1.0 / 9.0, 1.0 / 9.0 + 0.25]);
    let (z, h) = mean(1, false);
    assert_near("alone", &z, &[2.0, 10.0 / 3.0, 5.0]);
    assert_near("alone, h", &h, &[0.25, 0.25 + 1.0 / 9.0, 1.0 / 9.0, 1.0 / 9.0 + 1.0]);
}

/// The examples of PyTorch's documentation.
#[test]
fn images_of_another_size_are_pytorchs() {
    let of = |shape: &[usize], layer: Layer, x: &[f64]| predict(&model(shape, vec![layer]), &[], x).unwrap();
    let up = |mode| of(&[1, 2, 2], Upsample2d::nearest(2).mode(mode).into(), &[1.0, 2.0, 3.0, 4.0]);
    let nearest = [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 3.0, 3.0, 4.0, 4.0];
    assert_eq!(up(Interpolation::Nearest), nearest);
    let bilinear = [1.0, 1.25, 1.75, 2.0, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3.0, 3.25, 3.75, 4.0];
    assert_near("bilinear", &up(Interpolation::Bilinear), &bilinear);
    let thirds = [3, 4, 5, 6, 5, 6, 7, 8, 7, 8, 9, 10, 9, 10, 11, 12].map(|n| f64::from(n) / 3.0);
    assert_near("corners", &up(Interpolation::BilinearAligned), &thirds);

    let nine: Vec<f64> = (0..9).map(f64::from).collect();
    let pad = |layer: Layer, columns: usize| -> Vec<String> {
        let padded = of(&[1, 3, 3], layer, &nine);
        padded.chunks(columns).map(|row| row.iter().map(f64::to_string).collect()).collect()
    };
    let reflected = pad(Layer::ReflectionPad2d { padding: [1, 1, 2, 0] }, 5);
    assert_eq!(reflected, ["76787", "43454", "10121", "43454", "76787"]);
    let reflected = pad(Layer::ReflectionPad2d { padding: [2, 2, 2, 2] }, 7);
    let rows = ["8767876", "5434543", "2101210", "5434543", "8767876", "5434543", "2101210"];
    assert_eq!(reflected, rows);
    let repeated = pad(Layer::ReplicationPad2d { padding: [1, 1, 2, 0] }, 5);
    assert_eq!(repeated, ["00122", "00122", "00122", "33455", "66788"]);

    let eight: Vec<f64> = (0..8).map(f64::from).collect();
    let shuffled = of(&[4, 1, 2], Layer::PixelShuffle { factor: 2 }, &eight);
    assert_eq!(shuffled, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    assert_eq!(of(&[8, 1, 1], Layer::PixelShuffle { factor: 2 }, &eight), eight);
    let back = of(&[1, 2, 4], Layer::PixelUnshuffle { factor: 2 }, &shuffled);
    assert_eq!(back, eight);
}

/// h goes back by squares of the weights, and several pixels of one add up.
#[test]
fn what_goes_back_from_images_of_another_size() {
    let h = |shape: &[usize], layer: Layer| shares(shape, layer, &vec![0.0; shape.iter().product()]).1;
    assert_eq!(h(&[1, 1, 2], Upsample2d::nearest([3, 2]).into()), [6.0, 6.0]);
    // 1, (¾, ¼), (¼, ¾), 1
    assert_eq!(h(&[1, 1, 2], Upsample2d::bilinear([1, 2]).into()), [1.625, 1.625]);
    assert_eq!(h(&[1, 1, 4], Layer::ReflectionPad2d { padding: [3, 1, 0, 0] }), [1.0, 2.0, 3.0, 2.0]);
    assert_eq!(h(&[1, 2, 2], Layer::ReplicationPad2d { padding: [2, 0, 0, 1] }), [3.0, 1.0, 6.0, 2.0]);
}

#[test]
fn zeros_are_where_pytorch_puts_them() {
    let model = model(&[1, 1, 2], vec![Layer::ZeroPad2d { padding: [1, 2, 0, 1] }]);
    assert_eq!(predict(&model, &[], &[3.0, 4.0]), Ok(vec![0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
}

/// Without parameters on one side, with given ones on the other.
fn assert_map_with(input: &[usize], got: Layer, want: Layer, parameters: impl Fn(&mut Problem)) {
    let got = Problem::new(model(input, vec![got]), 3, 2);
    let mut want = Problem::new(model(input, vec![want]), 3, 2);
    parameters(&mut want);
    let want = Problem { input: got.input.clone(), targets: got.targets.clone(), ..want };
    for mode in Mode::ALL {
        assert_same_map(&got.pass(mode), &want.pass(mode));
    }
}

#[test]
fn average_pooling_is_a_depthwise_convolution_with_1_over_k() {
    for (kernel, stride, padding) in
        [([2, 2], [2, 2], [0, 0]), ([3, 2], [2, 1], [1, 1]), ([4, 5], [3, 2], [2, 0])]
    {
        let pool = AvgPool2d::new(kernel).stride(stride).padding(padding);
        let depthwise = conv(3, 3, kernel).stride(stride).padding(padding).groups(3).bias(false);
        let taps = (kernel[0] * kernel[1]) as f64;
        assert_map_with(&[3, 7, 8], pool.into(), depthwise.into(), |p| p.parameters.fill(1.0 / taps));
    }
}

#[test]
fn adaptive_average_pooling_is_average_pooling_where_windows_are_equal() {
    let adaptive = |output| Layer::AdaptiveAvgPool2d { output };
    assert_same(&[2, 6, 9], vec![adaptive([3, 3])], vec![AvgPool2d::new([2, 3]).into()]);
    assert_same(&[2, 6, 9], vec![Layer::global_avg_pool()], vec![AvgPool2d::new([6, 9]).into()]);
    assert_same(&[2, 6, 9], vec![adaptive([6, 9])], vec![Layer::Identity]);
}

#[test]
fn adaptive_windows_by_hand() {
    let adaptive = |width, output, x: &[f64]| {
        let pool = Layer::AdaptiveAvgPool2d { output: [1, output] };
        predict(&model(&[1, 1, width], vec![pool]), &[], x).unwrap()
    };
    // [0, 2), [1, 4), [3, 5)
    assert_near("5 to 3", &adaptive(5, 3, &[1.0, 2.0, 4.0, 8.0, 16.0]), &[1.5, 14.0 / 3.0, 12.0]);
    assert_eq!(adaptive(2, 4, &[3.0, 5.0]), [3.0, 3.0, 5.0, 5.0]);
    assert_eq!(adaptive(2, 3, &[3.0, 5.0]), [3.0, 4.0, 5.0]);
}

/// The signal at the input of a single layer under MSE, where all logits have the same h, divided by that.
fn shares(input: &[usize], layer: Layer, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut problem = Problem::new(model(input, vec![layer]).with_loss(Loss::mse()).unwrap(), 1, 0);
    problem.input.copy_from_slice(x);
    let pass = problem.pass(Mode::HesScale);
    let unit = pass.signals[0].h[0];
    (pass.logits, pass.input_signal.h.iter().map(|h| h / unit).collect())
}

#[test]
fn padding_counts_among_the_averaged_or_not() {
    let pool = |counted| AvgPool2d::new([1, 2]).stride(1).padding([0, 1]).count_include_pad(counted).into();
    let x = [1.0, 2.0, 4.0];
    let counted = shares(&[1, 1, 3], pool(true), &x);
    assert_eq!(counted, (vec![0.5, 1.5, 3.0, 2.0], vec![0.5; 3]));
    let alone = shares(&[1, 1, 3], pool(false), &x);
    assert_eq!(alone, (vec![1.0, 1.5, 3.0, 4.0], vec![1.25, 0.5, 1.25]));
}

#[test]
fn the_first_maximum_wins_and_padding_never_does() {
    let row = |padding: usize| MaxPool2d::new([1, 3]).stride(1).padding([0, padding]).into();
    // Both windows see two threes; the first of them takes both signals.
    assert_eq!(shares(&[1, 1, 4], row(0), &[1.0, 3.0, 3.0, 0.0]), (vec![3.0; 2], vec![0.0, 2.0, 0.0, 0.0]));
    let (z, h) = shares(&[1, 1, 4], row(1), &[-2.0, -1.0, -3.0, -5.0]);
    assert_eq!((z, h), (vec![-1.0, -1.0, -1.0, -3.0], vec![0.0, 3.0, 1.0, 0.0]));
    // Row-major order, two channels apart from each other.
    let x = [0.0, 7.0, 7.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let (z, h) = shares(&[2, 2, 2], MaxPool2d::new(2).into(), &x);
    assert_eq!((z, h), (vec![7.0, 1.0], vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]));
}

fn norm() -> BatchNorm {
    BatchNorm::new(vec![0.5, -1.0, 0.25], vec![2.0, 0.0, 0.125]).eps(1e-3)
}

#[test]
fn batch_normalisation_is_a_depthwise_convolution_of_single_elements() {
    let depthwise = || Layer::from(conv(3, 3, [1, 1]).groups(3));
    let problem = Problem::new(model(&[3, 4, 2], vec![norm().into()]), 3, 4);
    let mut want = Problem::new(model(&[3, 4, 2], vec![depthwise()]), 3, 4);
    let places: Vec<_> = problem.model.parameters().iter().map(|p| p.range()).collect();
    for c in 0..3 {
        let (gamma, beta) =
            (problem.parameters[places[0].start + c], problem.parameters[places[1].start + c]);
        let scale = gamma / (f64::from(norm().var[c]) + 1e-3).sqrt();
        want.parameters[places[0].start + c] = scale;
        want.parameters[places[1].start + c] = beta - f64::from(norm().mean[c]) * scale;
    }
    for mode in Mode::ALL {
        let (got, want) = (problem.pass(mode), want.pass(mode));
        assert_same_map(&got, &want);
        let beta = places[1].clone();
        assert_near("β's gradient", &got.gradient[beta.clone()], &want.gradient[beta.clone()]);
        if mode.has_diagonal() {
            assert_near("β's diagonal", &got.diagonal[beta.clone()], &want.diagonal[beta]);
        }
    }
    // With nothing to normalise γ is that convolution's weight.
    let plain = BatchNorm::new(vec![0.0; 3], vec![1.0; 3]).eps(1e-30);
    assert_same(&[3, 4, 2], vec![plain.clone().into()], vec![depthwise()]);
    // The channel is the first dimension, whatever follows.
    for input in [vec![3], vec![3, 5], vec![3, 2, 2, 2]] {
        assert_eq!(model(&input, vec![plain.clone().into()]).output_shape(), input);
    }
}
