//! Whole numbers that the text either knows or computes: what is known is folded, so that one description of a layer gives loops
//! as well as straight-line code.

use std::fmt;
use std::ops::{Add, Div, Mul, Rem, Sub};

/// A `u32`, as a number or as an expression of loop variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Index {
    At(u32),
    Of(String, Binding),
}

/// How tightly an expression's outermost operator binds, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Binding {
    Sum,
    Product,
    Whole,
}

impl Index {
    pub(super) fn variable(name: &str) -> Index {
        Index::Of(name.to_owned(), Binding::Whole)
    }

    /// The expression as an operand that must bind at least so tightly.
    fn operand(&self, least: Binding) -> String {
        match self {
            Index::Of(text, binding) if *binding < least => format!("({text})"),
            other => other.to_string(),
        }
    }

    fn combined(&self, sign: char, other: &Index) -> Index {
        let (binding, right) = match sign {
            '+' => (Binding::Sum, Binding::Sum),
            '-' => (Binding::Sum, Binding::Product),
            _ => (Binding::Product, Binding::Whole),
        };
        Index::Of(format!("{} {sign} {}", self.operand(binding), other.operand(right)), binding)
    }

    pub(super) fn min(self, other: impl Into<Index>) -> Index {
        self.call("min", other.into(), u32::min)
    }

    pub(super) fn max(self, other: impl Into<Index>) -> Index {
        self.call("max", other.into(), u32::max)
    }

    fn call(self, name: &str, other: Index, known: fn(u32, u32) -> u32) -> Index {
        match (self, other) {
            (Index::At(a), Index::At(b)) => Index::At(known(a, b)),
            (a, b) => Index::Of(format!("{name}({a}, {b})"), Binding::Whole),
        }
    }
}

impl From<usize> for Index {
    /// Sizes of a sample and its parameters fit: models are validated so.
    fn from(value: usize) -> Index {
        Index::At(value as u32)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Index::At(value) => write!(f, "{value}"),
            Index::Of(text, _) => f.write_str(text),
        }
    }
}

/// An operator whose results wrap as WGSL's do, and what it makes of a right operand that changes nothing.
macro_rules! operator {
    ($trait:ident, $method:ident, $sign:literal, $wrapping:ident, $neutral:literal) => {
        impl<T: Into<Index>> $trait<T> for Index {
            type Output = Index;
            fn $method(self, other: T) -> Index {
                match (self, other.into()) {
                    (Index::At(a), Index::At(b)) => Index::At(a.$wrapping(b)),
                    (a, Index::At($neutral)) => a,
                    (a, b) => a.combined($sign, &b),
                }
            }
        }
    };
}

operator!(Sub, sub, '-', wrapping_sub, 0);
operator!(Div, div, '/', wrapping_div, 1);

impl<T: Into<Index>> Add<T> for Index {
    type Output = Index;
    fn add(self, other: T) -> Index {
        match (self, other.into()) {
            (Index::At(a), Index::At(b)) => Index::At(a.wrapping_add(b)),
            (a, Index::At(0)) | (Index::At(0), a) => a,
            (a, b) => a.combined('+', &b),
        }
    }
}

impl<T: Into<Index>> Mul<T> for Index {
    type Output = Index;
    fn mul(self, other: T) -> Index {
        match (self, other.into()) {
            (Index::At(a), Index::At(b)) => Index::At(a.wrapping_mul(b)),
            (a, Index::At(1)) | (Index::At(1), a) => a,
            (a, b) => a.combined('*', &b),
        }
    }
}

impl<T: Into<Index>> Rem<T> for Index {
    type Output = Index;
    fn rem(self, other: T) -> Index {
        match (self, other.into()) {
            (Index::At(a), Index::At(b)) => Index::At(a % b),
            (_, Index::At(1)) => Index::At(0),
            (a, b) => a.combined('%', &b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_folded_and_the_rest_keeps_its_meaning() {
        let i = || Index::variable("i");
        let at = |n: usize| Index::from(n);
        assert_eq!(at(3) * 4 + 5, at(17));
        assert_eq!((at(1) - 2) + 3, at(2));
        assert_eq!(at(9) / 4 + at(9) % 4, at(3));
        for (index, text) in [
            (i() * 1 + 0, "i"),
            ((i() + 2) * 3 + i() % 4, "(i + 2) * 3 + i % 4"),
            (i() / 4 * 2 - (i() - 1), "i / 4 * 2 - (i - 1)"),
            (i() / (i() * 2), "i / (i * 2)"),
            (i() % at(1) + 7, "7"),
            (i().max(2) - 2, "max(i, 2) - 2"),
            (at(3).min(5) + i().min(at(1) + i()), "3 + min(i, 1 + i)"),
        ] {
            assert_eq!(index.to_string(), text);
        }
    }
}
