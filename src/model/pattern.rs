//! Patterns of names: each `*` stands for any text, each `?` for one character.

/// What the stars of `pattern` stand for in `text`, each for as little as possible; `None` where the pattern does not match.
pub(crate) fn stars<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let pattern: Vec<char> = pattern.chars().collect();
    let (ends, chars): (Vec<usize>, Vec<char>) = text.char_indices().unzip();
    let mut found: Vec<(usize, usize)> = Vec::new();
    // Where to go on if what follows the last star does not match: behind that star, with one more character eaten.
    let (mut p, mut n, mut behind) = (0, 0, 0);
    while n < chars.len() {
        match pattern.get(p) {
            Some('*') => {
                p += 1;
                behind = p;
                found.push((n, n));
            }
            Some(c) if *c == '?' || *c == chars[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let (_, eaten) = found.last_mut()?;
                *eaten += 1;
                (p, n) = (behind, *eaten);
            }
        }
    }
    let rest = &pattern[p..];
    found.extend(rest.iter().map(|_| (n, n)));
    let byte = |at: usize| ends.get(at).copied().unwrap_or(text.len());
    let all = found.into_iter().map(|(from, to)| &text[byte(from)..byte(to)]).collect();
    rest.iter().all(|c| *c == '*').then_some(all)
}

pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    stars(pattern, text).is_some()
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
            ("**", "ab", Some(vec!["", "ab"])),
            ("a**", "a", Some(vec!["", ""])),
        ] {
            assert_eq!(stars(pattern, text), found, "{pattern} on {text}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("0.weight", "0.weight", true),
            ("0.weight", "10.weight", false),
            ("*.bias", "3.body.0.bias", true),
            ("*.bias", "3.bias.0", false),
            ("3.*", "3.body.0.bias", true),
            ("3.*", "30.bias", false),
            ("?.weight", "3.weight", true),
            ("?.weight", "30.weight", false),
            ("*", "", true),
            ("", "0.weight", false),
            ("**body*b*s", "3.body.0.bias", true),
            ("*a*ab", "aaab", true),
            ("*.*.bias", "3.bias", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    /// A pattern of many stars takes no longer than one of few.
    #[test]
    fn many_stars() {
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
        assert!(matches(&"*a".repeat(40), &"a".repeat(41)));
        assert!(!matches(&("*a".repeat(40) + "b"), &"a".repeat(400)));
    }
}
