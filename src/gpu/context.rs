//! A device and its queue, created here or by the host, and the crate's per-device state.

use super::class::class_of;
use super::device::DeviceId;
use super::pipeline::Pipelines;
use crate::error::Cause;
use crate::gemm::{Cooperative, TileLimits, TileTable, Tuning};
use crate::shader::DeviceClass;
use crate::{Error, Result};
#[cfg(not(target_arch = "wasm32"))]
use futures::FutureExt as _;
use std::sync::{Arc, Mutex};

/// Options of a context, for the crate's own device or a host's.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct ContextOptions {
    /// Keep wgpu's checks of array bounds in the shaders, and refuse NaN and infinity in data that
    /// is written through the crate. Off by default: every index comes from a plan that was validated.
    pub checked: bool,
    /// Choose kernels for this class of device instead of the one that follows from what the adapter says of itself; in a browser,
    /// which hides it, that is a guess.
    pub class: Option<DeviceClass>,
    /// Tiles measured on this or a similar device, which override the built-in choice: see [`TileTable`].
    pub tiles: Option<TileTable>,
    /// The host's pipeline cache, of the same device. Pipelines live as long as the context in any case; the cache is for the
    /// next run: see [`wgpu::PipelineCache::get_data`].
    pub pipeline_cache: Option<wgpu::PipelineCache>,
    /// Matrix units, [`Cooperative::of`] the adapter, for the forward product and the signal of large dense layers; f16 operands
    /// are rounded to eleven bits (docs/performance.md). The device must have [`Cooperative::features`], which are experimental
    /// in wgpu; on a device without them plans fail with [`Error::Cooperative`]. With `None`, the default, everything is f32
    /// on every device.
    pub cooperative: Option<Cooperative>,
}

impl ContextOptions {
    setters! {
        /// With checks: see [`ContextOptions::checked`].
        checked() => true;
        /// Tile shapes for this class of device.
        class(class: DeviceClass) => Some(class);
        /// Tiles that were measured.
        tiles(tiles: TileTable) => Some(tiles);
        /// Makes pipelines through the host's cache.
        pipeline_cache(cache: &wgpu::PipelineCache) => Some(cache.clone());
        /// Multiplies large dense layers by matrix units: see [`ContextOptions::cooperative`].
        cooperative(units: Cooperative) => Some(units);
    }
}

/// Which adapter is wanted, for a context of the crate's own.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct Request {
    /// Part of the adapter's name, driver or backend (`llvmpipe`, `vulkan`, `gl`), in any case. The first match is taken.
    /// `None`: the best one by wgpu's ranking.
    pub adapter: Option<String>,
    /// Features to enable on the device, as far as the adapter has them.
    pub features: wgpu::Features,
    /// Use matrix units: see [`ContextOptions::cooperative`]. This consents to wgpu's experimental features on the crate's own
    /// device.
    pub cooperative: bool,
    /// Context behaviour.
    pub options: ContextOptions,
}

impl Request {
    /// What wgpu holds for the best, or the adapter that the environment variable `HESSCALE_ADAPTER` names.
    pub fn from_env() -> Request {
        Request::default().adapter(std::env::var("HESSCALE_ADAPTER").ok())
    }

    setters! {
        /// The adapter whose description has this in it: a `String`, or `None` for the best.
        adapter(part: impl Into<Option<String>>) => part.into();
        /// The device gets those of these features that the adapter has.
        features(features: wgpu::Features) => features;
        /// Matrix units are used: see [`Request::cooperative`].
        cooperative() => true;
        /// Context behaviour.
        options(options: ContextOptions) => options;
    }
}

/// A device with its queue and the crate's pipelines on it. Cheap to clone; dropping the last clone frees everything.
#[derive(Clone)]
pub struct Context {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) id: DeviceId,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) pipelines: Pipelines,
    pub(super) limits: wgpu::Limits,
    pub(super) options: ContextOptions,
    info: wgpu::AdapterInfo,
    /// Errors that wgpu reported outside any call that could have returned them; only for our own device.
    fault: Arc<Mutex<Option<String>>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("adapter", &self.describe()).field("class", &self.class()).finish()
    }
}

impl Context {
    /// Creates a device on the best adapter, with default limits and no features.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] or [`Error::Device`].
    pub async fn request() -> Result<Context> {
        Context::request_with(&Request::default()).await
    }

    /// As [`Context::request_with`], but uses a software adapter only if asked for by name, because the CPU path is faster.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] where there is no GPU; [`Error::Device`].
    pub async fn hardware(request: &Request) -> Result<Context> {
        let adapter = match &request.adapter {
            None => best_gpu().await?,
            Some(wanted) => named(wanted).await?,
        };
        Context::on(&adapter, request).await
    }

    /// Creates a device as requested. Limits are wgpu's defaults; only buffer and binding sizes are raised to what the adapter
    /// supports, so that large models fit.
    ///
    /// # Errors
    /// [`Error::NoAdapter`], [`Error::Cooperative`] or [`Error::Device`].
    pub async fn request_with(request: &Request) -> Result<Context> {
        let adapter = match &request.adapter {
            None => best().await?,
            Some(wanted) => named(wanted).await?,
        };
        Context::on(&adapter, request).await
    }

    async fn on(adapter: &wgpu::Adapter, request: &Request) -> Result<Context> {
        let has = adapter.limits();
        let mut limits = wgpu::Limits::defaults().or_worse_values_from(&has);
        limits.max_buffer_size = has.max_buffer_size;
        limits.max_storage_buffer_binding_size = has.max_storage_buffer_binding_size;
        let mut options = request.options.clone();
        let mut descriptor = wgpu::DeviceDescriptor {
            label: Some("hesscale"),
            required_limits: limits,
            required_features: request.features & adapter.features(),
            ..Default::default()
        };
        if request.cooperative {
            let units = Cooperative::of(adapter)?;
            descriptor.required_features |= units.features();
            // SAFETY: the caller requested what wgpu considers experimental; only the crate's own shaders use it.
            descriptor.experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
            options.cooperative = Some(units);
        }
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(refused)?;
        let context = Context::from_device(&device, &queue, options);
        // Our own device must not panic; a host's keeps the host's handlers.
        let note = |fault: &Arc<Mutex<Option<String>>>| {
            let fault = Arc::clone(fault);
            move |what: String| {
                fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(what);
            }
        };
        let (on_error, on_lost) = (note(&context.inner.fault), note(&context.inner.fault));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error(error.to_string())));
        device.set_device_lost_callback(move |reason, text| on_lost(format!("lost ({reason:?}): {text}")));
        Ok(context)
    }

    /// Uses the host's device and queue. Nothing about them is changed.
    pub fn from_device(device: &wgpu::Device, queue: &wgpu::Queue, options: ContextOptions) -> Context {
        Context::within(device, queue, options, device.limits())
    }

    /// The same, with limits that may be narrower than the device's.
    pub(super) fn within(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        options: ContextOptions,
        limits: wgpu::Limits,
    ) -> Context {
        let inner = super::device::known(device, |id| Inner {
            id,
            device: device.clone(),
            queue: queue.clone(),
            pipelines: Pipelines::default(),
            limits,
            options,
            info: device.adapter_info(),
            fault: Arc::default(),
        });
        Context { inner }
    }

    /// Every adapter of this machine, as [`Request::adapter`] is matched against.
    pub async fn adapters() -> Vec<String> {
        let adapters = instance().enumerate_adapters(wgpu::Backends::all()).await;
        adapters.iter().map(|adapter| describe(&adapter.get_info())).collect()
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    /// The queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    /// Name, backend and driver of the adapter in one line.
    pub fn describe(&self) -> String {
        describe(&self.inner.info)
    }

    /// The class of device for which kernels are chosen: [`ContextOptions::class`], else what the adapter says it is.
    pub fn class(&self) -> DeviceClass {
        self.inner.options.class.unwrap_or_else(|| class_of(&self.inner.info))
    }

    pub(crate) fn tuning(&self) -> Tuning<'_> {
        let limits = &self.inner.limits;
        let allowed = TileLimits {
            storage: limits.max_compute_workgroup_storage_size,
            invocations: [
                limits.max_compute_invocations_per_workgroup,
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
            ],
            cooperative: self.inner.options.cooperative,
        };
        Tuning { class: self.class(), table: self.inner.options.tiles.as_ref(), allowed }
    }

    /// The matrix units in use: see [`ContextOptions::cooperative`].
    pub fn cooperative(&self) -> Option<Cooperative> {
        self.inner.options.cooperative
    }

    /// Checks that the device supports the matrix units, if any are to be used, and that the tile table is valid.
    pub(crate) fn check_options(&self) -> Result<()> {
        let ContextOptions { cooperative, tiles, .. } = &self.inner.options;
        cooperative.map_or(Ok(()), |units| units.granted(self.inner.device.features()))?;
        tiles.as_ref().map_or(Ok(()), TileTable::check)
    }

    /// Whether run-time checks are on: see [`ContextOptions::checked`].
    pub fn is_checked(&self) -> bool {
        self.inner.options.checked
    }

    /// Whether two handles are the same context.
    pub fn is(&self, other: &Context) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// An error that wgpu reported outside any of our calls, or the loss of the device. Known only for a device that the crate
    /// created: a host has its own handlers.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn health(&self) -> Result<()> {
        match &*self.inner.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some(fault) => Err(Error::device(fault)),
            None => Ok(()),
        }
    }

    /// Runs `make` and turns wgpu's errors into an [`Error::Device`].
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn guarded<T>(&self, make: impl FnOnce() -> T) -> Result<T> {
        let filters =
            [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal];
        let scopes: Vec<_> =
            filters.into_iter().map(|filter| self.inner.device.push_error_scope(filter)).collect();
        let made = make();
        // Native backends answer at once.
        let errors: Vec<_> =
            scopes.into_iter().rev().filter_map(|scope| scope.pop().now_or_never().flatten()).collect();
        match errors.into_iter().next() {
            Some(error) => Err(refused(error)),
            None => Ok(made),
        }
    }

    /// Runs `make`. A browser answers too late for an error scope to be useful; without one the error goes to the device's error
    /// handler, and [`Context::health`] returns it.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn guarded<T>(&self, make: impl FnOnce() -> T) -> Result<T> {
        Ok(make())
    }
}

/// A wgpu error as one of this crate.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Device { problem: error.to_string(), source: Cause::new(error) }
}

/// A wgpu error as one of this crate; in a browser it cannot leave its thread.
#[cfg(target_arch = "wasm32")]
pub(crate) fn refused(error: impl std::error::Error) -> Error {
    Error::device(error.to_string())
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle())
}

/// The best adapter by wgpu's ranking.
async fn best() -> Result<wgpu::Adapter> {
    let answer = instance().request_adapter(&wgpu::RequestAdapterOptions::default()).await;
    answer.map_err(|e| Error::NoAdapter { reason: format!("{e}; {INSTALL}"), source: Cause::new(e) })
}

/// The best GPU by wgpu's ranking.
async fn best_gpu() -> Result<wgpu::Adapter> {
    let is_gpu = |adapter: &wgpu::Adapter| adapter.get_info().device_type != wgpu::DeviceType::Cpu;
    let best = best().await?;
    if is_gpu(&best) {
        return Ok(best);
    }
    let adapters = instance().enumerate_adapters(wgpu::Backends::all()).await;
    adapters.into_iter().find(is_gpu).ok_or_else(|| {
        let reason = format!("{} is software", describe(&best.get_info()));
        Error::NoAdapter { reason, source: None }
    })
}

/// The first whose description contains `wanted`.
async fn named(wanted: &str) -> Result<wgpu::Adapter> {
    let adapters = instance().enumerate_adapters(wgpu::Backends::all()).await;
    let known: Vec<String> = adapters.iter().map(|a| describe(&a.get_info())).collect();
    let wanted_lower = wanted.to_lowercase();
    let found = known.iter().position(|name| name.to_lowercase().contains(&wanted_lower));
    found.and_then(|index| adapters.into_iter().nth(index)).ok_or_else(|| {
        let there_is = if known.is_empty() { format!("there is none; {INSTALL}") } else { known.join("; ") };
        let reason = format!("none matches `{wanted}`: {there_is}");
        Error::NoAdapter { reason, source: None }
    })
}

const INSTALL: &str = "on Debian or Ubuntu `apt-get install mesa-vulkan-drivers` brings a software one";

fn describe(info: &wgpu::AdapterInfo) -> String {
    let backend = format!("{:?},", info.backend);
    let words = [backend.as_str(), &info.driver, &info.driver_info];
    let known: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{} [{}]", info.name, known.join(" "))
}
