//! Kernels: a key that describes the kernel, and the types of its bindings.

use super::{Dtype, Dtypes, LANES, Workgroup};
use std::any::Any;
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

/// Storage buffers of a kernel: Metal needs the eighth.
const MOST_BUFFERS: usize = 7;

pub(crate) fn is_bindable(bindings: &[Binding]) -> bool {
    bindings.iter().filter(|binding| **binding != Binding::Uniform).count() <= MOST_BUFFERS
}

/// The kind of a binding. Uniforms come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Binding {
    Uniform,
    Read,
    Write,
}

/// The description of a kernel: plain data, from which text, bindings, grid and uniforms follow.
pub(crate) trait Key: Same + Debug + Send + Sync {
    /// A name for tables, profilers and error messages.
    fn label(&self) -> String;

    /// The shader. If the key [is generic](Key::is_generic), `N1`, `N2`, … and `storable` are still to be declared.
    fn source(&self, dtypes: Dtypes) -> String;

    /// Whether the shader names the types of its bindings `N1`, `N2`, …, so that they may be stored as any type.
    fn is_generic(&self) -> bool {
        true
    }

    fn bindings(&self) -> Vec<Binding>;

    fn groups(&self) -> u32;

    /// The bytes of the uniforms, in the order of their bindings, for a grid with rows of `grid_x` workgroups.
    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>>;

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(LANES)
    }

    /// Bytes that it accesses; `bound` has the size of each storage binding, in order.
    fn bytes(&self, bound: &[u64]) -> u64 {
        bound.iter().sum()
    }

    /// Multiply-adds of the heavy part, counted twice; 0 for what only moves memory.
    fn flops(&self) -> u64 {
        0
    }
}

/// Equality of keys behind a pointer.
pub(crate) trait Same: Any {
    fn is_same(&self, other: &dyn Any) -> bool;
}

impl<T: Any + PartialEq> Same for T {
    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    key: Arc<dyn Key>,
    dtypes: Dtypes,
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Kernel) -> bool {
        self.dtypes == other.dtypes && self.key.is_same(&*other.key)
    }
}

impl<K: Key> From<K> for Kernel {
    fn from(key: K) -> Kernel {
        Kernel { key: Arc::new(key), dtypes: Dtypes::default() }
    }
}

impl Kernel {
    pub(crate) fn get<K: Key>(&self) -> Option<&K> {
        let key: &dyn Any = &*self.key;
        key.downcast_ref()
    }

    /// The same kernel with other types at its bindings.
    pub(crate) fn storing(self, dtypes: Dtypes) -> Kernel {
        Kernel { dtypes, ..self }
    }

    pub(crate) fn dtypes(&self) -> Dtypes {
        self.dtypes
    }

    pub(crate) fn label(&self) -> String {
        let stored = if self.dtypes.all_f32() { "" } else { " in f16" };
        format!("{}{stored}", self.key.label())
    }

    pub(crate) fn source(&self) -> String {
        let text = self.key.source(self.dtypes);
        if !self.key.is_generic() {
            return text;
        }
        let bindings = self.bindings();
        let numbered = bindings.iter().enumerate().skip(1);
        let mut written = numbered.filter(|(_, b)| **b == Binding::Write).map(|(i, _)| self.dtypes.at(i));
        let written = written.find(|dtype| *dtype != Dtype::F32).unwrap_or_default();
        self.dtypes.complete(&text, bindings.len() - 1, written)
    }
}

/// Everything but label and source comes from the key.
impl Deref for Kernel {
    type Target = dyn Key;

    fn deref(&self) -> &dyn Key {
        &*self.key
    }
}

pub(crate) fn words(words: &[u32]) -> Vec<Vec<u8>> {
    vec![bytemuck::cast_slice(words).to_vec()]
}

pub(crate) fn bytes_of<T: bytemuck::Pod>(value: &T) -> Vec<u8> {
    bytemuck::bytes_of(value).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Fill(u32);

    #[derive(Debug, PartialEq)]
    struct Copy(u32);

    macro_rules! keys {
        ($($name:ident),*) => {
            $(impl Key for $name {
                fn label(&self) -> String {
                    format!("{self:?}")
                }

                fn source(&self, _: Dtypes) -> String {
                    String::new()
                }

                fn bindings(&self) -> Vec<Binding> {
                    vec![Binding::Uniform, Binding::Write]
                }

                fn groups(&self) -> u32 {
                    1
                }

                fn uniforms(&self, _: u32) -> Vec<Vec<u8>> {
                    words(&[self.0])
                }
            })*
        };
    }

    keys![Fill, Copy];

    #[test]
    fn kernels_are_alike_if_keys_and_dtypes_are() {
        let fill = |n| Kernel::from(Fill(n));
        let half = || fill(1).storing(Dtypes::of([Dtype::F16].into_iter()));
        assert_eq!(fill(1), fill(1));
        assert_eq!(half(), half());
        for other in [fill(2), Kernel::from(Copy(1)), half()] {
            assert_ne!(fill(1), other);
        }
        assert_eq!(fill(1).get::<Fill>(), Some(&Fill(1)));
        assert_eq!(fill(1).get::<Copy>(), None);
        assert!(half().label().ends_with(" in f16") && half().source().contains("alias N1 = f16;"));
    }
}
