//! A rate with its interval as a small bar: `····━━●━━······│·`.

use crate::stats::Estimate;

/// Fewest cells of a bar.
pub(super) const FEWEST: usize = 10;

/// Most cells: a wider one says no more.
pub(super) const MOST: usize = 40;

/// What is seen in a bar, for the footnote.
pub(super) const LEGEND: &str = "● accuracy, ━ its interval";

/// The bar's scale, as wide as the bar.
pub(super) fn scale(cells: usize) -> String {
    format!("0%{:>rest$}", "100%", rest = cells.saturating_sub(2))
}

/// The bar, from 0 to 100%; empty where nothing was measured. A target within the interval is `┿`:
/// neither met nor missed.
pub(super) fn bar(estimate: &Estimate, target: Option<f64>, cells: usize) -> String {
    let cell = |share: f64| ((share.clamp(0.0, 1.0) * cells as f64) as usize).min(cells.saturating_sub(1));
    let Some(point) = estimate.point else { return String::new() };
    let interval = cell(estimate.low)..=cell(estimate.high);
    let open = target.is_some_and(|target| (estimate.low..=estimate.high).contains(&target));
    let target = target.map(cell);
    let drawn = |place: usize| match place {
        _ if place == cell(point) => '●',
        _ if target == Some(place) => {
            if open {
                '┿'
            } else {
                '│'
            }
        }
        _ if interval.contains(&place) => '━',
        _ => '·',
    };
    (0..cells).map(drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Method;

    fn rate(point: Option<f64>, low: f64, high: f64) -> Estimate {
        Estimate { point, low, high, level: 0.95, n: 280, method: Method::Wilson }
    }

    #[test]
    fn a_bar_shows_point_interval_and_target() {
        assert_eq!(bar(&rate(Some(0.44), 0.31, 0.55), Some(0.9), 10), "···━●━···│");
        assert_eq!(bar(&rate(Some(0.85), 0.75, 0.95), Some(0.9), 20), "···············━━●┿━");
        assert_eq!(bar(&rate(Some(0.78), 0.73, 0.83), Some(0.9), 11), "········●│·", "83% is short of 90%");
        assert_eq!(bar(&rate(Some(0.0), 0.0, 0.04), None, 10), "●·········");
        assert_eq!(bar(&rate(Some(1.0), 0.99, 1.0), Some(1.0), 10), "·········●");
        assert_eq!(bar(&rate(None, 0.0, 1.0), Some(0.9), 10), "");
        assert_eq!((scale(10), scale(12)), ("0%    100%".to_owned(), "0%      100%".to_owned()));
    }
}
