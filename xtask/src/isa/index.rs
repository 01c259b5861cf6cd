//! The list of texts that the crate exports: `tests/unit/isa/mod.rs` writes it.

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) id: String,
    pub(crate) bindings: String,
    pub(crate) kind: Kind,
    pub(crate) label: String,
    pub(crate) usage: String,
    pub(crate) components: u32,
    pub(crate) tile: String,
    /// Steps of a stage; 0 of what is not staged.
    pub(crate) steps: u32,
    /// Bytes of workgroup memory.
    pub(crate) bytes: u32,
    /// Multiply-adds of each loop that must be unrolled.
    pub(crate) unrolled: Vec<u32>,
    /// Classes of devices whose plans choose it, and those that list it as a permutation.
    pub(crate) chosen: Vec<String>,
    pub(crate) classes: Vec<String>,
    /// The plans and products that it is chosen for.
    pub(crate) whom: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A product in a dispatch of its own.
    Tile,
    /// Two products in one.
    Pair,
    /// No kernel of the crate's, to compare with.
    Reference,
    Other,
}

pub(crate) fn read(index: &str) -> Result<Vec<Text>, String> {
    index.lines().skip(1).map(text).collect()
}

fn text(line: &str) -> Result<Text, String> {
    let wrong = || format!("`{line}` is no line of an index");
    let fields: Vec<&str> = line.split('\t').collect();
    let &[
        id,
        bindings,
        kind,
        label,
        usage,
        components,
        tile,
        _rows,
        _columns,
        steps,
        _buffers,
        bytes,
        unrolled,
        chosen,
        classes,
        whom,
    ] = &fields[..]
    else {
        return Err(wrong());
    };
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    let names = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    Ok(Text {
        id: id.into(),
        bindings: bindings.into(),
        kind: match kind {
            "tile" => Kind::Tile,
            "pair" => Kind::Pair,
            "reference" => Kind::Reference,
            "other" => Kind::Other,
            _ => return Err(wrong()),
        },
        label: label.into(),
        usage: usage.into(),
        components: number(components)?,
        tile: tile.into(),
        steps: number(steps)?,
        bytes: number(bytes)?,
        unrolled: unrolled.split_whitespace().map(number).collect::<Result<_, _>>()?,
        chosen: names(chosen),
        classes: names(classes),
        whom: whom.into(),
    })
}

impl Text {
    pub(crate) fn is_product(&self) -> bool {
        matches!(self.kind, Kind::Tile | Kind::Pair)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const LINE: &str = "0a\tuss\ttile\tgemm\tsignal\t2\t4x4 of 8x8 in 2x8\t4\t4\t8\t2\t512\t256\tdiscrete integrated\tdiscrete\ta; b";

    #[test]
    fn a_line_is_read() {
        let texts = read(&format!("id\n{LINE}\n")).unwrap();
        let [text] = &texts[..] else { panic!("{texts:?}") };
        assert_eq!((text.kind, text.components, text.steps, text.bytes), (Kind::Tile, 2, 8, 512));
        assert_eq!(
            (&text.unrolled[..], &text.chosen[..]),
            (&[256][..], &["discrete".into(), "integrated".into()][..])
        );
        assert!(text.is_product());
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for broken in ["0a\tuss", &LINE.replace("tile", "tail"), &LINE.replace("256", "many")] {
            assert!(read(&format!("id\n{broken}\n")).is_err(), "{broken}");
        }
    }
}
