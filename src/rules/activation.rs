//! Elementwise functions.

use super::{CustomActivation, nothing};
use serde::{Deserialize, Serialize};

/// An elementwise function `f`. Conventions at kinks are PyTorch's: at 0 relu's derivative is 0, and leaky_relu, elu and selu take
/// the negative branch for f'; f'' of elu and selu at 0 is 0, as differentiating PyTorch's gradient again gives it. Where relu6,
/// hard_sigmoid and hard_swish have a kink, f' and f'' are those of the straight side; f'' of softsign at 0 is 0.
///
/// f of NaN is NaN, and f of ±∞ is what PyTorch gives, on every path: see [`activation`](crate::reference::activation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fn", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Activation {
    /// `a`
    #[serde(deserialize_with = "nothing")]
    Identity,
    /// `max(a, 0)`
    #[serde(deserialize_with = "nothing")]
    Relu,
    /// `a` where positive, else `alpha a`
    LeakyRelu {
        /// Slope of the negative branch (0.01 unless given).
        #[serde(default = "leaky_slope")]
        alpha: f64,
    },
    /// `a` where positive, else `alpha (e^a − 1)`
    Elu {
        /// Scale of the negative branch (1 unless given).
        #[serde(default = "one")]
        alpha: f64,
    },
    /// `λ a` where positive, else `λ α (e^a − 1)` (Klambauer et al., 2017)
    #[serde(deserialize_with = "nothing")]
    Selu,
    /// `1 / (1 + e^−a)`
    #[serde(deserialize_with = "nothing")]
    Sigmoid,
    /// `tanh a`
    #[serde(deserialize_with = "nothing")]
    Tanh,
    /// `log sigmoid(a)`
    #[serde(deserialize_with = "nothing")]
    LogSigmoid,
    /// `log(1 + e^a)`
    #[serde(deserialize_with = "nothing")]
    Softplus,
    /// `a Φ(a)` with the normal distribution's Φ, through erf
    #[serde(deserialize_with = "nothing")]
    Gelu,
    /// gelu's tanh form: `a/2 (1 + tanh(√(2/π) (a + 0.044715 a³)))`
    #[serde(deserialize_with = "nothing")]
    GeluTanh,
    /// `a sigmoid(a)`
    #[serde(deserialize_with = "nothing")]
    Silu,
    /// `a tanh(softplus a)` (Misra, 2019, arXiv 1908.08681)
    #[serde(deserialize_with = "nothing")]
    Mish,
    /// `min(max(a, 0), 6)`
    #[serde(deserialize_with = "nothing")]
    Relu6,
    /// `min(max(a + 3, 0), 6) / 6`
    #[serde(deserialize_with = "nothing")]
    HardSigmoid,
    /// `a min(max(a + 3, 0), 6) / 6` (Howard et al., 2019, arXiv 1905.02244)
    #[serde(deserialize_with = "nothing")]
    HardSwish,
    /// `a / (1 + |a|)`
    #[serde(deserialize_with = "nothing")]
    Softsign,
    /// `a²`, in f32 at most 3.4e38
    #[serde(deserialize_with = "nothing")]
    Square,
    /// `sin(ω a)` (SIREN; Sitzmann et al., 2020, arXiv 2006.09661). On a GPU accurate to a few ulp up to |ω a| = 12,000, and to the
    /// spacing of ω a beyond that, which is clamped to ±1,000,000.
    Sin {
        /// ω (1 unless given; SIREN's is 30).
        #[serde(default = "one")]
        frequency: f64,
    },
    /// `e^a`, in f32 at most e^88.72
    #[serde(deserialize_with = "nothing")]
    Exp,
    /// In the user's own WGSL: [`CustomActivation`]. [`Activation::ALL`] has none.
    Custom(CustomActivation),
}

fn leaky_slope() -> f64 {
    0.01
}

fn one() -> f64 {
    1.0
}

impl Activation {
    /// Every activation of the crate's own, parameters at their defaults.
    pub const ALL: [Activation; 20] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { alpha: 0.01 },
        Activation::Elu { alpha: 1.0 },
        Activation::Selu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::LogSigmoid,
        Activation::Softplus,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Mish,
        Activation::Relu6,
        Activation::HardSigmoid,
        Activation::HardSwish,
        Activation::Softsign,
        Activation::Square,
        Activation::Sin { frequency: 1.0 },
        Activation::Exp,
    ];

    /// The name used in JSON and for the shader file; of the user's own the one that it was given.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu { .. } => "leaky_relu",
            Activation::Elu { .. } => "elu",
            Activation::Selu => "selu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::Softplus => "softplus",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::Silu => "silu",
            Activation::Mish => "mish",
            Activation::Relu6 => "relu6",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::HardSwish => "hard_swish",
            Activation::Softsign => "softsign",
            Activation::Square => "square",
            Activation::Sin { .. } => "sin",
            Activation::Exp => "exp",
            Activation::Custom(custom) => custom.name(),
        }
    }

    /// The name and value of its number, for those that have one.
    #[must_use]
    pub fn parameter(self) -> Option<(&'static str, f64)> {
        match self {
            Activation::LeakyRelu { alpha } | Activation::Elu { alpha } => Some(("alpha", alpha)),
            Activation::Sin { frequency } => Some(("frequency", frequency)),
            _ => None,
        }
    }

    /// Whether its derivatives can be computed from its output: they depend on the input's side of a kink only, which the output shares.
    pub(crate) fn is_told_by_output(self) -> bool {
        match self {
            Activation::Identity | Activation::Relu | Activation::Relu6 => true,
            Activation::LeakyRelu { alpha } => alpha > 0.0,
            _ => false,
        }
    }

    /// Whether its second derivative is other than 0 anywhere.
    pub(crate) fn bends(self) -> bool {
        match self {
            Activation::Identity
            | Activation::Relu
            | Activation::LeakyRelu { .. }
            | Activation::Relu6
            | Activation::HardSigmoid => false,
            Activation::Elu { .. }
            | Activation::Selu
            | Activation::Sigmoid
            | Activation::Tanh
            | Activation::LogSigmoid
            | Activation::Softplus
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Mish
            | Activation::HardSwish
            | Activation::Softsign
            | Activation::Square
            | Activation::Sin { .. }
            | Activation::Exp
            | Activation::Custom(_) => true,
        }
    }

    /// Whether it is relu-like, passing half of its input: then weights before it are initialised as He et al. do.
    pub(crate) fn is_rectifier(self) -> bool {
        match self {
            Activation::Relu
            | Activation::LeakyRelu { .. }
            | Activation::Elu { .. }
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Mish
            | Activation::Relu6
            | Activation::HardSwish => true,
            Activation::Identity
            | Activation::Selu
            | Activation::Sigmoid
            | Activation::Tanh
            | Activation::LogSigmoid
            | Activation::Softplus
            | Activation::HardSigmoid
            | Activation::Softsign
            | Activation::Square
            | Activation::Sin { .. }
            | Activation::Exp
            | Activation::Custom(_) => false,
        }
    }
}
