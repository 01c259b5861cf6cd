//! The functions of `shaders/` that a network needs, under names that begin with its own.

use super::numbers::literal;
use crate::model::{Activation, CustomActivation};
use crate::plug::renamed;
use crate::shader::{Picked, file, pick};
use std::collections::{BTreeMap, BTreeSet};

/// How names of `lib/math.wgsl` begin.
const LIBRARY: &str = "hs_";

/// Max pooling's: NaN is larger than any number, as in `shaders/pool/max_forward.wgsl`.
const LARGER: &str = "
// The larger of two; NaN is larger than any number.
fn hs_larger(a: f32, b: f32) -> f32 {
    return select(a, b, !hs_is_nan(a) && (hs_is_nan(b) || b > a));
}
";

/// Functions asked for so far.
#[derive(Debug)]
pub(super) struct Functions<'a> {
    prefix: &'a str,
    activations: Vec<Activation>,
    library: BTreeSet<&'static str>,
}

impl<'a> Functions<'a> {
    pub(super) fn new(prefix: &'a str) -> Functions<'a> {
        Functions { prefix, activations: Vec::new(), library: BTreeSet::new() }
    }

    /// The name of an activation's function.
    pub(super) fn activation(&mut self, activation: Activation) -> String {
        let known = self.activations.iter().position(|known| *known == activation);
        let number = known.unwrap_or_else(|| {
            self.activations.push(activation);
            self.activations.len() - 1
        });
        self.activation_name(number)
    }

    /// One with a parameter may occur several times. The user's own have numbers, for their names may be any.
    fn activation_name(&self, number: usize) -> String {
        let (prefix, name) = (self.prefix, self.activations[number].name());
        if let Activation::Custom(_) = self.activations[number] {
            return format!("{prefix}_own_{number}");
        }
        let before = self.activations[..number].iter().filter(|other| other.name() == name).count();
        let again = if before == 0 { String::new() } else { format!("_again_{before}") };
        format!("{prefix}_act_{name}{again}")
    }

    /// The name of a function of `lib/math.wgsl`, there `hs_name`.
    pub(super) fn library(&mut self, name: &'static str) -> String {
        self.library.insert(name);
        self.renamed(name)
    }

    fn renamed(&self, name: &str) -> String {
        name.replacen(LIBRARY, &format!("{}_", self.prefix), 1)
    }

    /// All declarations.
    pub(super) fn text(&self) -> String {
        let math = file("lib/math");
        let mut needed: Vec<&str> = self.library.iter().copied().collect();
        let mut text = String::new();
        for (number, activation) in self.activations.iter().enumerate() {
            let (file, says) = match activation {
                Activation::Custom(custom) => (custom.shader(), "the user's own"),
                _ => {
                    let file = file(&format!("act/fn/{}", activation.name()));
                    (file, formula(file))
                }
            };
            let name = self.activation_name(number);
            let mut names = BTreeMap::new();
            if let Some((what, value)) = activation.parameter() {
                let constant = format!("{name}_{what}");
                text += &format!("\nconst {constant}: f32 = {};\n", literal(value as f32));
                names.insert(what.to_uppercase(), constant);
            }
            let declared = pick(&[file, math], &["act"]);
            let (library, own): (Vec<Picked<'_>>, Vec<Picked<'_>>) =
                declared.iter().partition(|it| it.name.starts_with(LIBRARY));
            needed.extend(library.iter().map(|it| it.name));
            names.extend(library.iter().map(|it| (it.name.to_owned(), self.renamed(it.name))));
            // `act`, and what else stands beside it: `act_name`, or of the user's own `own_act_name`.
            names.extend(own.iter().map(|it| {
                let rest = it.name.strip_prefix(CustomActivation::PREFIX).map(|rest| format!("_{rest}"));
                let rest = rest.unwrap_or_else(|| it.name.replacen("act", "", 1));
                (it.name.to_owned(), format!("{name}{rest}"))
            }));
            let own: Vec<String> =
                own.iter().map(|it| renamed(it.code, |word| names.get(word).cloned())).collect();
            text += &format!("\n// {}: {says}\n{}\n", activation.name(), own.join("\n\n"));
        }
        let library = pick(&[math, LARGER], &needed);
        let names: BTreeMap<&str, String> =
            library.iter().map(|it| (it.name, self.renamed(it.name))).collect();
        for it in &library {
            let comment = it.comment.replace(LIBRARY, &format!("{}_", self.prefix));
            text += &format!("\n{comment}{}\n", renamed(it.code, |word| names.get(word).cloned()));
        }
        text
    }
}

/// What a file of `act/fn` says of f, without the derivatives: they begin the next part, or the next line.
fn formula(text: &str) -> &str {
    let line = text.lines().next().and_then(|line| line.strip_prefix("// ")).unwrap_or_default();
    line.split(",  f' ").next().unwrap_or_default().trim_end_matches(',')
}
