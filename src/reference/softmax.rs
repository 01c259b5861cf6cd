//! Softmax cross-entropy, and the leading directions of its Hessian for HesScale-R.

use super::Real;
use super::loss::Local;
use crate::model::Mode;

/// A softmax relative to its likeliest class: nothing overflows or cancels at logits of any size.
pub(super) struct Softmax<T> {
    /// The likeliest class; of equals the first.
    top: usize,
    pub(super) p: Vec<T>,
    /// `1 − p`; of the likeliest class, the sum of the other probabilities.
    pub(super) rest: Vec<T>,
    pub(super) log_p: Vec<T>,
}

impl<T: Real> Softmax<T> {
    pub(super) fn of(z: &[T]) -> Softmax<T> {
        let top = likeliest(z, None).unwrap_or(0);
        let below: Vec<T> = z.iter().map(|z_c| *z_c - z[top]).collect();
        let mut e: Vec<T> = below.iter().map(|d| d.exp()).collect();
        e[top] = T::zero();
        let others = sum(&e);
        e[top] = T::one();
        let p: Vec<T> = e.iter().map(|e| *e / (T::one() + others)).collect();
        let mut rest: Vec<T> = p.iter().map(|p| T::one() - *p).collect();
        rest[top] = others / (T::one() + others);
        Softmax { top, p, rest, log_p: below.iter().map(|d| *d - others.ln_1p()).collect() }
    }

    /// `(diag p − p pᵀ) e_c`
    fn column(&self, c: usize) -> Vec<T> {
        let mut column: Vec<T> = self.p.iter().map(|p| -*p * self.p[c]).collect();
        column[c] = self.p[c] * self.rest[c];
        column
    }

    /// `a − p·a`. A constant added to `a` changes nothing, so `a` is counted from its entry at the likeliest class: `p·a` is then a sum
    /// of small terms, not a difference of large ones.
    fn centred(&self, a: &[T]) -> Vec<T> {
        let shifted: Vec<T> = a.iter().map(|a_c| *a_c - a[self.top]).collect();
        let mean = dot(&self.p, &shifted);
        shifted.into_iter().map(|b| b - mean).collect()
    }

    /// `(diag p − p pᵀ) a = p ∘ (a − p·a)`
    fn times(&self, a: &[T]) -> Vec<T> {
        self.p.iter().zip(self.centred(a)).map(|(p, a)| *p * a).collect()
    }

    /// `B x` with `B = diag √p − p √pᵀ`, a root: `B Bᵀ = diag p − p pᵀ`. The likeliest class is told from the sum of the others.
    pub(super) fn root_times(&self, x: &[T]) -> Vec<T> {
        let roots: Vec<T> = self.p.iter().map(|p| p.sqrt()).collect();
        let parts: Vec<T> = roots.iter().zip(x).map(|(root, x)| *root * *x).collect();
        let below = (0..x.len()).filter(|c| *c != self.top).fold(T::zero(), |sum, c| sum + parts[c]);
        let others = |c: usize| if c == self.top { below } else { below - parts[c] + parts[self.top] };
        (0..x.len()).map(|c| roots[c] * (x[c] * self.rest[c] - roots[c] * others(c))).collect()
    }

    /// The unit vector q with `B q` along the first [`direction`], where there is one: `Bᵀ a` with `a = H e` for the likeliest class.
    pub(super) fn towards_the_likeliest(&self) -> Vec<T> {
        let mut a = self.column(self.top);
        let scale = largest(&a);
        a.iter_mut().for_each(|a| *a = *a / scale);
        let q: Vec<T> = self.p.iter().zip(self.centred(&a)).map(|(p, a)| p.sqrt() * a).collect();
        let length = dot(&q, &q).sqrt();
        q.into_iter().map(|q| q / length).collect()
    }
}

/// `−Σ y log p` for the logits `z` and the effective target `y`, both `[C]`: g = `m p − y` and h = `m (p − p²)` with m the
/// mass of y, of any sign; h = `y (p − p²)` in [`Mode::Bl89`]. In the HesScale-R modes h is what the vectors u leave, all where m
/// is not above 0.
pub(super) fn cross_entropy<T: Real>(mode: Mode, z: &[T], y: &[T]) -> Local<T> {
    let softmax = Softmax::of(z);
    let mass = sum(y);
    let classes = || softmax.p.iter().zip(&softmax.rest).zip(y);
    let mut local = Local {
        value: -dot(y, &softmax.log_p),
        // m p − y, so arranged that a confident right answer does not cancel.
        g: classes().map(|((p, rest), y)| *p * (mass - *y) - *y * *rest).collect(),
        h: match mode {
            Mode::None => Vec::new(),
            Mode::Bl89 => classes().map(|((p, rest), y)| *y * *p * *rest).collect(),
            _ => classes().map(|((p, rest), _)| mass * *p * *rest).collect(),
        },
        u: Vec::new(),
    };
    if mode.leading() > 0 && mass <= T::zero() {
        // No curvature that vectors could carry: all of it stays in h.
        local.u = vec![vec![T::zero(); z.len()]; mode.leading()];
    } else if mode.leading() > 0 {
        let root = mass.sqrt();
        for unscaled in nystrom(&softmax, z, mode.leading()) {
            let u: Vec<T> = unscaled.into_iter().map(|u| root * u).collect();
            local.h.iter_mut().zip(&u).for_each(|(h, u)| *h = (*h - u.squared()).max(T::zero()));
            local.u.push(u);
        }
    }
    local
}

/// `rank` Nyström steps on `H = diag p − p pᵀ`: for the j-th likeliest class, `a = H e`, `w = H a`, `u = w / √(a·w)`,
/// `H ← H − u uᵀ`. The rest of H stays positive semi-definite whatever `a` is, so `a` may be scaled freely.
fn nystrom<T: Real>(softmax: &Softmax<T>, z: &[T], rank: usize) -> Vec<Vec<T>> {
    let mut found: Vec<Vec<T>> = Vec::new();
    let mut before = None;
    for _ in 0..rank {
        let class = likeliest(z, before);
        let u = class.and_then(|c| direction(softmax, c, &found));
        found.push(u.unwrap_or_else(|| vec![T::zero(); z.len()]));
        before = class.or(before);
    }
    found
}

/// Curvature below this has no digits in f32; it stays in the diagonal, in every number type alike.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// One step: what class `c` adds to the directions found before, if it is more than rounding.
fn direction<T: Real>(softmax: &Softmax<T>, c: usize, found: &[Vec<T>]) -> Option<Vec<T>> {
    let deflate = |v: &mut [T], u: &[T], by: T| v.iter_mut().zip(u).for_each(|(v, u)| *v = *v - *u * by);

    let mut a = softmax.column(c);
    let rounding = (T::from_f64(16.0 * T::EPSILON) * a[c]).max(T::from_f64(TINY));
    found.iter().for_each(|u| deflate(&mut a, u, u[c]));
    let scale = largest(&a);
    if scale <= rounding {
        return None;
    }
    // A saturated softmax makes a tiny: unscaled, a·w would underflow in f32.
    a.iter_mut().for_each(|a| *a = *a / scale);

    let mut w = softmax.times(&a);
    found.iter().for_each(|u| deflate(&mut w, u, dot(u, &a)));
    let product = dot(&a, &w);
    (product > T::zero()).then(|| w.into_iter().map(|w| w / product.sqrt()).collect())
}

/// The class of the largest logit, of equals the first, among all or among those that rank behind class `before`.
fn likeliest<T: Real>(z: &[T], before: Option<usize>) -> Option<usize> {
    let behind = |c: &usize| before.is_none_or(|b| z[*c] < z[b] || (z[*c] == z[b] && *c > b));
    (0..z.len()).filter(behind).reduce(|best, c| if z[c] > z[best] { c } else { best })
}

fn largest<T: Real>(a: &[T]) -> T {
    a.iter().fold(T::zero(), |largest, a| largest.max(a.abs()))
}

pub(super) fn sum<T: Real>(a: &[T]) -> T {
    a.iter().fold(T::zero(), |sum, a| sum + *a)
}

pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).fold(T::zero(), |sum, (a, b)| sum + *a * *b)
}
