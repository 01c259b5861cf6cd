//! Views of values, or of signals, that cover one thread's part of a batch.

use super::program::Value;
use std::mem::take;
use std::ops::Range;

/// The components of each value, restricted to the samples that a thread works on. A block-local value has room for one block of
/// samples only, which is overwritten by the next. Only the values that a run spans are included, so that setting up a run
/// does not cost more the deeper the network is.
#[derive(Debug)]
pub(super) struct Views<'a> {
    of: Vec<View<'a>>,
    /// The value of the first view.
    first: usize,
    /// First sample of the part.
    origin: usize,
}

#[derive(Debug, Default)]
pub(super) struct View<'a> {
    components: Vec<&'a mut [f32]>,
    size: usize,
    block_local: bool,
}

impl<'a> Views<'a> {
    /// Views for each of `ranges` of all `samples`. `buffers` are values, or their signals, with their `components` one after the
    /// other; `values` describes those from `first` on that the run spans.
    pub(super) fn cut(
        buffers: impl Iterator<Item = (usize, &'a mut [f32])>,
        first: usize,
        values: &[Value],
        components: usize,
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
            for mut rest in buffer.chunks_exact_mut(samples * size).take(components) {
                for (part, range) in parts.iter_mut().zip(ranges) {
                    let (mine, others) = rest.split_at_mut(range.len() * size);
                    part.of[value - first].components.push(mine);
                    rest = others;
                }
            }
        }
        parts
    }

    /// Adds block-local values. `buffers` has one entry for each value of the program, empty where there is none.
    pub(super) fn add_block_local(&mut self, buffers: &'a mut [Vec<f32>], components: usize) {
        for (view, buffer) in self.of.iter_mut().zip(&mut buffers[self.first..]) {
            if !buffer.is_empty() {
                let len = buffer.len() / components;
                (view.components, view.block_local) = (buffer.chunks_exact_mut(len).collect(), true);
            }
        }
    }

    /// Samples `rows` of a value that has one component.
    pub(super) fn value(&self, value: usize, rows: &Range<usize>) -> &[f32] {
        let view = &self.of[value - self.first];
        view.components.first().map_or(&[], |component| &component[view.range(self.origin, rows)])
    }

    /// Takes a view out, so that others can be read while it is written.
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
        let first = if self.block_local { 0 } else { rows.start - origin };
        first * self.size..(first + rows.len()) * self.size
    }

    /// Samples `rows` of the first `count` components.
    pub(super) fn read(&self, count: usize, origin: usize, rows: &Range<usize>) -> Vec<&[f32]> {
        let range = self.range(origin, rows);
        self.components.iter().take(count).map(|component| &component[range.clone()]).collect()
    }

    /// The same, mutable.
    pub(super) fn write(&mut self, count: usize, origin: usize, rows: &Range<usize>) -> Vec<&mut [f32]> {
        let range = self.range(origin, rows);
        self.components.iter_mut().take(count).map(|component| &mut component[range.clone()]).collect()
    }
}
