//! Which device an object belongs to. wgpu's comparisons cannot tell: they compare only ids, which repeat between instances, so a
//! foreign id may match a different object.

use super::context::{Context, Inner};
use crate::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Equal for all contexts of one device, and unique to it within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DeviceId(u64);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Buffer {
    raw: wgpu::Buffer,
    device: DeviceId,
}

impl std::ops::Deref for Buffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.raw
    }
}

type Known = Vec<Weak<Inner>>;

/// All live contexts.
#[cfg(not(target_arch = "wasm32"))]
fn with_known<R>(work: impl FnOnce(&mut Known) -> R) -> R {
    use std::sync::{Mutex, PoisonError};
    static KNOWN: Mutex<Known> = Mutex::new(Vec::new());
    work(&mut KNOWN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// In a browser wgpu's objects stay on their thread.
#[cfg(target_arch = "wasm32")]
fn with_known<R>(work: impl FnOnce(&mut Known) -> R) -> R {
    thread_local! {
        static KNOWN: std::cell::RefCell<Known> = const { std::cell::RefCell::new(Vec::new()) };
    }
    KNOWN.with_borrow_mut(work)
}

fn contexts() -> Vec<Arc<Inner>> {
    with_known(|known| {
        known.retain(|context| context.strong_count() > 0);
        known.iter().filter_map(Weak::upgrade).collect()
    })
}

/// Registers a context, with `inner` built from its device's id.
pub(super) fn known(device: &wgpu::Device, inner: impl FnOnce(DeviceId) -> Inner) -> Arc<Inner> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = contexts().iter().find(|other| is_same(&other.device, device)).map(|other| other.id);
    let id = id.unwrap_or_else(|| DeviceId(NEXT.fetch_add(1, Ordering::Relaxed)));
    let inner = Arc::new(inner(id));
    with_known(|known| known.push(Arc::downgrade(&inner)));
    inner
}

/// Whether two handles are one device: an error raised on one is caught in a scope of the other.
#[cfg(not(target_arch = "wasm32"))]
fn is_same(one: &wgpu::Device, other: &wgpu::Device) -> bool {
    if one != other {
        return false;
    }
    let outer = one.push_error_scope(wgpu::ErrorFilter::Validation);
    let inner = other.push_error_scope(wgpu::ErrorFilter::Validation);
    err(one);
    let (inner, outer) = (caught(inner), caught(outer));
    // A lost device raises no errors. Nothing on it can be read or written either.
    inner || !outer
}

#[cfg(target_arch = "wasm32")]
fn is_same(one: &wgpu::Device, other: &wgpu::Device) -> bool {
    one == other
}

/// Raises a validation error without side effects.
#[cfg(not(target_arch = "wasm32"))]
fn err(device: &wgpu::Device) {
    drop(device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("hesscale: a buffer without a use"),
        size: 4,
        usage: wgpu::BufferUsages::empty(),
        mapped_at_creation: false,
    }));
}

#[cfg(not(target_arch = "wasm32"))]
fn caught(scope: wgpu::ErrorScopeGuard) -> bool {
    use futures::FutureExt as _;
    // Native answers at once.
    scope.pop().now_or_never().flatten().is_some()
}

impl Context {
    pub(super) fn own(&self, raw: wgpu::Buffer) -> Buffer {
        Buffer { raw, device: self.inner.id }
    }

    /// A buffer of the host's.
    pub(crate) fn adopt(&self, raw: wgpu::Buffer) -> Result<Buffer> {
        self.check_owner(&raw)?;
        Ok(self.own(raw))
    }

    pub(crate) fn check_buffer(&self, what: &'static str, buffer: &Buffer) -> Result<()> {
        if buffer.device == self.inner.id { Ok(()) } else { Err(Error::Foreign { what, owner: "device" }) }
    }

    /// A buffer's error is reported to its own device. Unmapping an unmapped buffer is such an error and changes nothing. It is
    /// caught on every device known here; on any other device it reaches the error handler, and wgpu's default handler panics.
    #[cfg(not(target_arch = "wasm32"))]
    fn check_owner(&self, buffer: &wgpu::Buffer) -> Result<()> {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        // Mapping is up to the host; nothing can be detected for a mappable buffer.
        let mappable = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE;
        let unmapped = |error: wgpu::MapRangeError| error.to_string().contains("not mapped");
        if buffer.usage().intersects(mappable) || !buffer.get_mapped_range(..).is_err_and(unmapped) {
            return Ok(());
        }
        let mut others = contexts();
        others.retain(|other| other.id != self.inner.id);
        let validation = wgpu::ErrorFilter::Validation;
        let scopes: Vec<_> = others.iter().map(|other| other.device.push_error_scope(validation)).collect();
        let own = self.inner.device.push_error_scope(validation);
        let panicked = catch_unwind(AssertUnwindSafe(|| buffer.unmap())).is_err();
        let is_own = caught(own);
        let is_others = scopes.into_iter().rev().map(caught).fold(false, |any, caught| any | caught);
        if is_own {
            return Ok(());
        }
        let own = self.inner.device.push_error_scope(validation);
        err(&self.inner.device);
        if caught(own) || is_others || panicked {
            return Err(Error::Foreign { what: "buffer", owner: "device" });
        }
        Err(super::buffer::lost())
    }

    /// A browser answers later, and its ids do not repeat.
    #[cfg(target_arch = "wasm32")]
    fn check_owner(&self, _: &wgpu::Buffer) -> Result<()> {
        Ok(())
    }
}

/// Checks that buffers with different roles are distinct.
pub(crate) fn check_roles<'a>(roles: impl IntoIterator<Item = (&'a str, &'a Buffer)>) -> Result<()> {
    let mut seen: Vec<(&str, &Buffer)> = Vec::new();
    for (role, buffer) in roles {
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == buffer) {
            return Err(Error::SharedBuffer { one: (*other).into(), other: role.into() });
        }
        seen.push((role, buffer));
    }
    Ok(())
}
