//! Height and width, given as one value or two.

use serde::{Deserialize, Deserializer};

/// Height and width; a single value stands for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Pair {
        Pair([both; 2])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(pair: [usize; 2]) -> Pair {
        Pair(pair)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((height, width): (usize, usize)) -> Pair {
        Pair([height, width])
    }
}

/// Reads `3` or `[3, 2]`.
pub(super) fn pair<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 2], D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "it must be a number, or two: [height, width]")]
    enum Either {
        Both(usize),
        Each([usize; 2]),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Both(both) => [both; 2],
        Either::Each(each) => each,
    })
}

pub(super) fn ones() -> [usize; 2] {
    [1, 1]
}

pub(super) fn zeros() -> [usize; 2] {
    [0, 0]
}
