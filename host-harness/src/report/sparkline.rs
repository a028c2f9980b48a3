//! A line of small bars.

/// One bar for each of `columns` equal parts of the series, from 0 up to `most`.
/// Parts without a value are blank.
#[must_use]
pub fn sparkline(series: &[Option<f64>], columns: usize, most: f64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = columns.min(series.len());
    let bar = |column: usize| {
        let part = &series[column * series.len() / columns..(column + 1) * series.len() / columns];
        let values: Vec<f64> = part.iter().flatten().copied().collect();
        if values.is_empty() {
            return ' ';
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let height = if most > 0.0 { mean / most * (BARS.len() - 1) as f64 } else { 0.0 };
        BARS[(height.round().max(0.0) as usize).min(BARS.len() - 1)]
    };
    (0..columns).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_the_mean_of_its_part_and_blank_without_one() {
        let series = [Some(0.0), Some(0.0), None, None, Some(1.0), Some(2.0), Some(2.0), Some(2.0)];
        assert_eq!(sparkline(&series, 4, 2.0), "▁ ▆█");
        assert_eq!(sparkline(&series, 100, 2.0).chars().count(), 8);
        assert_eq!(sparkline(&[Some(0.0)], 1, 0.0), "▁");
        assert_eq!(sparkline(&[], 10, 1.0), "");
    }
}
