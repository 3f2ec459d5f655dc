//! Logistic regression on factors that are there or not, and the calibration of any score to a chance.

/// How strongly weights are held at 0 (L2).
const RIDGE: f64 = 1.0;
/// Most passes over all factors.
const PASSES: usize = 500;
/// No weight moves more: it is done.
const ENOUGH: f64 = 1e-4;

/// Weights of factors, and what holds without any.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fitted {
    pub weights: Vec<f64>,
    pub intercept: f64,
}

pub fn sigmoid(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}

impl Fitted {
    pub fn margin(&self, row: &[u32]) -> f64 {
        self.intercept + row.iter().filter_map(|factor| self.weights.get(*factor as usize)).sum::<f64>()
    }
}

/// Fits `rows` (the factors that each has, below `factors`) to `won`. One weight after the other takes a step that cannot
/// go too far, since the curve is nowhere steeper than a quarter: no dice, no step size, the same data give the same model.
pub fn fit(rows: &[&[u32]], won: &[bool], factors: usize) -> Fitted {
    let mut having: Vec<Vec<u32>> = vec![Vec::new(); factors];
    for (row, number) in rows.iter().zip(0..) {
        row.iter().for_each(|factor| having[*factor as usize].push(number));
    }
    let mut fitted = Fitted { weights: vec![0.0; factors], intercept: 0.0 };
    let mut margins = vec![0.0; rows.len()];
    let error = |margin: f64, won: bool| sigmoid(margin) - f64::from(u8::from(won));
    for _ in 0..PASSES {
        let slope: f64 = margins.iter().zip(won).map(|(margin, won)| error(*margin, *won)).sum();
        let step = -slope / (rows.len() as f64 / 4.0).max(1.0);
        fitted.intercept += step;
        margins.iter_mut().for_each(|margin| *margin += step);
        let mut largest = step.abs();
        for (factor, having) in having.iter().enumerate() {
            let slope: f64 = having.iter().map(|row| error(margins[*row as usize], won[*row as usize])).sum::<f64>()
                + RIDGE * fitted.weights[factor];
            let step = -slope / (having.len() as f64 / 4.0 + RIDGE);
            fitted.weights[factor] += step;
            having.iter().for_each(|row| margins[*row as usize] += step);
            largest = largest.max(step.abs());
        }
        if largest < ENOUGH {
            break;
        }
    }
    fitted
}

/// From a margin to a chance: `sigmoid(slope * margin + shift)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    pub slope: f64,
    pub shift: f64,
}

impl Calibration {
    pub fn chance(self, margin: f64) -> f64 {
        sigmoid(self.slope * margin + self.shift)
    }

    /// Platt's method, with his targets that are never quite 0 or 1. A score that says nothing gets the slope 0.
    pub fn fit(margins: &[f64], won: &[bool]) -> Self {
        let wins = won.iter().filter(|won| **won).count() as f64;
        let losses = won.len() as f64 - wins;
        let (high, low) = ((wins + 1.0) / (wins + 2.0), 1.0 / (losses + 2.0));
        let mut found = Self { slope: 0.0, shift: ((wins + 1.0) / (losses + 1.0)).ln() };
        for _ in 0..100 {
            let (mut g1, mut g0, mut h11, mut h10, mut h00) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
            for (margin, won) in margins.iter().zip(won) {
                let chance = found.chance(*margin);
                let error = chance - if *won { high } else { low };
                let steep = chance * (1.0 - chance);
                g1 += error * margin;
                g0 += error;
                h11 += steep * margin * margin;
                h10 += steep * margin;
                h00 += steep;
            }
            let determinant = h11 * h00 - h10 * h10;
            if determinant.abs() < 1e-12 {
                break;
            }
            let (slope, shift) = ((h00 * g1 - h10 * g0) / determinant, (h11 * g0 - h10 * g1) / determinant);
            // Newton's step, shortened so that it cannot run away.
            let damp = (2.0 / slope.abs().max(shift.abs())).min(1.0);
            found.slope -= slope * damp;
            found.shift -= shift * damp;
            if slope.abs().max(shift.abs()) < 1e-8 {
                break;
            }
        }
        found
    }
}
