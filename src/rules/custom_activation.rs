//! Activations in the user's own WGSL.

use super::Activation;
use crate::plug::{Function, Interface, Plug};
use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::{Mutex, PoisonError};

const INTERFACE: Interface = Interface {
    what: "activation",
    prefix: CustomActivation::PREFIX,
    library: "",
    functions: &[
        Function { name: "act", types: "(a: f32) -> f32", result: "f32" },
        Function { name: "act_d", types: "(a: f32) -> vec2<f32>", result: "vec2<f32>" },
    ],
    row: None,
    reads: &[],
};

/// What shaders call: `shaders/act/own.wgsl`.
const BEHIND: &str = concat!("\n// act/own.wgsl\n", include_str!("../../shaders/act/own.wgsl"));

/// All that were made: one of each name and text.
static MADE: Mutex<Vec<&'static Plug>> = Mutex::new(Vec::new());

type Twin = dyn Fn(f64) -> [f64; 3] + Send + Sync;

/// An activation in the user's own WGSL, fused into other kernels as the crate's are. The text declares `fn act(a: f32) -> f32`, f, and
/// `fn act_d(a: f32) -> vec2<f32>`, (f', f''); what it may use is in [`guide::plugs`](crate::guide::plugs). f of NaN is NaN, whatever
/// the text makes of it.
///
/// The CPU and the reference compute it by a closure ([`CustomActivation::on_cpu`]), for they have no WGSL; without one they refuse it.
/// JSON has the name and the text but no closure. Two are equal if name and text are.
///
/// It is `Copy` as every activation is, and so what it is made of stays for the life of the program: each text once, however often it
/// is made, and each closure. Make it once and copy it.
///
/// ```
/// use hesscale::model::CustomActivation;
/// use hesscale::{Loss, Model};
///
/// # fn main() -> hesscale::Result<()> {
/// // a / (1 + |a|)
/// let softsign = CustomActivation::new(
///     "softsign",
///     "fn act(a: f32) -> f32 {
///         return a / (1.0 + abs(a));
///     }
///
///     fn act_d(a: f32) -> vec2<f32> {
///         let d = 1.0 / (1.0 + abs(a));
///         return vec2(d * d, -2.0 * sign(a) * d * d * d);
///     }",
/// )?;
/// let softsign = softsign.on_cpu(|a| {
///     let d = 1.0 / (1.0 + a.abs());
///     [a * d, d * d, -2.0 * d * d * d * if a == 0.0 { 0.0 } else { a.signum() }]
/// });
/// let model = Model::builder([4]).dense(16).act(softsign).dense(3).loss(Loss::mse())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct CustomActivation {
    plug: &'static Plug,
    twin: Option<&'static Twin>,
}

impl CustomActivation {
    /// Before the names that a text declares, in shaders.
    pub(crate) const PREFIX: &str = "own_act_";

    /// By its name in errors, tables and JSON, and its text.
    ///
    /// # Errors
    /// [`Error::Plug`], which points into the text.
    pub fn new(name: &str, wgsl: &str) -> Result<CustomActivation> {
        let known = |made: &[&'static Plug]| {
            made.iter().copied().find(|plug| (plug.name(), plug.wgsl()) == (name, wgsl))
        };
        let made = || MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known(&made());
        let plug = match found {
            Some(plug) => plug,
            None => {
                let plug = Plug::new(&INTERFACE, name, wgsl)?.followed_by(BEHIND);
                let mut made = made();
                known(&made).unwrap_or_else(|| {
                    let plug: &'static Plug = Box::leak(Box::new(plug));
                    made.push(plug);
                    plug
                })
            }
        };
        Ok(CustomActivation { plug, twin: None })
    }

    /// The same with what the CPU and the reference compute: `[f(a), f'(a), f''(a)]`. Panics of the closure are the caller's.
    #[must_use]
    pub fn on_cpu(self, function: impl Fn(f64) -> [f64; 3] + Send + Sync + 'static) -> CustomActivation {
        CustomActivation { twin: Some(Box::leak(Box::new(function))), ..self }
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.plug.name()
    }

    /// The text that it was given.
    #[must_use]
    pub fn wgsl(self) -> &'static str {
        self.plug.wgsl()
    }

    /// Whether it has a closure for the CPU.
    #[must_use]
    pub fn is_on_cpu(self) -> bool {
        self.twin.is_some()
    }

    pub(crate) fn shader(self) -> &'static str {
        self.plug.shader()
    }

    /// By the closure; f of NaN is NaN. NaN where there is no closure, which is looked for before.
    pub(crate) fn at(self, a: f64) -> [f64; 3] {
        let [f, first, second] = self.twin.map_or([f64::NAN; 3], |function| function(a));
        [if a.is_nan() { a } else { f }, first, second]
    }
}

impl PartialEq for CustomActivation {
    fn eq(&self, other: &CustomActivation) -> bool {
        self.plug == other.plug
    }
}

impl fmt::Debug for CustomActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_cpu = if self.is_on_cpu() { ", on the CPU too" } else { "" };
        write!(f, "{:?}{on_cpu}", self.plug)
    }
}

/// As JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    wgsl: String,
}

impl Serialize for CustomActivation {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Raw { name: self.name().into(), wgsl: self.wgsl().into() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CustomActivation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<CustomActivation, D::Error> {
        let Raw { name, wgsl } = Raw::deserialize(deserializer)?;
        CustomActivation::new(&name, &wgsl).map_err(serde::de::Error::custom)
    }
}

impl From<CustomActivation> for Activation {
    fn from(custom: CustomActivation) -> Activation {
        Activation::Custom(custom)
    }
}

impl Activation {
    /// That the CPU can compute it, where a layer of this name has it.
    pub(crate) fn check_on_cpu(self, layer: &str) -> Result<()> {
        match self {
            Activation::Custom(custom) if !custom.is_on_cpu() => {
                Err(Error::unsupported(layer, "an activation without `on_cpu`, on the CPU"))
            }
            _ => Ok(()),
        }
    }
}
