//! Corrections for many tests (METHODS.md 0.2, 2.5). Ties keep the order of the input.

/// Holm's step-down adjusted p-values (Holm 1979), in input order.
///
/// For "some of these differ". Not for "every one of these fails": an intersection needs no
/// correction. A p-value that is not a number counts as 1.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let count = p.len();
    let mut adjusted = vec![1.0; count];
    let mut running: f64 = 0.0;
    for (rank, index) in ascending(p).into_iter().enumerate() {
        running = running.max(((count - rank) as f64 * clean(p[index])).min(1.0));
        adjusted[index] = running;
    }
    adjusted
}

/// Benjamini–Hochberg adjusted p-values (Benjamini & Hochberg 1995), in input order.
///
/// For exploratory tables only, labelled so: it bounds the false discovery rate, not the chance of
/// any false claim. A p-value that is not a number counts as 1.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let count = p.len();
    let mut adjusted = vec![1.0; count];
    let mut running: f64 = 1.0;
    for (rank, index) in ascending(p).into_iter().enumerate().rev() {
        running = running.min(count as f64 * clean(p[index]) / (rank + 1) as f64);
        adjusted[index] = running;
    }
    adjusted
}

fn clean(p: f64) -> f64 {
    if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) }
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&left, &right| clean(p[left]).total_cmp(&clean(p[right])));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::close;

    #[test]
    fn vectors() {
        let table: [(&[f64], &[f64], &[f64]); 4] = [
            (&[0.01, 0.04, 0.03], &[0.03, 0.06, 0.06], &[0.03, 0.04, 0.04]),
            (&[0.001, 0.2, 0.02, 0.049], &[0.004, 0.2, 0.06, 0.098], &[0.004, 0.2, 0.04, 0.065_333_333_33]),
            (&[0.5], &[0.5], &[0.5]),
            (&[], &[], &[]),
        ];
        for (p, expected_holm, expected_bh) in table {
            let (holm, bh) = (holm(p), benjamini_hochberg(p));
            assert_eq!((holm.len(), bh.len()), (p.len(), p.len()));
            for index in 0..p.len() {
                close(holm[index], expected_holm[index]);
                close(bh[index], expected_bh[index]);
            }
        }
        assert_eq!(holm(&[f64::NAN, 0.01]), [1.0, 0.02]);
    }
}
