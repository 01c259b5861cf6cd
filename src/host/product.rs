//! Matrix products by the crate `gemm`.

use super::Threads;

/// A matrix to read: `rows × columns`, neighbours `row_stride` and `column_stride` elements apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows × columns`, row by row.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix::strided(data, rows, columns, columns)
    }

    /// `columns` of each row of a wider matrix.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Matrix<'a> {
        let matrix = Matrix { data, rows, columns, row_stride, column_stride: 1 };
        assert!(matrix.data.len() >= reach(rows, columns, row_stride), "a matrix larger than its slice");
        matrix
    }

    pub(crate) fn transposed(self) -> Matrix<'a> {
        Matrix {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// A matrix to write, row by row; its rows may be part of a wider one's.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> Target<'a> {
    pub(crate) fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Target<'a> {
        Target::strided(data, rows, columns, columns)
    }

    pub(crate) fn strided(data: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Target<'a> {
        assert!(columns <= row_stride && data.len() >= reach(rows, columns, row_stride));
        Target { data, rows, columns, row_stride }
    }
}

/// Elements from the first up to and including the last.
fn reach(rows: usize, columns: usize, row_stride: usize) -> usize {
    if rows * columns == 0 { 0 } else { (rows - 1) * row_stride + columns }
}

/// `c ← a b`, or with `add` `c ← c + a b`, on this thread.
pub(crate) fn multiply(c: Target<'_>, add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    assert!(a.rows == c.rows && b.columns == c.columns && a.columns == b.rows, "sizes that do not fit");
    // SAFETY: `c` is borrowed mutably and as large as its sizes and stride say.
    unsafe { raw(c.data.as_mut_ptr(), c.rows, c.columns, c.row_stride, add, a, b) }
}

/// The same, the rows or columns of `c` shared out among threads. No sum is cut, so threads do not change the bits.
pub(crate) fn multiply_parallel(threads: &Threads, c: Target<'_>, add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    assert!(a.rows == c.rows && b.columns == c.columns && a.columns == b.rows, "sizes that do not fit");
    let by_rows = c.rows >= c.columns || c.rows >= 32 * threads.count();
    let ranges = threads.ranges(if by_rows { c.rows } else { c.columns }, 2 * c.rows * c.columns * a.columns);
    let start = Start(c.data.as_mut_ptr());
    threads.each(ranges, |range| {
        let (first, len) = (range.start, range.len());
        let (offset, rows, columns, a, b) = if by_rows {
            let a = Matrix { data: &a.data[first * a.row_stride..], rows: len, ..a };
            (first * c.row_stride, len, c.columns, a, b)
        } else {
            let b = Matrix { data: &b.data[first * b.column_stride..], columns: len, ..b };
            (first, c.rows, len, a, b)
        };
        // SAFETY: `c` is borrowed mutably until all threads are done, it is as large as its sizes and stride say, and the
        // ranges are within it and have no element in common.
        unsafe { raw(start.at(offset), rows, columns, c.row_stride, add, a, b) }
    });
}

/// Start of a matrix that several threads write, each its own part.
#[derive(Clone, Copy)]
struct Start(*mut f32);

impl Start {
    /// # Safety
    /// As for `add` of a pointer.
    unsafe fn at(&self, offset: usize) -> *mut f32 {
        // SAFETY: by contract.
        unsafe { self.0.add(offset) }
    }
}

// SAFETY: a pointer is only an address; whoever writes through it states why that is sound.
unsafe impl Send for Start {}
// SAFETY: as above.
unsafe impl Sync for Start {}

/// # Safety
/// `c` must be valid for writing `columns` elements at each of `rows` steps of `row_stride`, and nobody else may touch them.
unsafe fn raw(
    c: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: usize,
    add: bool,
    a: Matrix<'_>,
    b: Matrix<'_>,
) {
    // SAFETY: `a` and `b` are as large as their sizes and strides say, which `Matrix::strided` has checked; `c` by contract.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            a.columns,
            c,
            1,
            row_stride as isize,
            add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, Target, multiply, multiply_parallel};
    use crate::host::Threads;

    /// Parts written by several threads are the product that one thread makes, bit for bit, within wider rows too.
    #[test]
    fn parts_make_the_whole() {
        let number = |i: usize| ((i * 7919) % 64) as f32 / 32.0 - 1.0;
        for [m, n, k] in [[1, 2900, 900], [2900, 3, 700], [130, 129, 331], [2, 2, 2]] {
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let b: Vec<f32> = (0..n * k).map(number).collect();
            let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, n, k).transposed());
            let mut one = vec![1.0; m * (n + 2)];
            let mut many = one.clone();
            multiply(Target::strided(&mut one, m, n, n + 2), true, a, b);
            let three = Threads::new(3).unwrap();
            multiply_parallel(&three, Target::strided(&mut many, m, n, n + 2), true, a, b);
            let plain: f32 =
                1.0 + (0..k).map(|i| number((m - 1) * k + i) * number((n - 1) * k + i)).sum::<f32>();
            assert!((one[(m - 1) * (n + 2) + n - 1] - plain).abs() < 1e-3);
            assert!(one.iter().zip(&many).all(|(a, b)| (a - b).abs() <= 1e-5 * k as f32));
            assert_eq!(many[n], 1.0);
        }
    }
}
