//! How good chances are on leads that nobody has learned from.

use std::cmp::Ordering;

/// The mean surprise: 0 is perfect; whoever says one half of everything has 0.69.
pub fn log_loss(chances: &[f64], won: &[bool]) -> f64 {
    losses(chances, won).sum::<f64>() / (won.len().max(1) as f64)
}

fn losses<'a>(chances: &'a [f64], won: &'a [bool]) -> impl Iterator<Item = f64> + 'a {
    chances.iter().zip(won).map(|(chance, won)| {
        let chance = chance.clamp(1e-6, 1.0 - 1e-6);
        -(if *won { chance } else { 1.0 - chance }).ln()
    })
}

/// How often a lead that was won is ranked above one that was lost; half of the ties count.
pub fn auc(chances: &[f64], won: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].partial_cmp(&chances[*b]).unwrap_or(Ordering::Equal));
    let (mut below, mut pairs) = (0.0, 0.0);
    let mut rest = order.as_slice();
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|other| chances[**other] == chances[*first]).count();
        let (ties, others) = rest.split_at(same);
        let wins = ties.iter().filter(|index| won[**index]).count() as f64;
        let losses = ties.len() as f64 - wins;
        pairs += wins * (below + losses / 2.0);
        below += losses;
        rest = others;
    }
    let wins = won.iter().filter(|won| **won).count() as f64;
    if wins == 0.0 || below == 0.0 { 0.5 } else { pairs / (wins * below) }
}

/// Whether one is less surprised than the other by more than chance would have it: by two standard errors of the
/// difference, lead by lead.
pub fn beats(chances: &[f64], others: &[f64], won: &[bool]) -> bool {
    let differences: Vec<f64> = losses(others, won).zip(losses(chances, won)).map(|(other, own)| other - own).collect();
    let count = differences.len() as f64;
    if count < 2.0 {
        return false;
    }
    let mean = differences.iter().sum::<f64>() / count;
    let variance = differences.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
    mean > 2.0 * (variance / count).sqrt()
}

/// How far chances and what became of it are apart, on average over ten groups of like chances.
pub fn calibration_error(chances: &[f64], won: &[bool]) -> f64 {
    let mut groups = [(0.0, 0.0); 10];
    for (chance, won) in chances.iter().zip(won) {
        let (foretold, happened) = &mut groups[((chance * 10.0) as usize).min(9)];
        *foretold += chance;
        *happened += f64::from(u8::from(*won));
    }
    groups.iter().map(|(foretold, happened)| (foretold - happened).abs()).sum::<f64>() / chances.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_known_cases() {
        let won = [true, false, true, false];
        assert_eq!(auc(&[0.9, 0.1, 0.8, 0.2], &won), 1.0);
        assert_eq!(auc(&[0.1, 0.9, 0.2, 0.8], &won), 0.0);
        assert_eq!(auc(&[0.5; 4], &won), 0.5);
        assert_eq!(auc(&[0.9, 0.5, 0.5, 0.1], &won), 0.875);
        assert!((log_loss(&[0.5; 4], &won) - 2f64.ln()).abs() < 1e-12);
        assert!(calibration_error(&[0.5; 4], &won) < 1e-12);
        assert!((calibration_error(&[0.9; 4], &won) - 0.4).abs() < 1e-12);
        assert!(!beats(&[0.5; 4], &[0.5; 4], &won));
        let many: Vec<bool> = (0..100).map(|n| n % 2 == 0).collect();
        let good: Vec<f64> =
            many.iter().enumerate().map(|(n, won)| if *won { 0.8 } else { 0.2 + n as f64 / 1e4 }).collect();
        assert!(beats(&good, &[0.5; 100], &many) && !beats(&[0.5; 100], &good, &many));
    }
}
