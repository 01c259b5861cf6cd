//! Five sonnets by Shakespeare, and pieces of them to learn from.

/// In public domain.
const TEXT: &str = include_str!("../../data/sonnets.txt");

/// A text as numbers of its characters.
#[derive(Debug)]
pub(crate) struct Corpus {
    /// In order of their code.
    characters: Vec<char>,
    text: Vec<u32>,
}

/// Pieces of a text, each with what follows every character of it.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub inputs: Vec<f32>,
    pub next: Vec<u32>,
}

impl Corpus {
    pub(crate) fn new() -> Corpus {
        let mut characters: Vec<char> = TEXT.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        let number = |c| characters.binary_search(&c).expect("of the same text") as u32;
        let text = TEXT.chars().map(number).collect();
        Corpus { characters, text }
    }

    /// How many characters there are to choose from.
    pub(crate) fn size(&self) -> usize {
        self.characters.len()
    }

    /// As many pieces from anywhere.
    pub(crate) fn pieces(&self, count: usize, length: usize, random: &mut fastrand::Rng) -> Pieces {
        let mut pieces = Pieces { inputs: Vec::new(), next: Vec::new() };
        for _ in 0..count {
            let first = random.usize(..self.text.len() - length);
            let piece = &self.text[first..=first + length];
            pieces.inputs.extend(piece[..length].iter().map(|c| *c as f32));
            pieces.next.extend(&piece[1..]);
        }
        pieces
    }

    pub(crate) fn numbers(&self, text: &str) -> Vec<u32> {
        let number = |c| self.characters.binary_search(&c).ok().map(|number| number as u32);
        text.chars().filter_map(number).collect()
    }

    pub(crate) fn text(&self, numbers: &[u32]) -> String {
        numbers.iter().map(|number| self.characters[*number as usize]).collect()
    }
}
