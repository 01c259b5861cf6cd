//! The rows of every value, or of every signal, that belong to one part of a batch.

use super::network::Value;
use std::mem::take;
use std::ops::Range;

/// Of each value its planes, those samples of them that a thread works on. A value may instead have room for one block of
/// samples only, and begin anew with each. Values that are far from what is worked on are left out: a run of a deep network
/// costs what it does, not what the network does.
#[derive(Debug)]
pub(super) struct Views<'a> {
    of: Vec<View<'a>>,
    /// The value that the first view is of.
    first: usize,
    /// The first sample.
    origin: usize,
}

#[derive(Debug, Default)]
pub(super) struct View<'a> {
    planes: Vec<&'a mut [f32]>,
    size: usize,
    brief: bool,
}

impl<'a> Views<'a> {
    /// Views of `buffers`, each of a value's `planes` one after the other, for each of `ranges` of all `samples`. `values` are
    /// those from `first`, as many as are worked on.
    pub(super) fn cut(
        buffers: impl Iterator<Item = (usize, &'a mut [f32])>,
        first: usize,
        values: &[Value],
        planes: usize,
        samples: usize,
        ranges: &[Range<usize>],
    ) -> Vec<Views<'a>> {
        let empty = |range: &Range<usize>| {
            let view = |value: &Value| View { size: value.size, ..View::default() };
            Views { of: values.iter().map(view).collect(), first, origin: range.start }
        };
        let mut parts: Vec<Views<'a>> = ranges.iter().map(empty).collect();
        for (value, buffer) in buffers {
            let size = values[value - first].size;
            for mut rest in buffer.chunks_exact_mut(samples * size).take(planes) {
                for (part, range) in parts.iter_mut().zip(ranges) {
                    let (mine, others) = rest.split_at_mut(range.len() * size);
                    part.of[value - first].planes.push(mine);
                    rest = others;
                }
            }
        }
        parts
    }

    /// Adds what lives within a block: `planes` parts of each buffer that is there, of all values.
    pub(super) fn add_brief(&mut self, buffers: &'a mut [Vec<f32>], planes: usize) {
        for (view, buffer) in self.of.iter_mut().zip(&mut buffers[self.first..]) {
            if !buffer.is_empty() {
                let plane = buffer.len() / planes;
                (view.planes, view.brief) = (buffer.chunks_exact_mut(plane).collect(), true);
            }
        }
    }

    /// Samples `rows` of a value.
    pub(super) fn read(&self, value: usize, rows: &Range<usize>) -> &[f32] {
        let view = &self.of[value - self.first];
        view.planes.first().map_or(&[], |plane| &plane[view.range(self.origin, rows)])
    }

    /// Takes a value out, so that others can be read while it is written.
    pub(super) fn take(&mut self, value: usize) -> View<'a> {
        take(&mut self.of[value - self.first])
    }

    pub(super) fn put(&mut self, value: usize, view: View<'a>) {
        self.of[value - self.first] = view;
    }

    pub(super) fn origin(&self) -> usize {
        self.origin
    }
}

impl View<'_> {
    fn range(&self, origin: usize, rows: &Range<usize>) -> Range<usize> {
        let first = if self.brief { 0 } else { rows.start - origin };
        first * self.size..(first + rows.len()) * self.size
    }

    /// Samples `rows` of the first `planes` planes.
    pub(super) fn planes(&self, planes: usize, origin: usize, rows: &Range<usize>) -> Vec<&[f32]> {
        let range = self.range(origin, rows);
        self.planes.iter().take(planes).map(|plane| &plane[range.clone()]).collect()
    }

    /// The same to be written.
    pub(super) fn planes_mut(
        &mut self,
        planes: usize,
        origin: usize,
        rows: &Range<usize>,
    ) -> Vec<&mut [f32]> {
        let range = self.range(origin, rows);
        self.planes.iter_mut().take(planes).map(|plane| &mut plane[range.clone()]).collect()
    }
}
