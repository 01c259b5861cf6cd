use super::{Bound, Lie, Map, check_signal, compare, numbers, run};
use crate::ops::multiply::{Multiply, MultiplySignal};

#[test]
fn products_and_what_flows_back_to_a_factor() {
    for lie in [
        Lie::Rows { len: 1 },
        Lie::Rows { len: 301 },
        Lie::Rows { len: 64 },
        Lie::Image { batch: 2, channels: 5, positions: 7 },
    ] {
        let multiply = Multiply { elements: lie.elements() as u32 };
        let (x, y) = (numbers(1, lie.len()), numbers(2, lie.len()));
        let bound = [Bound::Read(lie.store(&x)), Bound::Read(lie.store(&y)), Bound::Write(lie.elements())];
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
        compare("product", &lie.load(&run(multiply, &bound)[0]), &expected);
        let map: Map = y.iter().enumerate().map(|(i, y)| (i, i, *y)).collect();
        let kernel = |flow| MultiplySignal { multiply, flow };
        check_signal("product", kernel, &map, lie, lie, &[lie.store(&y)]);
    }
}
