use super::{Bound, Lie, Map, apply, check_signal, compare, numbers, run};
use crate::ops::concat::{Concat, ConcatSignal};

#[test]
fn channels_behind_channels() {
    let rows = [(1, [1, 1]), (3, [4, 8]), (33, [5, 6])].map(|(batch, sizes)| (batch, sizes, 1, false));
    let images = [(1, [1, 1], 1), (2, [4, 5], 7), (3, [5, 4], 6), (1, [33, 35], 2), (2, [8, 12], 40)];
    let images = images.map(|(batch, sizes, positions)| (batch, sizes, positions, true));
    for (batch, [first, second], positions, padded) in rows.into_iter().chain(images) {
        let lie = |channels| match padded {
            true => Lie::Image { batch, channels, positions },
            false => Lie::Rows { len: batch * channels },
        };
        let (sizes, all) = ([first, second], first + second);
        let z = lie(all);
        let values = sizes.map(|size| numbers(size as u64, lie(size).len()));
        // Of each input, where its numbers go.
        let maps: [Map; 2] = [0, 1].map(|input| {
            let size = sizes[input];
            let place = |i: usize| {
                let (sample, channel, q) = (i / positions / size, i / positions % size, i % positions);
                ((sample * all + input * first + channel) * positions + q, i, 1.0)
            };
            (0..lie(size).len()).map(place).collect()
        });
        let parts = [0, 1].map(|input| apply(&maps[input], &values[input], z.len()));
        let expected: Vec<f64> = parts[0].iter().zip(&parts[1]).map(|(x, y)| x + y).collect();
        let concat =
            Concat { positions: (batch * positions) as u32, channels: sizes.map(|size| size as u32), padded };
        let read = |input: usize| Bound::Read(lie(sizes[input]).store(&values[input]));
        let found = run(concat, &[read(0), read(1), Bound::Write(z.elements())]);
        compare("concat", &z.load(&found[0]), &expected);
        for input in 0..2 {
            let kernel = |flow| ConcatSignal { concat, input, flow };
            check_signal("concat", kernel, &maps[input], z, lie(sizes[input]), &[]);
        }
    }
}
