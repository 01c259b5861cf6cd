//! Mutations of the kinds that break readers.

use fastrand::Rng;

/// Numbers at the edges of types and loops.
const EDGES: [u64; 22] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    63,
    64,
    255,
    256,
    65_535,
    65_536,
    1 << 24,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 53,
    1 << 62,
    u64::MAX / 2,
    u64::MAX,
];

pub(crate) fn edge(random: &mut Rng) -> u64 {
    let edge = EDGES[random.usize(..EDGES.len())];
    match random.u8(..4) {
        0 => edge.wrapping_sub(1),
        1 => edge.wrapping_add(1),
        _ => edge,
    }
}

/// One to four changes of bytes: bits, ranges, pieces of another input.
pub(crate) fn bytes(random: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.usize(1..=4) {
        if bytes.is_empty() {
            break;
        }
        // Most formats have their important fields at the front.
        let reach = if random.bool() { bytes.len() } else { bytes.len().min(64) };
        let at = random.usize(..reach);
        let end = (at + random.usize(1..=32)).min(bytes.len());
        match random.u8(..8) {
            0 => bytes[at] ^= 1 << random.u8(..8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => bytes[at..end].fill(random.u8(..)),
            4 => {
                let number = edge(random);
                let number = if random.bool() { number.to_le_bytes() } else { number.to_be_bytes() };
                let width = [2, 4, 8][random.usize(..3)].min(bytes.len() - at);
                let skip = random.usize(..=8 - width);
                bytes[at..at + width].copy_from_slice(&number[skip..skip + width]);
            }
            5 if !other.is_empty() => {
                let from = random.usize(..other.len());
                let to = (from + random.usize(1..=200)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            6 => {
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            _ => bytes.extend((0..random.usize(1..100)).map(|_| random.u8(..))),
        }
    }
    bytes
}

/// Words of model files, and what JSON has beside.
const WORDS: [&str; 80] = [
    "dense",
    "act",
    "flatten",
    "identity",
    "conv2d",
    "conv1d",
    "convtranspose2d",
    "maxpool2d",
    "avgpool2d",
    "adaptiveavgpool2d",
    "zeropad2d",
    "reflectionpad2d",
    "replicationpad2d",
    "upsample2d",
    "bilinear",
    "bilinear_aligned",
    "embedding",
    "hashgrid",
    "levels",
    "features",
    "log2_table",
    "base",
    "growth",
    "frequencyencoding",
    "octaves",
    "oneblob",
    "bins",
    "count",
    "width",
    "pixelshuffle",
    "pixelunshuffle",
    "factor",
    "name",
    "from",
    "add",
    "multiply",
    "concat",
    "with",
    "shared",
    "layer",
    "ceil_mode",
    "batchnorm",
    "prelu",
    "slopes",
    "dropout",
    "residual",
    "layernorm",
    "rmsnorm",
    "groupnorm",
    "relu",
    "elu",
    "softplus",
    "hard_swish",
    "frequency",
    "mse",
    "softmax_ce",
    "bce_logits",
    "gaussian_nll",
    "soft",
    "class_index",
    "mean",
    "sum",
    "log",
    "same",
    "valid",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "-1",
    "0.5",
    "1e-320",
    "1e308",
    "1e999",
    "-0",
    "0.1e1",
    "\"\"",
    "\u{e9}\u{1F980}",
    "\\u0000",
];

/// One to three changes of a text, most of them to its words and numbers.
pub(crate) fn text(random: &mut Rng, input: &str, other: &str) -> String {
    let mut text = input.to_owned();
    for _ in 0..random.usize(1..=3) {
        let tokens = tokens(&text);
        if tokens.is_empty() {
            break;
        }
        let any = tokens[random.usize(..tokens.len())].clone();
        let numbers: Vec<_> =
            tokens.iter().filter(|t| text[(*t).clone()].starts_with(|c: char| c.is_ascii_digit())).collect();
        let number =
            numbers.get(random.usize(..numbers.len().max(1))).map_or(any.clone(), |range| (*range).clone());
        match random.u8(..8) {
            0..=2 => text.replace_range(number, &edge(random).to_string()),
            3 => text.replace_range(number, &random.u8(1..10).to_string()),
            4 => text.replace_range(any, WORDS[random.usize(..WORDS.len())]),
            5 => {
                let token = self::tokens(other);
                let from = token[random.usize(..token.len())].start;
                let to = token[random.usize(..token.len())].end;
                text.replace_range(any, other.get(from..to).unwrap_or_default());
            }
            6 => {
                let end = tokens[random.usize(..tokens.len())].end.max(any.start);
                text.replace_range(any.start..end, "");
            }
            _ => {
                let damaged = bytes(random, text.as_bytes(), other.as_bytes());
                text = String::from_utf8_lossy(&damaged).into_owned();
            }
        }
    }
    text
}

/// Where words, numbers and single signs lie.
fn tokens(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut tokens: Vec<std::ops::Range<usize>> = Vec::new();
    let part_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut in_word = false;
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let end = at + c.len_utf8();
        match tokens.last_mut() {
            Some(last) if in_word && part_of_word(c) && last.end == at => last.end = end,
            _ => tokens.push(at..end),
        }
        in_word = part_of_word(c);
    }
    tokens
}

#[test]
fn tokens_of_json() {
    let text = "{\"in\": -3, \"p\":0.5}";
    let words: Vec<&str> = tokens(text).into_iter().map(|range| &text[range]).collect();
    assert_eq!(words, ["{", "\"", "in", "\"", ":", "-3", ",", "\"", "p", "\"", ":", "0.5", "}"]);
}
