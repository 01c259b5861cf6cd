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
        self.renaming(name, "")
    }

    /// All declarations.
    pub(super) fn text(&self) -> String {
        let math = file("lib/math");
        let mut needed: Vec<&str> = self.library.iter().copied().collect();
        let mut text = String::new();
        for (number, activation) in self.activations.iter().enumerate() {
            let own = file(&format!("act/fn/{}", activation.name()));
            let name = self.activation_name(number);
            let declared = pick(&[own, math], &["act"]);
            let alpha = ("ALPHA", format!("{name}_alpha"));
            let renaming = declared.iter().map(|it| (it.name, self.renaming(it.name, &name))).chain([alpha]);
            let renaming: Vec<(&str, String)> = renaming.collect();
            if let Some(alpha) = activation.alpha() {
                text += &format!("\nconst {name}_alpha: f32 = {};\n", literal(alpha as f32));
            }
            text += &format!("\n// {}: {}\n", activation.name(), formula(own));
            let (library, own): (Vec<Picked<'_>>, Vec<Picked<'_>>) =
                declared.iter().partition(|it| it.name.starts_with(LIBRARY));
            needed.extend(library.iter().map(|it| it.name));
            let own: Vec<String> = own.iter().map(|it| with_names(it.code, &renaming)).collect();
            text += &format!("{}\n", own.join("\n\n"));
        }
        let declared = pick(&[math, LARGER], &needed);
        let renaming: Vec<_> = declared.iter().map(|it| (it.name, self.renaming(it.name, ""))).collect();
        for it in &declared {
            text += &format!("\n{}{}\n", it.comment, with_names(it.code, &renaming));
        }
        text
    }

    /// What a function of the library is called, or one of an activation's, whose own is `act`.
    fn renaming(&self, name: &str, act: &str) -> String {
        match name.strip_prefix(LIBRARY) {
            Some(name) => format!("{}_{name}", self.prefix),
            None => name.replacen("act", act, 1),
        }
    }
}

fn with_names(code: &str, renaming: &[(&str, String)]) -> String {
    let names: Vec<(&str, &str)> = renaming.iter().map(|(of, name)| (*of, name.as_str())).collect();
    renamed(code, &names)
}

/// What a file of `act/fn` says of f, without the derivatives.
fn formula(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.strip_prefix("// ")).collect::<Vec<_>>().join(" ");
    comment.split(",  f' ").next().unwrap_or_default().to_owned()
}
