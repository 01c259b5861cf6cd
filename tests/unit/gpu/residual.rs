use super::{Bound, Lie, MODES, Signal, compare, numbers, run};
use crate::model::Activation;
use crate::ops::residual::{Add, AddSignal};
use crate::shader::Flow;

#[test]
fn sums_and_what_flows_back_from_two_branches() {
    for lie in [
        Lie::Rows { len: 1 },
        Lie::Rows { len: 35 },
        Lie::Rows { len: 301 },
        Lie::Image { batch: 2, channels: 5, positions: 7 },
    ] {
        let sum = Add { elements: lie.elements() as u32 };
        let (x, y) = (numbers(1, lie.len()), numbers(2, lie.len()));
        let bound = [Bound::Read(lie.store(&x)), Bound::Read(lie.store(&y)), Bound::Write(lie.elements())];
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
        compare("sum", &lie.load(&run(sum, &bound)[0]), &expected);

        for (mode, below) in
            MODES.into_iter().flat_map(|m| [(m, Activation::Identity), (m, Activation::Tanh)])
        {
            let one = Signal::new(mode, lie.len());
            let reversed = |values: &Vec<f64>| values.iter().rev().copied().collect();
            let other = Signal(one.0.iter().map(reversed).collect());
            let add = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
            let mut expected = Signal(one.0.iter().zip(&other.0).map(add).collect());
            let mut bound = vec![
                Bound::Read(one.store(mode, lie)),
                Bound::Write(lie.plane() * mode.planes()),
                Bound::Read(other.store(mode, lie)),
            ];
            if below == Activation::Tanh {
                bound.push(Bound::Read(lie.store(&x)));
                expected = expected.through_tanh(mode, &x);
            }
            let plane = lie.plane() as u32;
            let flow = Flow { mode, below, plane_in: plane, plane_out: plane };
            expected.check("join", mode, lie, &run(AddSignal { add: sum, flow }, &bound)[0]);
        }
    }
}
