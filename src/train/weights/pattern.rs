//! Names that are made anew by a pattern.

use crate::model::stars;

/// `text` as `by` has it, if the pattern matches; `by` has at most as many stars.
pub(super) fn renamed(pattern: &str, by: &str, text: &str) -> Option<String> {
    let mut stars = stars(pattern, text)?.into_iter();
    let mut parts = by.split('*');
    let first = parts.next().unwrap_or_default().to_owned();
    Some(parts.fold(first, |name, part| name + stars.next().unwrap_or_default() + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_anew() {
        assert_eq!(renamed("*.weight", "*.kernel", "3.weight").unwrap(), "3.kernel");
        assert_eq!(renamed("*.*.*", "*/*_*", "a.b.c.d").unwrap(), "a/b_c.d");
        assert_eq!(renamed("*", "net.*", "0.bias").unwrap(), "net.0.bias");
        assert_eq!(renamed("0.*", "head", "0.bias").unwrap(), "head");
        assert_eq!(renamed("0.*", "head.*", "10.bias"), None);
    }
}
