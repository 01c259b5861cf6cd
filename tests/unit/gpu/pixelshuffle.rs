use super::{Bound, Lie, Map, apply, check_signal, compare, numbers, run};
use crate::ops::pixelshuffle::{Shuffle, ShuffleForward, ShuffleSignal};

#[test]
fn pixels_there_and_back() {
    for (batch, channels, [h, w], r) in
        [(1, 1, [1, 1], 1), (2, 5, [2, 3], 2), (1, 3, [4, 5], 3), (3, 33, [1, 2], 2), (2, 2, [7, 9], 4)]
    {
        let shuffle =
            Shuffle { batch: batch as u32, channels: channels as u32, large: [r * h, r * w], factor: r };
        let small = Lie::Image { batch, channels: channels * r * r, positions: h * w };
        let large = Lie::Image { batch, channels, positions: h * w * r * r };
        let mut to_pixels = Map::new();
        for i in 0..small.len() {
            let (plane, y, x) = (i / (h * w), i / w % h, i % w);
            // Samples and channels of the larger image, then place within a block.
            let (owner, a, b) = (plane / (r * r), plane / r % r, plane % r);
            to_pixels.push(((owner * r * h + r * y + a) * r * w + r * x + b, i, 1.0));
        }
        let to_channels = to_pixels.iter().map(|(j, i, f)| (*i, *j, *f)).collect();
        for (enlarges, map, x, z) in [(true, &to_pixels, small, large), (false, &to_channels, large, small)] {
            let values = numbers(2, x.len());
            let bound = [Bound::Read(x.store(&values)), Bound::Write(z.elements())];
            let found = run(ShuffleForward { shuffle, enlarges }, &bound);
            compare("shuffle", &z.load(&found[0]), &apply(map, &values, z.len()));
            let kernel = |flow| ShuffleSignal { shuffle, enlarges: !enlarges, flow };
            check_signal("shuffle", kernel, map, z, x, &[]);
        }
    }
}
