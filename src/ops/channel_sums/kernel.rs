//! Sums over batch and positions for the parameters of depthwise convolutions, of normalisations, of PReLU and of learned positions.

use crate::model::{Mode, Window};
use crate::ops::batchnorm::NormBy;
use crate::ops::depthwise::DepthwiseSizes;
use crate::shader::{
    BatchShape, Binding, Binding::*, Dtypes, Header, Key, LANES, Workgroup, compose, constants, pair,
    vectors, words,
};
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ChannelParameters {
    /// Entries: the taps, row by row; then the bias, where there is one.
    Depthwise { sizes: DepthwiseSizes, bias: bool },
    /// Batch normalisation. Entries: γ, β.
    Norm(BatchShape, NormBy),
    /// Normalisation by the statistics of each sample's groups, or of each of its positions. Entries: γ; then β, where there is one.
    Groups { shape: BatchShape, groups: u32, apart: bool, bias: bool },
    /// PReLU. Entries: the slope.
    Slopes(BatchShape),
    /// What is added to each element. Entries: that.
    Offsets(BatchShape),
}

/// Partial sums of gradient and diagonal: `shaders/channel_sums/channel_sums.wgsl`. They are left as
/// `[splits][components][entries]` runs of [`stride`](ChannelSums::stride) channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ChannelSums {
    pub parameters: ChannelParameters,
    pub mode: Mode,
    /// Elements of a plane of the signal.
    pub plane: u32,
}

/// Positions that an invocation sums over, about.
const POSITIONS: u32 = 1024;

impl ChannelSums {
    /// The most positions that sums of a single entry may have. For each an invocation may loop 9 times.
    pub(crate) const MOST_POSITIONS: u32 = 256 * 4096;
}

/// Invocations that may share a sum over the positions of an image: no more than it needs.
const LANES_OF: [u32; 3] = [1, 16, 256];

/// Entries that an invocation may sum for at once.
const MOST_ENTRIES: u32 = 5;

impl ChannelSums {
    fn shape(&self) -> BatchShape {
        match self.parameters {
            ChannelParameters::Depthwise { sizes: DepthwiseSizes { window, batch, channels }, .. } => {
                let [rows, columns] = pair(window.positions);
                BatchShape::Image { batch, channels, positions: rows * columns }
            }
            ChannelParameters::Norm(shape, _)
            | ChannelParameters::Groups { shape, .. }
            | ChannelParameters::Slopes(shape)
            | ChannelParameters::Offsets(shape) => shape,
        }
    }

    pub(crate) fn channels(&self) -> u32 {
        self.shape().channels()
    }

    /// Invocations that share a sum.
    fn lanes(&self) -> u32 {
        let enough = |lanes: &u32| self.shape().positions() <= POSITIONS * lanes;
        LANES_OF.into_iter().find(enough).unwrap_or(256)
    }

    /// Sums of a workgroup.
    fn rows(&self) -> u32 {
        (LANES / self.lanes()).max(1)
    }

    /// Samples of a split.
    fn samples(&self) -> u32 {
        (POSITIONS / self.shape().positions().div_ceil(self.lanes())).clamp(1, self.shape().batch())
    }

    /// Parts of the batch that are summed apart.
    pub(crate) fn splits(&self) -> u32 {
        self.shape().batch().div_ceil(self.samples())
    }

    /// Components: gradient, and diagonal where there is one.
    pub(crate) fn components(&self) -> u32 {
        1 + u32::from(self.mode.has_diagonal())
    }

    /// Parameters of a channel.
    pub(crate) fn entries(&self) -> u32 {
        match self.parameters {
            ChannelParameters::Depthwise { sizes, bias } => sizes.window.taps() as u32 + u32::from(bias),
            ChannelParameters::Norm(..) => 2,
            ChannelParameters::Groups { bias, .. } => 1 + u32::from(bias),
            ChannelParameters::Slopes(_) | ChannelParameters::Offsets(_) => 1,
        }
    }

    /// Elements from an entry to the next: the channels, rounded up to a multiple of four.
    pub(crate) fn stride(&self) -> u32 {
        4 * vectors(self.shape().channels())
    }

    pub(crate) fn len(&self) -> usize {
        let counts = [self.splits(), self.components(), self.entries(), self.stride()];
        counts.into_iter().fold(1, |len, count| len.saturating_mul(count as usize))
    }

    /// That an invocation need not loop more than 65,535 times in all: for each position over the vectors u that it reads, and over
    /// entries, and for each of these over the vectors that it adds to, if no compiler unrolls that.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let (entries, rank) = (self.entries().min(MOST_ENTRIES), self.mode.rank() as u32);
        let loops = (1 + entries) * (1 + rank);
        let (positions, most) = (u64::from(self.shape().positions()), u64::from(256 * (60_000 / loops)));
        match positions <= most {
            true => Ok(()),
            false => Err(Error::limit(
                name,
                "positions that a channel's parameters are summed over",
                positions,
                most,
            )),
        }
    }

    /// Whether the signal is multiplied by what the layer's input decides.
    pub(crate) fn reads_input(&self) -> bool {
        !matches!(self.parameters, ChannelParameters::Offsets(_))
    }

    /// Invocations that it takes to cover all entries.
    fn sets(&self) -> u32 {
        self.entries().div_ceil(MOST_ENTRIES)
    }

    fn sums(&self) -> u32 {
        self.splits() * self.sets() * self.shape().vectors()
    }
}

impl Key for ChannelSums {
    fn label(&self) -> String {
        let what = match self.parameters {
            ChannelParameters::Depthwise { .. } => "depthwise",
            ChannelParameters::Norm(..) => "norm",
            ChannelParameters::Groups { .. } => "norm of groups",
            ChannelParameters::Slopes(_) => "prelu",
            ChannelParameters::Offsets(_) => "positions",
        };
        format!("parameters {} {what} {}", self.mode.name(), self.shape().label())
    }

    /// The signal, the sums; the layer's input where it is read; for normalisation its statistics.
    fn bindings(&self) -> Vec<Binding> {
        match self.parameters {
            ChannelParameters::Offsets(_) => vec![Uniform, Read, Write],
            ChannelParameters::Depthwise { .. } | ChannelParameters::Slopes(_) => {
                vec![Uniform, Read, Write, Read]
            }
            ChannelParameters::Norm(..) | ChannelParameters::Groups { .. } => {
                vec![Uniform, Read, Write, Read, Read]
            }
        }
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        header.number("LANES", self.lanes()).number("ROWS", self.rows());
        header.number("ENTRIES", self.entries().div_ceil(self.sets()));
        constants(&mut header, self.mode);
        let plug: &[&str] = match self.parameters {
            ChannelParameters::Depthwise { .. } => &["channel_sums/depthwise"],
            ChannelParameters::Norm(_, by) => &["channel_sums/batchnorm", by.file()],
            ChannelParameters::Groups { shape, groups, apart, .. } => {
                header.flag("APART", apart);
                header.number("GROUPS", groups).number("GROUP_WIDTH", shape.channels() / groups);
                &["channel_sums/norm", "norm/standardized"]
            }
            ChannelParameters::Slopes(_) => &["channel_sums/slopes"],
            ChannelParameters::Offsets(_) => &["channel_sums/offsets"],
        };
        let body = ["channel_sums/params", "channel_sums/channel_sums"];
        let signal = ["signal/gather", "signal/lanes"];
        let library = [self.shape().width().file(), "lib/walk", "lib/rows"];
        compose(&header, &[&body[..], plug, &signal, &library].concat())
    }

    fn groups(&self) -> u32 {
        self.sums().div_ceil(self.rows())
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(self.lanes() * self.rows()).each(16)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let shape = self.shape();
        let width = shape.width().elements();
        let [lines, columns, row] = shape.lines();
        let (mut all, row) = match self.parameters {
            ChannelParameters::Depthwise { sizes: DepthwiseSizes { window, .. }, .. } => {
                let Window { image, kernel, stride, dilation, before, positions, .. } = window;
                let all = [positions, image, kernel, stride, dilation, before].map(pair);
                (all.concat(), all[0][1])
            }
            _ => {
                let lines = [lines, columns];
                ([lines, lines, [1, 1], [1, 1], [1, 1], [0, 0]].concat(), row)
            }
        };
        all.extend([self.sums(), grid_x, shape.batch(), self.samples(), self.entries()]);
        all.extend([shape.vectors(), self.plane / width, self.stride() / width]);
        all.extend([row, 0, 0, 0]);
        words(&all)
    }
}
