use super::{Bound, Lie, MODES, Signal, UNTOUCHED, run};
use crate::model::Activation;
use crate::ops::outside::Take;
use crate::shader::Flow;

/// Every plane, scaled; plane 1 beside u is not read.
#[test]
fn the_hosts_signal_is_taken_with_the_diagonal_beside_u() {
    for len in [1, 35, 64, 301] {
        let lie = Lie::Rows { len };
        for mode in MODES {
            for scale in [1.0_f32, 16.0] {
                let signal = Signal::new(mode, len);
                let mut stored = signal.store(mode, lie);
                if mode.rank() > 0 {
                    stored[lie.plane()..2 * lie.plane()].fill(UNTOUCHED);
                }
                let factor = |number| f64::from(if number < 2 { scale } else { scale.sqrt() });
                let scaled = signal.0.iter().enumerate();
                let scaled = scaled.map(|(n, values)| values.iter().map(|x| factor(n) * x).collect());
                let expected = Signal(scaled.collect());
                let plane = lie.plane() as u32;
                let flow = Flow { mode, below: Activation::Identity, plane_in: plane, plane_out: plane };
                let bound = [Bound::Read(stored), Bound::Write(lie.plane() * mode.planes())];
                let found = run(Take { elements: len as u32, flow, scale }, &bound);
                expected.check(&format!("{len} numbers, {mode:?}, {scale}"), mode, lie, &found[0]);
            }
        }
    }
}
