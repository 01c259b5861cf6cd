use super::{Bound, Lie, compare, numbers, run};
use crate::ops::layout::{Direction, Reorder};
use crate::ops::zeropad::{PadForward, PadSignal};

#[test]
fn layouts_there_and_back() {
    for (batch, channels, positions) in
        [(1, 1, 1), (2, 3, 7), (3, 5, 1), (1, 33, 12), (2, 8, 40), (2, 8, 150)]
    {
        let lie = Lie::Image { batch, channels, positions };
        let rows = Lie::Rows { len: lie.len() };
        let planes = 3;
        let values = numbers(1, planes * lie.len());
        let layout = |direction| Reorder {
            direction,
            batch: batch as u32,
            channels: channels as u32,
            positions: positions as u32,
            planes: planes as u32,
            plane_rows: rows.len() as u32,
            plane_image: lie.plane() as u32,
        };
        let stored = Lie::Rows { len: values.len() }.store(&values);
        let image =
            run(layout(Direction::ToImage), &[Bound::Read(stored), Bound::Write(planes * lie.plane())]);
        for (plane, expected) in values.chunks(lie.len()).enumerate() {
            let plane = &image[0][plane * lie.plane()..][..lie.elements()];
            compare("to image", &lie.load(plane), expected);
            let used: std::collections::HashSet<usize> = (0..lie.len()).map(|i| lie.place(i)).collect();
            let padding = (0..lie.elements()).filter(|i| !used.contains(i));
            assert!(padding.map(|i| plane[i]).all(|word| word == 0), "padding is zero");
        }
        let back =
            run(layout(Direction::ToRows), &[Bound::Read(image[0].clone()), Bound::Write(values.len())]);
        compare("to rows", &Lie::Rows { len: values.len() }.load(&back[0]), &values);
    }
}

#[test]
fn padding() {
    for (batch, channels, image, padding) in [
        (1, 1, [1, 1], [0, 0, 0, 0]),
        (2, 5, [3, 4], [1, 2, 3, 0]),
        (1, 33, [2, 5], [0, 7, 1, 1]),
        (2, 8, [9, 11], [1, 2, 0, 1]),
    ] {
        let ([h, w], [left, right, top, bottom]) = (image, padding);
        let (rows, columns) = (h + top + bottom, w + left + right);
        let x = Lie::Image { batch, channels, positions: h * w };
        let z = Lie::Image { batch, channels, positions: rows * columns };
        let mut map = Vec::new();
        for i in 0..x.len() {
            let (plane, row, column) = (i / (h * w), i / w % h, i % w);
            map.push(((plane * rows + row + top) * columns + column + left, i, 1.0));
        }
        let pad = PadForward { batch: batch as u32, channels: channels as u32, image, padding };
        let values = numbers(2, x.len());
        let found = run(pad, &[Bound::Read(x.store(&values)), Bound::Write(z.elements())]);
        compare("pad", &z.load(&found[0]), &super::apply(&map, &values, z.len()));
        super::check_signal("pad", |flow| PadSignal { pad, flow }, &map, z, x, &[]);
    }
}
