//! Batch normalisation by the statistics of the batch, and its running statistics.

use crate::model::Mode;
use crate::shader::{
    BatchShape, Binding, Binding::*, DeviceClass, Dtypes, Flow, Header, Key, LANES, Workgroup, compose,
    constants, vectors, words,
};

/// What all its kernels know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BatchGroups {
    pub class: DeviceClass,
    pub batch: u32,
    pub channels: u32,
    pub positions: u32,
    pub eps: f32,
    pub momentum: f32,
    /// Whether a number in memory says how many samples count.
    pub partial: bool,
    /// Where variances begin among running statistics.
    pub variances: u32,
}

/// Splits of the rows at most: one invocation adds them up.
const MOST_SPLITS: u32 = 256;

/// Rows of a split at least.
const LEAST_ROWS: u32 = 64;

/// Rows of a split at most: an invocation visits each twice, and must not loop more than 65,535 times in all.
const MOST_ROWS: u32 = 1 << 14;

/// Positions of a sample that an invocation sums over at most, and samples: it may loop 12 times for each, where no compiler
/// unrolls loops over vectors u.
const MOST_EACH: u32 = 4096;

impl BatchGroups {
    /// The most numbers of a channel.
    pub(crate) const MOST_NUMBERS: u32 = MOST_SPLITS * MOST_ROWS;

    /// The most samples of a batch.
    pub(crate) const MOST_SAMPLES: u32 = 16 * MOST_EACH;

    /// As far as running statistics go.
    pub(crate) fn predicting(shape: BatchShape, eps: f32) -> BatchGroups {
        let (batch, channels, positions) = (shape.batch(), shape.channels(), shape.positions());
        let variances = channels.next_multiple_of(64);
        let (class, momentum, partial) = (DeviceClass::Software, 0.0, false);
        BatchGroups { class, batch, channels, positions, eps, momentum, partial, variances }
    }

    pub(crate) fn shape(&self) -> BatchShape {
        let BatchGroups { batch, channels, positions, .. } = *self;
        BatchShape::Image { batch, channels, positions }
    }

    fn vectors(&self) -> u32 {
        vectors(self.channels)
    }

    fn rows(&self) -> u32 {
        self.batch * self.positions
    }

    /// Rows that are summed together.
    fn split(&self) -> u32 {
        self.rows().div_ceil(MOST_SPLITS).max(LEAST_ROWS)
    }

    fn splits(&self) -> u32 {
        self.rows().div_ceil(self.split())
    }

    /// Elements of what [`Moments`] leaves.
    pub(crate) fn moments_len(&self) -> usize {
        12 * self.splits() as usize * self.vectors() as usize
    }

    /// Elements of what [`Statistics`] leaves.
    pub(crate) fn statistics_len(&self) -> usize {
        16 * self.vectors() as usize
    }

    /// Elements of what [`Coefficients`] leaves.
    pub(crate) fn coefficients_len(&self) -> usize {
        44 * self.vectors() as usize
    }

    fn label(&self) -> String {
        format!("batch {}", self.shape().label())
    }

    fn files(&self, header: &mut Header, count_binding: u32) -> Vec<&'static str> {
        let samples = if self.partial { "batchnorm/partial" } else { "batchnorm/whole" };
        if self.partial {
            header.number("COUNT_BINDING", count_binding);
        }
        vec!["batchnorm/params", samples, "lib/vector"]
    }

    fn bindings(&self, own: &[Binding]) -> Vec<Binding> {
        [&[Uniform], own, &vec![Read; usize::from(self.partial)]].concat()
    }

    fn uniforms_of(&self, n: u32, grid_x: u32, [plane_in, plane_out]: [u32; 2]) -> Vec<Vec<u8>> {
        let sizes = [self.vectors(), self.channels, self.positions, self.batch, self.split(), self.splits()];
        let numbers = [self.variances, self.eps.to_bits(), self.momentum.to_bits(), 0, 0, 0];
        words(&[&[n, grid_x, plane_in, plane_out][..], &sizes, &numbers].concat())
    }
}

/// What is done with statistics, and whose kernel has an invocation for each channel or vec4 of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    /// Of each split: `shaders/batchnorm/moments.wgsl`.
    Moments,
    /// Of the batch: `shaders/batchnorm/statistics.wgsl`.
    Statistics,
    /// Running ones toward the batch's: `shaders/batchnorm/follow.wgsl`.
    Follow,
    /// From running ones, for a plan that predicts: `shaders/batchnorm/running.wgsl`.
    Running,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StatisticsKernel {
    pub norm: BatchGroups,
    pub step: Step,
}

impl StatisticsKernel {
    fn count(&self) -> u32 {
        match self.step {
            Step::Moments => self.norm.splits() * self.norm.vectors(),
            Step::Statistics => self.norm.vectors(),
            Step::Follow => self.norm.channels,
            Step::Running => 4 * self.norm.vectors(),
        }
    }
}

impl Key for StatisticsKernel {
    fn label(&self) -> String {
        let what = match self.step {
            Step::Moments => "moments",
            Step::Statistics => "statistics",
            Step::Follow => "running statistics follow",
            Step::Running => return format!("running statistics {}", self.norm.channels),
        };
        format!("{what} {}", self.norm.label())
    }

    /// x, moments; or moments, statistics; or running ones, the batch's; or running ones, statistics. Then the count.
    fn bindings(&self) -> Vec<Binding> {
        self.norm.bindings(if self.step == Step::Follow { &[Write, Read] } else { &[Read, Write] })
    }

    fn source(&self, _: Dtypes) -> String {
        let own: &[&str] = match self.step {
            Step::Moments => &["batchnorm/moments"],
            Step::Statistics => &["batchnorm/statistics", "lib/math"],
            Step::Follow => &["batchnorm/follow"],
            Step::Running => &["batchnorm/running"],
        };
        let mut header = Header::lanes();
        let files = self.norm.files(&mut header, 3);
        compose(&header, &[own, &files, &["lib/each"]].concat())
    }

    fn groups(&self) -> u32 {
        self.count().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.norm.uniforms_of(self.count(), grid_x, [0; 2])
    }
}

/// The constants of kernels over sums.
fn sums(header: &mut Header, mode: Mode) {
    header.number("SUMS", 5 + 2 * mode.rank() as u32);
}

/// `shaders/batchnorm/signal_sums.wgsl`
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SignalSums {
    pub norm: BatchGroups,
    pub mode: Mode,
    /// Elements of a plane of the signal.
    pub plane: u32,
}

impl SignalSums {
    pub(crate) fn len(&self) -> usize {
        let sums = 5 + 2 * self.mode.rank();
        (self.norm.batch as usize).saturating_mul(4 * sums * self.norm.vectors() as usize)
    }

    /// Invocations that share a sample's positions.
    fn lanes(&self) -> u32 {
        let enough = |lanes: &u32| self.norm.positions <= lanes * if *lanes == 1 { 1024 } else { MOST_EACH };
        [1, 16, 256].into_iter().find(enough).unwrap_or(256)
    }

    fn rows(&self) -> u32 {
        (LANES / self.lanes()).max(1)
    }

    fn count(&self) -> u32 {
        self.norm.batch * self.norm.vectors()
    }
}

impl Key for SignalSums {
    fn label(&self) -> String {
        format!("sums of a signal {} {}", self.mode.name(), self.norm.label())
    }

    /// The signal, the sums, x, statistics.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        header.number("LANES", self.lanes()).number("ROWS", self.rows());
        constants(&mut header, self.mode);
        sums(&mut header, self.mode);
        let whole = BatchGroups { partial: false, ..self.norm };
        let files = whole.files(&mut header, 0);
        let own = ["batchnorm/signal_sums", "norm/standardized", "signal/gather", "signal/lanes", "lib/rows"];
        compose(&header, &[&own[..], &files].concat())
    }

    fn groups(&self) -> u32 {
        self.count().div_ceil(self.rows())
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(self.lanes() * self.rows()).each(16)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.norm.uniforms_of(self.count(), grid_x, [self.plane / 4, 0])
    }
}

/// `shaders/batchnorm/coefficients.wgsl`
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Coefficients {
    pub norm: BatchGroups,
    pub mode: Mode,
}

impl Coefficients {
    /// Invocations that share the samples: one in software while it can, for barriers are expensive there.
    fn lanes(&self) -> u32 {
        let alone = self.norm.class.is_software() && self.norm.batch <= MOST_EACH;
        if alone { 1 } else { 16 }
    }

    fn rows(&self) -> u32 {
        LANES / self.lanes()
    }
}

impl Key for Coefficients {
    fn label(&self) -> String {
        format!("coefficients of a signal {} {}", self.mode.name(), self.norm.label())
    }

    /// The sums, the coefficients, statistics, γ; the count.
    fn bindings(&self) -> Vec<Binding> {
        self.norm.bindings(&[Read, Write, Read, Read])
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        header.number("LANES", self.lanes()).number("ROWS", self.rows());
        header.flag("HAS_DIAGONAL", self.mode.has_diagonal());
        sums(&mut header, self.mode);
        let files = self.norm.files(&mut header, 5);
        compose(&header, &[&["batchnorm/coefficients", "lib/rows"][..], &files].concat())
    }

    fn groups(&self) -> u32 {
        self.norm.vectors().div_ceil(self.rows())
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(LANES).each(16)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.norm.uniforms_of(self.norm.vectors(), grid_x, [0; 2])
    }
}

/// The signal to the input: `shaders/batchnorm/signal.wgsl`. No activation is fused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BatchSignal {
    pub norm: BatchGroups,
    pub flow: Flow,
}

impl BatchSignal {
    fn extras(&self) -> u32 {
        2 + u32::from(self.flow.mode.rank() > 0)
    }
}

impl Key for BatchSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.norm.label())
    }

    /// The signals above and below, x, coefficients; the sums where there are vectors u.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(self.extras() as usize)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        sums(&mut header, self.flow.mode);
        let own = if self.flow.mode.rank() > 0 { "batchnorm/own" } else { "batchnorm/no_own" };
        let mut files =
            vec!["batchnorm/signal", own, "batchnorm/params", "batchnorm/whole", "norm/standardized"];
        files.push("lib/each");
        files.extend(self.flow.files(&mut header, self.norm.shape().width(), self.extras()));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.norm.shape().groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let shape = self.norm.shape();
        self.norm.uniforms_of(shape.values(), grid_x, self.flow.planes(shape.width()))
    }
}
