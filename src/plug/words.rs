//! Words of WGSL: identifiers and keywords.

/// A word and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub at: usize,
    pub text: &'a str,
    /// In how many pairs of braces it stands.
    pub depth: u32,
}

/// All that may name something of the module's: no comments, no attributes, and no members, neither behind a point nor where a
/// struct declares them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut at, mut depth, mut before) = (0, 0u32, ' ');
    // Whether `struct` has been read, and the depth within its braces.
    let (mut begins, mut members) = (false, None);
    std::iter::from_fn(move || {
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let (length, behind) = match c {
                _ if rest.starts_with("//") => {
                    at += rest.find('\n').unwrap_or(rest.len());
                    continue;
                }
                // With its point and its suffix.
                '0'..='9' => (rest.find(|c: char| !is_word(c) && c != '.').unwrap_or(rest.len()), before),
                _ if is_word(c) => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), before),
                _ => (c.len_utf8(), before),
            };
            let word = Word { at, text: &rest[..length], depth };
            at += length;
            if !c.is_whitespace() {
                before = c;
            }
            match c {
                '{' => {
                    depth += 1;
                    if std::mem::take(&mut begins) {
                        members = Some(depth);
                    }
                }
                '}' => {
                    members = members.filter(|inside| *inside != depth);
                    depth = depth.saturating_sub(1);
                }
                _ if is_word(c) && !c.is_ascii_digit() => {
                    begins |= word.text == "struct";
                    let declares = members == Some(depth) && text[at..].trim_start().starts_with(':');
                    if behind != '.' && behind != '@' && !declares {
                        return Some(word);
                    }
                }
                _ => {}
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn members_attributes_numbers_and_comments_are_no_words() {
        let text = "// no\n@must_use fn f(v: vec2<f32>) -> S { return S(v . xy, 1.0e3f, 0x1fu, .5f); }\n\
                    struct S { @size(N) a: f32, b : array<T, 3> }\nconst a: u32 = 1u;";
        let found: Vec<_> = words(text).map(|word| word.text).collect();
        let kept = "fn f v vec2 f32 S return S v struct S N f32 array T const a u32";
        assert_eq!(found.join(" "), kept);
        let depths: Vec<_> =
            words(text).filter(|word| ["fn", "return", "N", "const"].contains(&word.text)).collect();
        assert_eq!(depths.iter().map(|word| word.depth).collect::<Vec<_>>(), [0, 1, 1, 0]);
        assert!(depths.iter().all(|word| text[word.at..].starts_with(word.text)));
    }
}
