//! The functions of `shaders/` that a network needs, under names that begin with its own.

use super::numbers::literal;
use crate::model::Activation;
use crate::shader::{Picked, file, pick, renamed};
use std::collections::BTreeSet;

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

    /// One with a parameter may occur several times.
    fn activation_name(&self, number: usize) -> String {
        let name = self.activations[number].name();
        let before = self.activations[..number].iter().filter(|other| other.name() == name).count();
        let again = if before == 0 { String::new() } else { format!("_again_{before}") };
        format!("{}_act_{name}{again}", self.prefix)
    }

    /// The name of a function of `lib/math.wgsl`, there `hs_name`.
    pub(super) fn library(&mut self, name: &'static str) -> String {
        self.library.insert(name);
        name.replacen(LIBRARY, &format!("{}_", self.prefix), 1)
    }

    /// All declarations.
    pub(super) fn text(&self) -> String {
        let math = file("lib/math");
        let mut needed: Vec<&str> = self.library.iter().copied().collect();
        let mut text = String::new();
        for (number, activation) in self.activations.iter().enumerate() {
            let file = match activation {
                Activation::Custom(custom) => custom.shader(),
                _ => file(&format!("act/fn/{}", activation.name())),
            };
            let name = self.activation_name(number);
            let declared = pick(&[file, math], &["act"]);
            let (mut constant, mut parameter) = ("", String::new());
            if let Some((what, value)) = activation.parameter() {
                (constant, parameter) = (what, format!("{name}_{what}"));
                text += &format!("\nconst {parameter}: f32 = {};\n", literal(value as f32));
            }
            let constant = constant.to_uppercase();
            let (library, own): (Vec<Picked<'_>>, Vec<Picked<'_>>) =
                declared.iter().partition(|it| it.name.starts_with(LIBRARY));
            needed.extend(library.iter().map(|it| it.name));
            let names: Vec<(&str, String)> =
                own.iter().map(|it| (it.name, it.name.replacen("act", &name, 1))).collect();
            let names = names.iter().map(|(of, name)| (*of, name.as_str()));
            let names: Vec<(&str, &str)> = names.chain([(&*constant, &*parameter)]).collect();
            let own: Vec<String> = own.iter().map(|it| renamed(it.code, &names)).collect();
            text += &format!("\n// {}: {}\n{}\n", activation.name(), formula(file), own.join("\n\n"));
        }
        for it in pick(&[math, LARGER], &needed) {
            text += &format!("\n{}{}\n", it.comment, it.code);
        }
        text.replace(LIBRARY, &format!("{}_", self.prefix))
    }
}

/// What a file of `act/fn` says of f, without the derivatives.
fn formula(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.strip_prefix("// ")).collect::<Vec<_>>().join(" ");
    comment.split(",  f' ").next().unwrap_or_default().to_owned()
}
