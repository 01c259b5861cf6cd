//! Activations: against multi-precision values, against dual numbers, at their kinks, and far out.

use hesscale::Activation;
use hesscale::reference::special::{erf, erfc};
use hesscale::reference::{Dual, activation};

/// `f, f', f''` computed with 120 digits.
#[rustfmt::skip]
const TABLE: [(Activation, f64, [f64; 3]); 72] = [
    (Activation::Elu { alpha: 1.3 }, -7.5, [-1.2992809903188078, 0.0007190096811921837, 0.0007190096811921837]),
    (Activation::Elu { alpha: 1.3 }, -0.625, [-0.6041601429253127, 0.6958398570746873, 0.6958398570746873]),
    (Activation::Elu { alpha: 1.3 }, 0.375, [0.375, 1.0, 0.0]),
    (Activation::Elu { alpha: 1.3 }, 12.25, [12.25, 1.0, 0.0]),
    (Activation::Selu, -7.5, [-1.757126963580787, 0.0009723772665898928, 0.0009723772665898928]),
    (Activation::Selu, -0.625, [-0.8170565761871148, 0.941042764660262, 0.941042764660262]),
    (Activation::Selu, 0.375, [0.39401287025830517, 1.0507009873554805, 0.0]),
    (Activation::Selu, 12.25, [12.871087095104636, 1.0507009873554805, 0.0]),
    (Activation::Sigmoid, -7.5, [0.0005527786369235996, 0.0005524730727021604, 0.0005518622820780298]),
    (Activation::Sigmoid, -0.625, [0.34864513533394575, 0.2270917049419204, 0.06874286853653577]),
    (Activation::Sigmoid, 0.375, [0.5926665999540698, 0.2414129012529524, -0.04474182548831737]),
    (Activation::Sigmoid, 12.25, [0.9999952149055051, 4.7850715977607935e-06, -4.785025803721274e-06]),
    (Activation::Tanh, -7.5, [-0.9999993881955461, 1.2236085333978092e-06, 2.4472155695773174e-06]),
    (Activation::Tanh, -0.625, [-0.5545997223493823, 0.692419147969988, 0.7680309344271025]),
    (Activation::Tanh, 0.375, [0.35835739835078595, 0.8715799750472562, -0.6246742646251553]),
    (Activation::Tanh, 12.25, [0.9999999999542053, 9.158939382162781e-11, -1.83178787634867e-10]),
    (Activation::LogSigmoid, -7.5, [-7.500552931475361, 0.9994472213630764, -0.0005524730727021604]),
    (Activation::LogSigmoid, -0.625, [-1.0537006782765186, 0.6513548646660542, -0.2270917049419204]),
    (Activation::LogSigmoid, 0.375, [-0.52312326413984, 0.4073334000459302, -0.2414129012529524]),
    (Activation::LogSigmoid, 12.25, [-4.785105943491303e-06, 4.785094494890119e-06, -4.7850715977607935e-06]),
    (Activation::Softplus, -7.5, [0.0005529314753607964, 0.0005527786369235996, 0.0005524730727021604]),
    (Activation::Softplus, -0.625, [0.42870067827651864, 0.34864513533394575, 0.2270917049419204]),
    (Activation::Softplus, 0.375, [0.89812326413984, 0.5926665999540698, 0.2414129012529524]),
    (Activation::Softplus, 12.25, [12.250004785105943, 0.9999952149055051, 4.7850715977607935e-06]),
    (Activation::Gelu, -7.5, [-2.393168754683172e-13, -1.7938314830426485e-12, -1.3206188891682378e-11]),
    (Activation::Gelu, -0.625, [-0.16624095565543784, 0.06088492370471613, 0.5281340587607598]),
    (Activation::Gelu, 0.375, [0.24231366250227143, 0.7856154268738872, 0.6914180651641015]),
    (Activation::Gelu, 12.25, [12.25, 1.0, -1.5335477339323488e-31]),
    (Activation::GeluTanh, -7.5, [-4.01626821751414e-18, -5.4233923005215784e-17, -7.193835854708651e-16]),
    (Activation::GeluTanh, -0.625, [-0.16627885004239948, 0.06109196261329477, 0.5274565170584755]),
    (Activation::GeluTanh, 0.375, [0.2423077668915116, 0.7855556920479994, 0.6909894023384786]),
    (Activation::GeluTanh, 12.25, [12.25, 1.0, -4.831399995624566e-62]),
    (Activation::Silu, -7.5, [-0.004145839776926996, -0.0035907694083426034, -0.0030340209701809027]),
    (Activation::Silu, -0.625, [-0.2179032095837161, 0.2067128197452455, 0.41121911704850594]),
    (Activation::Silu, 0.375, [0.22224997498277616, 0.6831964379239269, 0.46604761794778576]),
    (Activation::Silu, 12.25, [12.249941382592437, 1.0000538320325776, -4.904642290006401e-05]),
    (Activation::Sin { frequency: 1.0 }, -7.5, [-0.9379999767747389, 0.3466353178350258, 0.9379999767747389]),
    (Activation::Sin { frequency: 1.0 }, -0.625, [-0.5850972729404622, 0.8109631195052179, 0.5850972729404622]),
    (Activation::Sin { frequency: 1.0 }, 0.375, [0.36627252908604757, 0.9305076219123143, -0.36627252908604757]),
    (Activation::Sin { frequency: 1.0 }, 12.25, [-0.3111193549811273, 0.9503708470676735, 0.3111193549811273]),
    (Activation::Mish, -7.5, [-0.0041469856425822285, -0.003592907090395361, -0.0030379873082643995]),
    (Activation::Mish, -0.625, [-0.25264679684765073, 0.22193832109434988, 0.5159929807998427]),
    (Activation::Mish, 0.375, [0.2682685597143539, 0.8238913560968064, 0.530899655199449]),
    (Activation::Mish, 12.25, [12.249999999439021, 1.0000000010761596, -2.060715672244624e-09]),
    (Activation::Softsign, -7.5, [-0.8823529411764706, 0.01384083044982699, 0.003256665988194586]),
    (Activation::Softsign, -0.625, [-0.38461538461538464, 0.378698224852071, 0.46609012289485663]),
    (Activation::Softsign, 0.375, [0.2727272727272727, 0.5289256198347108, -0.7693463561232157]),
    (Activation::Softsign, 12.25, [0.9245283018867925, 0.005695977216091136, -0.0008597701458250771]),
    (Activation::Square, -7.5, [56.25, -15.0, 2.0]),
    (Activation::Square, -0.625, [0.390625, -1.25, 2.0]),
    (Activation::Square, 0.375, [0.140625, 0.75, 2.0]),
    (Activation::Square, 12.25, [150.0625, 24.5, 2.0]),
    (Activation::Sin { frequency: 30.0 }, -7.5, [0.9300948780045254, 11.019581031907355, -837.0853902040728]),
    (Activation::Sin { frequency: 30.0 }, -0.625, [0.09939154689884817, 29.851452031091362, -89.45239220896336]),
    (Activation::Sin { frequency: 30.0 }, 0.375, [-0.9678079975112615, 7.550689502152633, 871.0271977601353]),
    (Activation::Sin { frequency: 30.0 }, 12.25, [0.06629181933715889, -29.934008338678478, -59.66263740344299]),
    (Activation::Relu6, -0.625, [0.0, 0.0, 0.0]),
    (Activation::Relu6, 2.75, [2.75, 1.0, 0.0]),
    (Activation::Relu6, -7.5, [0.0, 0.0, 0.0]),
    (Activation::Relu6, 12.25, [6.0, 0.0, 0.0]),
    (Activation::HardSigmoid, -0.625, [0.3958333333333333, 0.16666666666666666, 0.0]),
    (Activation::HardSigmoid, 2.75, [0.9583333333333334, 0.16666666666666666, 0.0]),
    (Activation::HardSigmoid, -7.5, [0.0, 0.0, 0.0]),
    (Activation::HardSigmoid, 12.25, [1.0, 0.0, 0.0]),
    (Activation::HardSwish, -0.625, [-0.24739583333333334, 0.2916666666666667, 0.3333333333333333]),
    (Activation::HardSwish, 2.75, [2.6354166666666665, 1.4166666666666667, 0.3333333333333333]),
    (Activation::HardSwish, -7.5, [0.0, 0.0, 0.0]),
    (Activation::HardSwish, 12.25, [12.25, 1.0, 0.0]),
    (Activation::Exp, -7.5, [0.0005530843701478336, 0.0005530843701478336, 0.0005530843701478336]),
    (Activation::Exp, -0.625, [0.5352614285189903, 0.5352614285189903, 0.5352614285189903]),
    (Activation::Exp, 0.375, [1.4549914146182013, 1.4549914146182013, 1.4549914146182013]),
    (Activation::Exp, 12.25, [208981.28886971297, 208981.28886971297, 208981.28886971297]),
];

#[test]
fn multi_precision_values_are_met() {
    for (function, a, want) in TABLE {
        for (order, (got, want)) in activation(function, a).into_iter().zip(want).enumerate() {
            assert!(
                (got - want).abs() <= 1e-13 * want.abs(),
                "{function:?} at {a}, order {order}: {got} {want}"
            );
        }
    }
}

#[test]
fn erf_and_erfc_meet_multi_precision_values() {
    #[rustfmt::skip]
    let table = [
        (-6.0, -1.0, 2.0),
        (-1.5, -0.9661051464753108, 1.9661051464753108),
        (-0.25, -0.27632639016823696, 1.276326390168237),
        (1e-10, 1.1283791670955126e-10, 0.999999999887162),
        (0.3, 0.3286267594591274, 0.6713732405408726),
        (0.999, 0.8422852702064969, 0.15771472979350307),
        (1.0, 0.8427007929497149, 0.15729920705028513),
        (1.001, 0.8431154854780762, 0.15688451452192373),
        (2.0, 0.9953222650189527, 0.004677734981047266),
        (5.0, 0.9999999999984626, 1.537459794428035e-12),
        (10.0, 1.0, 2.088487583762545e-45),
        (7.3, 1.0, 5.502573750691923e-25),
        (25.7, 1.0, 3.1188999330073835e-289),
        (26.0, 1.0, 5.663192408856143e-296),
    ];
    for (x, want, tail) in table {
        assert!((erf(x) - want).abs() <= 1e-15 * want.abs(), "erf({x}): {} {want}", erf(x));
        assert!((erfc(x) - tail).abs() <= 4e-15 * tail, "erfc({x}): {} {tail}", erfc(x));
    }
    assert_eq!((erf(0.0), erfc(0.0), erfc(40.0)), (0.0, 1.0, 0.0));
    assert!(erf(f64::NAN).is_nan() && erfc(f64::NAN).is_nan());
}

/// Points on both sides of 0, out to where everything saturates; none on a kink.
fn points() -> impl Iterator<Item = f64> {
    (-200..200).map(|i| {
        let x = f64::from(i) / 20.0 + 0.0125;
        x * (1.0 + x * x / 10.0)
    })
}

#[test]
fn derivatives_are_those_of_dual_numbers() {
    let all = Activation::ALL.into_iter();
    for function in all.chain([Activation::LeakyRelu { alpha: -0.3 }, Activation::Elu { alpha: 1.7 }]) {
        for a in points() {
            let [value, first, second] = activation(function, a);
            let [f, f1, _] = activation(function, Dual::variable(a));
            assert_eq!((f.value, f1.value), (value, first));
            // Duals differentiate tanh as 1 − tanh², which cancels: hence the absolute part.
            let close = |x: f64, y: f64| (x - y).abs() <= 1e-15 + 1e-12 * x.abs().max(y.abs());
            assert!(close(f.slope, first), "{function:?}' at {a}: {} {first}", f.slope);
            assert!(close(f1.slope, second), "{function:?}'' at {a}: {} {second}", f1.slope);
        }
    }
}

#[test]
fn kinks_take_the_branch_that_pytorch_takes() {
    let at_zero = |function| activation(function, 0.0_f64);
    assert_eq!(at_zero(Activation::Relu), [0.0, 0.0, 0.0]);
    assert_eq!(at_zero(Activation::LeakyRelu { alpha: 0.25 }), [0.0, 0.25, 0.0]);
    // Of f'' the double backward's 0, which is what it is on the other side.
    assert_eq!(at_zero(Activation::Elu { alpha: 0.25 }), [0.0, 0.25, 0.0]);
    let [value, first, second] = at_zero(Activation::Selu);
    assert!(value == 0.0 && second == 0.0 && (first - 1.758_099_340_847_376_8).abs() < 1e-15);
    assert_eq!([0.0, 6.0].map(|a| activation(Activation::Relu6, a)), [[0.0; 3], [6.0, 0.0, 0.0]]);
    let gates = [(Activation::HardSigmoid, [1.0, 0.0, 0.0]), (Activation::HardSwish, [3.0, 1.0, 0.0])];
    for (function, above) in gates {
        assert_eq!(activation(function, 3.0), above);
        assert_eq!(activation(function, -3.0).map(f64::abs), [0.0; 3]);
    }
    assert_eq!(at_zero(Activation::Softsign), [0.0, 1.0, 0.0]);
}

/// As PyTorch's formulas have it: x σ(x) and its like are −∞ · 0 at −∞.
#[test]
fn infinities_and_nan_give_what_pytorch_gives() {
    use Activation::*;
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for (function, above, below) in [
        (Identity, [inf, 1.0, 0.0], [-inf, 1.0, 0.0]),
        (Relu, [inf, 1.0, 0.0], [0.0; 3]),
        (LeakyRelu { alpha: 0.01 }, [inf, 1.0, 0.0], [-inf, 0.01, 0.0]),
        (Elu { alpha: 1.3 }, [inf, 1.0, 0.0], [-1.3, 0.0, 0.0]),
        (Selu, [inf, 1.0507009873554805, 0.0], [-1.7580993408473766, 0.0, 0.0]),
        (Sigmoid, [1.0, 0.0, 0.0], [0.0; 3]),
        (Tanh, [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]),
        (LogSigmoid, [0.0; 3], [-inf, 1.0, 0.0]),
        (Softplus, [inf, 1.0, 0.0], [0.0; 3]),
        (Gelu, [inf, 1.0, 0.0], [nan, 0.0, 0.0]),
        (GeluTanh, [inf, 1.0, 0.0], [nan, 0.0, 0.0]),
        (Silu, [inf, 1.0, 0.0], [nan, 0.0, 0.0]),
        (Mish, [inf, 1.0, 0.0], [nan, 0.0, 0.0]),
        (Relu6, [6.0, 0.0, 0.0], [0.0; 3]),
        (HardSigmoid, [1.0, 0.0, 0.0], [0.0; 3]),
        (HardSwish, [inf, 1.0, 0.0], [nan, 0.0, 0.0]),
        (Softsign, [nan, 0.0, 0.0], [nan, 0.0, 0.0]),
        (Square, [inf, inf, 2.0], [inf, -inf, 2.0]),
        (Sin { frequency: 30.0 }, [nan; 3], [nan; 3]),
        (Exp, [inf; 3], [0.0; 3]),
    ] {
        for (a, want) in [(inf, above), (-inf, below)] {
            let same = |(got, want): (f64, f64)| {
                got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() < 1e-15
            };
            let got = activation(function, a);
            assert!(got.into_iter().zip(want).all(same), "{function:?} at {a}: {got:?}");
            let single = activation(function, a as f32).map(f64::from);
            let near = |(got, want): (f64, f64)| same((got, want)) || (got - want).abs() < 1e-6;
            assert!(single.into_iter().zip(want).all(near), "{function:?} at {a} in f32: {single:?}");
        }
        assert!(
            activation(function, nan)[0].is_nan() && activation(function, f32::NAN)[0].is_nan(),
            "{function:?}"
        );
    }
}

#[test]
fn far_out_all_is_finite_and_saturates() {
    for function in Activation::ALL {
        for a in [100.0_f64, -100.0, 1e4, -1e4, 1e30, -1e30] {
            let single = activation(function, a as f32);
            assert!(single.iter().all(|x| x.is_finite()), "{function:?} at {a}: {single:?}");
            let double = activation(function, a);
            assert!(double.iter().all(|x| x.is_finite()), "{function:?} at {a}: {double:?}");
        }
    }
    assert_eq!(activation(Activation::Tanh, -100.0_f32), [-1.0, 0.0, 0.0]);
    assert_eq!(activation(Activation::Sigmoid, 1e4_f32), [1.0, 0.0, 0.0]);
    assert_eq!(activation(Activation::Softplus, 110.0_f32), [110.0, 1.0, 0.0]);
    for gate in
        [Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Mish, Activation::HardSwish]
    {
        assert_eq!(activation(gate, 1e4_f32), [1e4, 1.0, 0.0], "{gate:?}");
        assert_eq!(activation(gate, -1e4_f32).map(f32::abs), [0.0; 3], "{gate:?}");
    }
}

/// Where a function saturates, its f32 derivatives keep their relative accuracy as long as they are normal numbers.
#[test]
fn tails_do_not_cancel_in_f32() {
    for function in Activation::ALL {
        for a in points().map(|a| a as f32).filter(|a| a.abs() > 2.0 && a.abs() < 80.0) {
            let want = activation(function, f64::from(a));
            for (got, want) in activation(function, a).into_iter().zip(want) {
                let normal = want.abs() > 1e-36;
                let error = (f64::from(got) - want).abs() / want.abs();
                assert!(!normal || error < 2e-5, "{function:?} at {a}: {got} {want}");
            }
        }
    }
}
