//! Where the text has a tensor's numbers from: they stand in it, or in a buffer.

use super::index::Index;
use std::borrow::Cow;

/// One tensor's.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    Known(Cow<'a, [f32]>),
    /// In an array of vec4s from element `first` on, a multiple of 4: `read` is what stands before and behind a vector's index.
    Stored {
        read: [String; 2],
        first: usize,
    },
}

/// Exactly this number. Rust writes the fewest digits that lead back to it.
pub(super) fn literal(value: f32) -> String {
    format!("{value:?}f")
}

impl Numbers<'_> {
    /// Element i.
    pub(super) fn at(&self, i: Index) -> String {
        match (self, i) {
            (_, Index::At(i)) => self.run(i as usize, 1),
            (_, i) => format!("{}[{}]", self.vector(i.clone() / 4), i % 4),
        }
    }

    /// Elements 4i to 4i + 3 of a buffer.
    pub(super) fn vector(&self, i: Index) -> String {
        match self {
            Numbers::Known(_) => unreachable!("a layer whose numbers stand in the text has no loops"),
            Numbers::Stored { read: [before, behind], first } => {
                format!("{before}{}{behind}", i + first / 4)
            }
        }
    }

    /// One to four neighbours, as a number or a vector.
    pub(super) fn run(&self, first: usize, count: usize) -> String {
        let places = first..first + count;
        if let Numbers::Known(values) = self {
            return packed(places.map(|i| literal(values[i])));
        }
        let (vector, lane) = (first / 4, first % 4);
        if lane + count > 4 {
            return packed(places.map(|i| self.run(i, 1)));
        }
        let whole = self.vector(vector.into());
        if count == 4 { whole } else { format!("{whole}.{}", &"xyzw"[lane..lane + count]) }
    }
}

/// A number, or a vector of several.
pub(super) fn packed(numbers: impl ExactSizeIterator<Item = String>) -> String {
    let (count, list) = (numbers.len(), numbers.collect::<Vec<_>>().join(", "));
    if count == 1 { list } else { format!("vec{count}({list})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_lead_back_to_the_number() {
        for value in [0.0, -0.0, 0.1, -1.5e-7, 1e16, f32::MAX, f32::MIN_POSITIVE, 1e-45, 16_777_217.0] {
            let text = literal(value);
            let number: f32 = text.strip_suffix('f').unwrap().parse().unwrap();
            assert_eq!(number.to_bits(), value.to_bits(), "{text}");
            naga::front::wgsl::parse_str(&format!("const x = {text};")).unwrap();
        }
    }

    #[test]
    fn places_known_and_computed() {
        let i = || Index::variable("i");
        let known = Numbers::Known(vec![0.5, -1.0, 2.0].into());
        assert_eq!(known.at(1.into()), "-1.0f");
        assert_eq!(known.run(0, 2), "vec2(0.5f, -1.0f)");
        let stored = Numbers::Stored { read: ["p[".into(), "]".into()], first: 64 };
        assert_eq!(stored.at(5.into()), "p[17].y");
        assert_eq!(stored.at(i() + 1), "p[(i + 1) / 4 + 16][(i + 1) % 4]");
        assert_eq!(stored.run(4, 4), "p[17]");
        assert_eq!(stored.run(5, 3), "p[17].yzw");
        assert_eq!(stored.run(6, 3), "vec3(p[17].z, p[17].w, p[18].x)");
        assert_eq!(stored.vector(i()), "p[i + 16]");
    }
}
