//! How far probabilities can be trusted.

/// Bins of confidence of the expected calibration error.
const BINS: usize = 15;

/// Probabilities `[N, classes]`, and the classes that were right.
#[derive(Debug, Clone)]
pub(crate) struct Predictions {
    pub(crate) probabilities: Vec<f64>,
    pub(crate) labels: Vec<u32>,
}

/// What is told of predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Quality {
    pub(crate) accuracy: f64,
    /// Mean of `−log p` of the right class.
    pub(crate) nll: f64,
    /// The mean distance of confidence and accuracy over samples, in 15 equal bins of confidence.
    pub(crate) ece: f64,
}

/// The samples of a bin: how many, their mean confidence, and the share that is right.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Bin {
    pub(crate) count: usize,
    pub(crate) confidence: f64,
    pub(crate) accuracy: f64,
}

impl Predictions {
    /// The softmax of logits `[N, classes]`.
    pub(crate) fn of_logits(logits: impl IntoIterator<Item = f64>, labels: &[u32]) -> Predictions {
        let mut probabilities: Vec<f64> = logits.into_iter().collect();
        let classes = probabilities.len() / labels.len();
        for row in probabilities.chunks_exact_mut(classes) {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter_mut().for_each(|z| *z = (*z - most).exp());
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= sum);
        }
        Predictions { probabilities, labels: labels.to_vec() }
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], usize)> {
        let classes = self.probabilities.len() / self.labels.len();
        self.probabilities.chunks_exact(classes).zip(self.labels.iter().map(|label| *label as usize))
    }

    pub(crate) fn quality(&self) -> Quality {
        let count = self.labels.len() as f64;
        let bins = self.bins(BINS);
        Quality {
            accuracy: bins.iter().map(|bin| bin.accuracy * bin.count as f64).sum::<f64>() / count,
            nll: self.nll(),
            ece: bins.iter().map(|bin| (bin.confidence - bin.accuracy).abs() * bin.count as f64).sum::<f64>()
                / count,
        }
    }

    pub(crate) fn nll(&self) -> f64 {
        let likely = |(row, label): (&[f64], usize)| row[label].max(f64::MIN_POSITIVE).ln();
        -self.rows().map(likely).sum::<f64>() / self.labels.len() as f64
    }

    /// Samples by their confidence, the probability of the likeliest class.
    pub(crate) fn bins(&self, bins: usize) -> Vec<Bin> {
        let mut found = vec![Bin::default(); bins];
        for (row, label) in self.rows() {
            let best =
                (0..row.len()).reduce(|best, c| if row[c] > row[best] { c } else { best }).unwrap_or(0);
            let bin = &mut found[((row[best] * bins as f64) as usize).min(bins - 1)];
            bin.count += 1;
            bin.confidence += row[best];
            bin.accuracy += f64::from(u8::from(best == label));
        }
        for bin in &mut found {
            let count = bin.count.max(1) as f64;
            bin.confidence /= count;
            bin.accuracy /= count;
        }
        found
    }
}
