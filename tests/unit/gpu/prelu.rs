use super::{Bound, Lie, Map, check_signal, compare, numbers, run, storages};
use crate::ops::prelu::{SlopesForward, SlopesSignal};
use crate::shader::BatchShape;

#[test]
fn slopes() {
    for (shape, lie) in storages() {
        let channels = shape.channels() as usize;
        let positions = match shape {
            BatchShape::Image { positions, .. } => positions as usize,
            _ => 1,
        };
        for count in [1, channels] {
            let slopes = SlopesForward { shape, slopes: count as u32 };
            let w = numbers(10, count);
            let mut x = numbers(4, lie.len());
            x[0] = 0.0;
            let slope = |i: usize| if x[i] > 0.0 { 1.0 } else { w[i / positions % channels % count] };
            let map: Map = (0..lie.len()).map(|i| (i, i, slope(i))).collect();
            let expected: Vec<f64> = (0..x.len()).map(|i| slope(i) * x[i]).collect();
            let weights = Lie::Rows { len: count }.store(&w);
            let bound =
                [Bound::Read(lie.store(&x)), Bound::Write(lie.elements()), Bound::Read(weights.clone())];
            compare("prelu", &lie.load(&run(slopes, &bound)[0]), &expected);
            let kernel = |flow| SlopesSignal { slopes, flow };
            check_signal("prelu", kernel, &map, lie, lie, &[lie.store(&x), weights]);
        }
    }
}
