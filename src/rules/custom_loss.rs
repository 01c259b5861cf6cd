//! Losses in the user's own WGSL.

use super::Reduction;
use crate::plug::{Function, Interface, Plug};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

const TERM: Interface = Interface {
    what: "loss",
    prefix: "own_loss_",
    library: "struct Term { value: f32, g: f32, h: f32 }",
    functions: &[Function { name: "term", types: "(z: f32, y: f32) -> Term", result: "Term" }],
    row: None,
    reads: &[],
};

const ROW: Interface = Interface {
    what: "loss",
    prefix: "own_loss_",
    library: "struct Term { value: f32, g: f32, h: f32 }\n\
              fn output_at(k: u32) -> f32 { return f32(k); }\n\
              fn target_at(k: u32) -> f32 { return f32(k); }\n\
              fn output_count() -> u32 { return 1u; }\n\
              fn target_count() -> u32 { return 1u; }",
    functions: &[
        Function { name: "read_row", types: "() -> Row", result: "Row" },
        Function { name: "part", types: "(row: Row, k: u32) -> Term", result: "Term" },
    ],
    row: Some("Row"),
    reads: &["output_at", "target_at"],
};

/// Outputs of a loss by row: an invocation that reads a row three times loops no more often than every driver lets it.
const MOST_OUTPUTS: usize = 1 << 14;

/// Of a sample, so that a shader can count them.
const MOST_TARGETS: usize = 1 << 20;

/// What one output contributes to a [`CustomLoss`]: the value, its first and its second derivative by that output.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Term {
    /// The value.
    pub value: f64,
    /// `∂/∂z`
    pub g: f64,
    /// `∂²/∂z²`, or an estimate of it, of any sign.
    pub h: f64,
}

/// A loss in the user's own WGSL, which becomes part of the shaders that the crate's losses are part of: reduction, weights of samples
/// and HesScale-R come with them. What a text declares and what it may use is in [`guide::plugs`](crate::guide::plugs).
///
/// The CPU and the reference compute it by a closure (`on_cpu`), for they have no WGSL; without one they refuse it. JSON has the
/// name and the text but no closure: a loss that was read from it has none until it is given one. Two losses are equal if name, text
/// and settings are.
///
/// ```
/// use hesscale::model::{CustomLoss, Term};
/// use hesscale::{Loss, Model};
///
/// # fn main() -> hesscale::Result<()> {
/// // log cosh r = |r| + log(1 + e^-2|r|) - log 2
/// let loss = CustomLoss::elementwise(
///     "log_cosh",
///     "fn term(z: f32, y: f32) -> Term {
///         let r = z - y;
///         let t = hs_tanh(r);
///         return Term(abs(r) + hs_log1p(hs_exp(-2.0 * abs(r))) - 0.69314718, t, 1.0 - t * t);
///     }",
/// )?;
/// let loss = loss.on_cpu(|z, y| Term { value: (z - y).cosh().ln(), g: (z - y).tanh(), h: (z - y).cosh().powi(-2) });
/// let model = Model::builder([4]).dense(3).loss(Loss::from(loss).sum())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
#[non_exhaustive]
pub enum CustomLoss {
    /// A sum over outputs, each with a target of its own.
    Elementwise(ElementwiseLoss),
    /// A function of all outputs and targets of a sample.
    ByRow(RowLoss),
}

type OfTerm = dyn Fn(f64, f64) -> Term + Send + Sync;

/// Of outputs and targets; writes g and h.
type OfRow = dyn Fn(&[f64], &[f64], &mut [f64], &mut [f64]) -> f64 + Send + Sync;

/// As [`CustomLoss::elementwise`] makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementwiseLoss(Custom<OfTerm>);

/// As [`CustomLoss::by_row`] makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct RowLoss {
    custom: Custom<OfRow>,
    targets: Option<usize>,
}

/// A text with its closure.
struct Custom<F: ?Sized> {
    plug: Arc<Plug>,
    reduction: Reduction,
    twin: Option<Arc<F>>,
}

impl<F: ?Sized> Custom<F> {
    fn new(interface: &Interface, name: &str, wgsl: &str) -> Result<Custom<F>> {
        let plug = Arc::new(Plug::new(interface, name, wgsl)?);
        Ok(Custom { plug, reduction: Reduction::Mean, twin: None })
    }
}

impl<F: ?Sized> Clone for Custom<F> {
    fn clone(&self) -> Custom<F> {
        Custom { plug: self.plug.clone(), reduction: self.reduction, twin: self.twin.clone() }
    }
}

impl<F: ?Sized> PartialEq for Custom<F> {
    fn eq(&self, other: &Custom<F>) -> bool {
        (&self.plug, self.reduction) == (&other.plug, other.reduction)
    }
}

impl<F: ?Sized> fmt::Debug for Custom<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_cpu = if self.twin.is_some() { ", on the CPU too" } else { "" };
        write!(f, "{:?}, {:?}{on_cpu}", self.plug, self.reduction)
    }
}

impl CustomLoss {
    /// `Σ_k l(z_k, y_k)` over the outputs z and as many targets y, by `fn term(z: f32, y: f32) -> Term`. A mean divides by the number
    /// of targets, as that of [`Loss::Mse`](crate::Loss::Mse) does. An output that is not finite makes the loss NaN, and g and h
    /// there.
    ///
    /// # Errors
    /// [`Error::Plug`], which points into the text.
    pub fn elementwise(name: &str, wgsl: &str) -> Result<ElementwiseLoss> {
        Ok(ElementwiseLoss(Custom::new(&TERM, name, wgsl)?))
    }

    /// A function of all outputs and targets of a sample, by `struct Row`, `fn read_row() -> Row` and
    /// `fn part(row: Row, k: u32) -> Term`. The values of the parts of all outputs add up to the sample's; g and h of part k are those
    /// at output k. A mean divides by the number of samples. An output that is not finite makes the sample's value, g and h NaN.
    ///
    /// # Errors
    /// [`Error::Plug`], which points into the text.
    pub fn by_row(name: &str, wgsl: &str) -> Result<RowLoss> {
        Ok(RowLoss { custom: Custom::new(&ROW, name, wgsl)?, targets: None })
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.plug().name()
    }

    /// The text that it was given.
    #[must_use]
    pub fn wgsl(&self) -> &str {
        self.plug().wgsl()
    }

    /// Whether it has a closure for the CPU.
    #[must_use]
    pub fn is_on_cpu(&self) -> bool {
        match self {
            CustomLoss::Elementwise(ElementwiseLoss(custom)) => custom.twin.is_some(),
            CustomLoss::ByRow(RowLoss { custom, .. }) => custom.twin.is_some(),
        }
    }

    pub(crate) fn shader(&self) -> &str {
        self.plug().shader()
    }

    fn plug(&self) -> &Plug {
        match self {
            CustomLoss::Elementwise(ElementwiseLoss(custom)) => &custom.plug,
            CustomLoss::ByRow(RowLoss { custom, .. }) => &custom.plug,
        }
    }

    pub(super) fn reduction(&self) -> Reduction {
        match self {
            CustomLoss::Elementwise(ElementwiseLoss(custom)) => custom.reduction,
            CustomLoss::ByRow(RowLoss { custom, .. }) => custom.reduction,
        }
    }

    pub(super) fn reduction_mut(&mut self) -> &mut Reduction {
        match self {
            CustomLoss::Elementwise(ElementwiseLoss(custom)) => &mut custom.reduction,
            CustomLoss::ByRow(RowLoss { custom, .. }) => &mut custom.reduction,
        }
    }

    /// Targets of a sample with so many outputs.
    pub(super) fn target_len(&self, outputs: usize) -> usize {
        match self {
            CustomLoss::ByRow(RowLoss { targets: Some(targets), .. }) => *targets,
            _ => outputs,
        }
    }

    pub(super) fn validate(&self, output: &[usize], outputs: usize) -> Result<()> {
        match self {
            CustomLoss::ByRow(RowLoss { targets: Some(0), .. }) => Err(Error::zero_size("loss", "targets")),
            CustomLoss::ByRow(RowLoss { targets: Some(targets), .. }) if *targets > MOST_TARGETS => {
                Err(Error::value("loss", "targets", *targets as f64, "at most 2^20"))
            }
            CustomLoss::ByRow(_) if outputs > MOST_OUTPUTS => {
                Err(Error::shape("loss", output, format!("at most {MOST_OUTPUTS} outputs for a loss by row")))
            }
            CustomLoss::ByRow(RowLoss { custom, .. }) => {
                custom.plug.check_reads("output_at", outputs, "outputs")?;
                custom.plug.check_reads("target_at", self.target_len(outputs), "targets")
            }
            CustomLoss::Elementwise(_) => Ok(()),
        }
    }
}

impl ElementwiseLoss {
    /// The same with what the CPU and the reference compute: of an output and its target the value, g and h. Panics of the closure
    /// are the caller's.
    #[must_use]
    pub fn on_cpu(mut self, term: impl Fn(f64, f64) -> Term + Send + Sync + 'static) -> ElementwiseLoss {
        self.0.twin = Some(Arc::new(term));
        self
    }

    /// By the closure; NaN where there is none, which is looked for before.
    pub(crate) fn at(&self, output: f64, target: f64) -> Term {
        let nothing = Term { value: f64::NAN, g: f64::NAN, h: f64::NAN };
        self.0.twin.as_ref().map_or(nothing, |term| term(output, target))
    }
}

impl RowLoss {
    /// With `count` targets a sample, at least one. Unless given, as many as outputs.
    #[must_use]
    pub fn targets(self, count: usize) -> RowLoss {
        RowLoss { targets: Some(count), ..self }
    }

    pub(crate) fn given_targets(&self) -> Option<usize> {
        self.targets
    }

    /// The same with what the CPU and the reference compute: of outputs and targets of a sample the value, and g and h of each output,
    /// written to the third and fourth argument, which are 0 before. Panics of the closure are the caller's.
    #[must_use]
    pub fn on_cpu(
        mut self,
        row: impl Fn(&[f64], &[f64], &mut [f64], &mut [f64]) -> f64 + Send + Sync + 'static,
    ) -> RowLoss {
        self.custom.twin = Some(Arc::new(row));
        self
    }

    /// By the closure; NaN where there is none, which is looked for before. g and h are 0 before.
    pub(crate) fn at(&self, outputs: &[f64], targets: &[f64], g: &mut [f64], h: &mut [f64]) -> f64 {
        self.custom.twin.as_ref().map_or(f64::NAN, |row| row(outputs, targets, g, h))
    }
}

impl From<ElementwiseLoss> for CustomLoss {
    fn from(loss: ElementwiseLoss) -> CustomLoss {
        CustomLoss::Elementwise(loss)
    }
}

impl From<RowLoss> for CustomLoss {
    fn from(loss: RowLoss) -> CustomLoss {
        CustomLoss::ByRow(loss)
    }
}

/// As JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    form: Form,
    name: String,
    wgsl: String,
    #[serde(default)]
    reduction: Reduction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    targets: Option<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Elementwise,
    ByRow,
}

impl TryFrom<Raw> for CustomLoss {
    type Error = Error;

    fn try_from(Raw { form, name, wgsl, reduction, targets }: Raw) -> Result<CustomLoss> {
        let mut loss = match (form, targets) {
            (Form::Elementwise, None) => CustomLoss::elementwise(&name, &wgsl)?.into(),
            (Form::Elementwise, Some(_)) => {
                return Err(Error::unsupported("loss", "a number of targets of an elementwise loss"));
            }
            (Form::ByRow, targets) => RowLoss { targets, ..CustomLoss::by_row(&name, &wgsl)? }.into(),
        };
        *CustomLoss::reduction_mut(&mut loss) = reduction;
        Ok(loss)
    }
}

impl From<CustomLoss> for Raw {
    fn from(loss: CustomLoss) -> Raw {
        let (name, wgsl, reduction) = (loss.name().into(), loss.wgsl().into(), loss.reduction());
        let (form, targets) = match loss {
            CustomLoss::Elementwise(_) => (Form::Elementwise, None),
            CustomLoss::ByRow(RowLoss { targets, .. }) => (Form::ByRow, targets),
        };
        Raw { form, name, wgsl, reduction, targets }
    }
}
