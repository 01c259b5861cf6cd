//! Groups of parameters: which are trained, and how.

use super::{Model, Optimizer, Parameter, Part, Span, matches};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the parameters of one pattern are trained. What is not said is as the optimiser has it.
///
/// ```
/// use hesscale::model::{Group, Groups};
///
/// let groups = Groups::new().with("*.bias", Group::new().weight_decay(0.0)).with("0.*", Group::new().frozen());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Group {
    /// Not trained: parameters and moments keep their bits, and no gradient is computed that nobody else needs.
    pub frozen: bool,
    /// What the learning rate is multiplied by, finite and not negative; by default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f32>,
    /// Decoupled weight decay λ, finite and not negative; by default the optimiser's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f32>,
}

impl Group {
    /// As the optimiser has it.
    #[must_use]
    pub fn new() -> Group {
        Group::default()
    }

    /// Not trained.
    #[must_use]
    pub fn frozen(self) -> Group {
        Group { frozen: true, ..self }
    }

    /// The learning rate times `factor`.
    #[must_use]
    pub fn rate(self, factor: f32) -> Group {
        Group { rate: Some(factor), ..self }
    }

    /// This weight decay.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f32) -> Group {
        Group { weight_decay: Some(weight_decay), ..self }
    }
}

/// Parameters by their name ([`Parameter::name`]: `0.weight`, `3.body.0.bias`), in groups. In a pattern `*`
/// stands for any text, the empty one and dots included, `?` for one character. Of several patterns that match a name the last one
/// counts, by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Groups(Vec<(String, Group)>);

impl Groups {
    /// No groups: all parameters alike.
    #[must_use]
    pub fn new() -> Groups {
        Groups::default()
    }

    /// And these parameters so.
    #[must_use]
    pub fn with(mut self, pattern: impl Into<String>, group: Group) -> Groups {
        self.0.push((pattern.into(), group));
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every pattern matches some parameter of the model, and every number is in its domain.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a pattern that matches no parameter; [`Error::Value`], which names the pattern, for a factor or a
    /// decay that is negative or not finite.
    pub fn check(&self, model: &Model) -> Result<()> {
        for (pattern, group) in &self.0 {
            let names = || model.parameters().iter().map(Parameter::name);
            if !names().any(|name| matches(pattern, &name)) {
                let known: Vec<String> = names().collect();
                return Err(Error::unknown("parameter that matches", pattern.clone(), known.join(", ")));
            }
            for (name, value) in [("rate", group.rate), ("weight decay", group.weight_decay)] {
                if let Some(value) = value.filter(|value| !value.is_finite() || *value < 0.0) {
                    let place = format!("parameters {pattern}");
                    return Err(Error::value(&place, name, f64::from(value), "finite and >= 0"));
                }
            }
        }
        Ok(())
    }

    /// What is trained of a model, in ascending order, each parameter by itself.
    ///
    /// # Errors
    /// As [`Groups::check`].
    pub fn spans(&self, model: &Model, optimizer: &Optimizer) -> Result<Vec<Span>> {
        self.check(model)?;
        let spans = model.parameters().iter().filter_map(|parameter| {
            let group = self.of(&parameter.name());
            (!group.frozen).then(|| Span {
                range: parameter.range(),
                rate: group.rate.unwrap_or(1.0),
                weight_decay: group.weight_decay.unwrap_or(optimizer.weight_decay),
            })
        });
        Ok(spans.collect())
    }

    /// For each parameter of a model, whether it is trained.
    pub(crate) fn trained(&self, model: &Model) -> Vec<bool> {
        let of = |p: &Parameter| {
            let constant = model.nodes()[p.node].part == Part::Constant;
            !constant && (self.is_empty() || !self.of(&p.name()).frozen)
        };
        model.parameters().iter().map(of).collect()
    }

    fn of(&self, name: &str) -> Group {
        self.0
            .iter()
            .rev()
            .find(|(pattern, _)| matches(pattern, name))
            .map_or(Group::default(), |(_, group)| *group)
    }
}
