//! Random draws, all from the crate's own seeded generator: a world's number gives the same world in
//! every later version.

use std::f64::consts::TAU;

use ceiling::stats::rng::Rng;

/// A seed that is a function of a name and a number (FNV-1a).
pub(crate) fn seed_of(name: &str, n: usize, number: u64) -> u64 {
    let size = (n as u64).to_le_bytes();
    let bytes = name.bytes().chain(size).chain(number.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A generator with the draws that worlds are made of.
pub(crate) struct Draw {
    rng: Rng,
    spare: Option<f64>,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), spare: None }
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.rng.unit()
    }

    /// Uniform between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// One of `low..=high`.
    pub(crate) fn whole(&mut self, low: usize, high: usize) -> usize {
        low + self.rng.below(high - low + 1)
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sine, cosine) = (TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// Gamma with this shape and scale 1 (Marsaglia and Tsang 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = (1.0 - self.unit()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }

    /// Beta with this mean whose 0/1 draws have the intra-cluster correlation `icc`.
    pub(crate) fn beta(&mut self, mean: f64, icc: f64) -> f64 {
        if icc <= 0.0 || mean <= 0.0 || mean >= 1.0 {
            return mean;
        }
        let size = (1.0 - icc) / icc;
        let (a, b) = (self.gamma(mean * size), self.gamma((1.0 - mean) * size));
        if a + b > 0.0 { a / (a + b) } else { f64::from(u8::from(self.chance(mean))) }
    }

    /// Log-normal with mean 1; `sigma` is the spread of the logarithm.
    pub(crate) fn log_normal(&mut self, sigma: f64) -> f64 {
        (sigma * self.normal() - sigma * sigma / 2.0).exp()
    }

    /// Successes in `n` tries.
    pub(crate) fn binomial(&mut self, n: u64, probability: f64) -> u64 {
        (0..n).map(|_| u64::from(self.chance(probability))).sum()
    }
}
