//! Patterns of names: each `*` stands for any text.

/// What the stars of `pattern` stand for in `text`, each for as little as possible; `None` where the pattern does not match.
pub(super) fn stars<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == text).then(Vec::new);
    };
    let rest = text.strip_prefix(before)?;
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.into_iter().find_map(|end| {
        let (star, behind) = rest.split_at(end);
        let mut found = stars(after, behind)?;
        found.insert(0, star);
        Some(found)
    })
}

pub(super) fn matches(pattern: &str, text: &str) -> bool {
    stars(pattern, text).is_some()
}

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
    fn stars_take_as_little_as_they_can() {
        for (pattern, text, found) in [
            ("a.weight", "a.weight", Some(vec![])),
            ("a.weight", "a.weights", None),
            ("*", "", Some(vec![""])),
            ("*.weight", "3.body.0.weight", Some(vec!["3.body.0"])),
            ("*.*", "3.body.0.weight", Some(vec!["3", "body.0.weight"])),
            ("*.body.*.*", "3.body.0.weight", Some(vec!["3", "0", "weight"])),
            ("a*a", "a", None),
            ("a*b*c", "axbyc", Some(vec!["x", "y"])),
            ("*b", "abcb", Some(vec!["abc"])),
            ("ä*", "äöü", Some(vec!["öü"])),
        ] {
            assert_eq!(stars(pattern, text), found, "{pattern} on {text}");
        }
    }

    #[test]
    fn names_are_made_anew() {
        assert_eq!(renamed("*.weight", "*.kernel", "3.weight").unwrap(), "3.kernel");
        assert_eq!(renamed("*.*.*", "*/*_*", "a.b.c.d").unwrap(), "a/b_c.d");
        assert_eq!(renamed("*", "net.*", "0.bias").unwrap(), "net.0.bias");
        assert_eq!(renamed("0.*", "head", "0.bias").unwrap(), "head");
        assert_eq!(renamed("0.*", "head.*", "10.bias"), None);
    }
}
