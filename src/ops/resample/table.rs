//! The two matrices of a resampling, row by row without their zeros.

use crate::model::Resampling;

/// Of each row of a matrix the places of its numbers, with these.
type Rows = Vec<Vec<(usize, f32)>>;

/// One matrix along rows, one along columns.
#[derive(Debug)]
pub(crate) struct Axes(pub [Rows; 2]);

impl Axes {
    pub(crate) fn new(resampling: &Resampling) -> Axes {
        let along = |axis: usize| {
            (0..resampling.positions[axis]).map(move |q| resampling.taps(axis, q).collect()).collect()
        };
        Axes([along(0), along(1)])
    }

    /// The way back, to an image.
    pub(crate) fn transposed(&self, image: [usize; 2]) -> Axes {
        let turned = |axis: usize| {
            let mut turned: Rows = vec![Vec::new(); image[axis]];
            for (q, taps) in self.0[axis].iter().enumerate() {
                taps.iter().for_each(|(place, weight)| turned[*place].push((q, *weight)));
            }
            turned
        };
        Axes([turned(0), turned(1)])
    }

    /// As `shaders/resample/table.wgsl` reads them, the bits of words: where each row begins, of both matrices, with an end behind
    /// each; then of each number its place and itself.
    pub(crate) fn words(&self) -> Vec<f32> {
        let heads: usize = self.0.iter().map(|rows| rows.len() + 1).sum();
        let (mut begins, mut numbers) = (Vec::with_capacity(heads), Vec::new());
        for rows in &self.0 {
            for row in rows {
                begins.push(f32::from_bits((heads + numbers.len()) as u32));
                numbers.extend(row.iter().flat_map(|(place, x)| [f32::from_bits(*place as u32), *x]));
            }
            begins.push(f32::from_bits((heads + numbers.len()) as u32));
        }
        begins.extend(numbers);
        begins
    }
}
