use super::{Bound, Lie, Map, apply, check_signal, compare, numbers, run};
use crate::model::{Interpolation, Layer, Resampling, Upsample2d};
use crate::ops::resample::{Axes, Resample, ResampleForward, ResampleSignal};

/// Where pixel `q` of an axis comes from, by the layer's own definition.
fn sources(layer: &Layer, axis: usize, q: usize, size: usize) -> Vec<(usize, f64)> {
    let (at, last) = (q as f64, size as f64 - 1.0);
    let at = match layer {
        Layer::Upsample2d(Upsample2d { scale, mode, .. }) => match mode {
            Interpolation::Nearest => (at / scale[axis] as f64).floor(),
            Interpolation::Bilinear => ((at + 0.5) / scale[axis] as f64 - 0.5).max(0.0),
            _ => at * last / (size as f64 * scale[axis] as f64 - 1.0).max(1.0),
        },
        Layer::ReflectionPad2d { padding } => {
            let at = (at - padding[2 - 2 * axis] as f64).abs();
            if at > last { 2.0 * last - at } else { at }
        }
        Layer::ReplicationPad2d { padding } => at - padding[2 - 2 * axis] as f64,
        other => panic!("{other:?}"),
    };
    let at = at.clamp(0.0, last);
    // Hats around the pixels.
    (0..size).map(|i| (i, 1.0 - (at - i as f64).abs())).filter(|(_, weight)| *weight > 1e-9).collect()
}

fn map(layer: &Layer, planes: usize, [h, w]: [usize; 2], [rows, columns]: [usize; 2]) -> Map {
    let mut map = Map::new();
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        for (y, a) in sources(layer, 0, row, h) {
            for (x, b) in sources(layer, 1, column, w) {
                let each = |plane| ((plane * rows + row) * columns + column, (plane * h + y) * w + x, a * b);
                map.extend((0..planes).map(each));
            }
        }
    }
    map
}

fn check(layer: impl Into<Layer>, batch: usize, channels: usize, image: [usize; 2]) {
    let layer = layer.into();
    let resampling: Resampling =
        layer.resampling("layer", &[channels, image[0], image[1]]).unwrap().expect("a resampling");
    let positions = resampling.positions;
    let x = Lie::Image { batch, channels, positions: image[0] * image[1] };
    let z = Lie::Image { batch, channels, positions: positions[0] * positions[1] };
    let (map, values) = (map(&layer, batch * channels, image, positions), numbers(3, x.len()));
    let words = |axes: &Axes| axes.words().iter().map(|word| word.to_bits()).collect::<Vec<u32>>();
    let axes = Axes::new(&resampling);
    let resample = Resample::new(&resampling, batch as u32, channels as u32);
    let bound = [Bound::Read(x.store(&values)), Bound::Write(z.elements()), Bound::Read(words(&axes))];
    let found = run(ResampleForward(resample), &bound);
    compare(&format!("{layer:?}"), &z.load(&found[0]), &apply(&map, &values, z.len()));
    let kernel = |flow| ResampleSignal { resample, flow };
    check_signal(&format!("{layer:?}"), kernel, &map, z, x, &[words(&axes.transposed(image))]);
}

#[test]
fn images_between_their_pixels() {
    check(Upsample2d::nearest(1), 1, 1, [1, 1]);
    check(Upsample2d::nearest([3, 2]), 2, 5, [3, 7]);
    check(Upsample2d::bilinear([2, 3]), 1, 33, [5, 4]);
    check(Upsample2d::bilinear([5, 1]), 3, 2, [4, 1]);
    check(Upsample2d::bilinear(4).mode(Interpolation::BilinearAligned), 2, 5, [3, 6]);
    check(Upsample2d::bilinear([3, 2]).mode(Interpolation::BilinearAligned), 1, 3, [1, 2]);
}

#[test]
fn images_beyond_their_edges() {
    check(Layer::ReflectionPad2d { padding: [1, 2, 0, 3] }, 2, 5, [4, 3]);
    check(Layer::ReflectionPad2d { padding: [6, 6, 6, 6] }, 1, 9, [7, 7]);
    check(Layer::ReplicationPad2d { padding: [0, 7, 3, 1] }, 2, 5, [2, 4]);
}

#[test]
fn pixels_that_a_workgroup_shares() {
    check(Layer::ReplicationPad2d { padding: [40, 0, 3, 33] }, 1, 2, [3, 2]);
}
