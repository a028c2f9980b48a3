//! Two runs, and what became faster or slower between them.

use std::io::{self, Write};

use super::{
    figure::{Figure, Run, Unit},
    table::value,
};

/// What a change amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Better,
    Worse,
    /// The middle halves of the samples overlap, or it is less than two percent.
    WithinNoise,
}

impl Change {
    fn between(old: &Figure, new: &Figure) -> Self {
        let small = (new.median / old.median - 1.0).abs() < 0.02;
        let apart = new.low > old.high || new.high < old.low;
        if small || !apart {
            return Self::WithinNoise;
        }
        let grew = new.median > old.median;
        if grew == (new.unit == Unit::PerSecond) { Self::Better } else { Self::Worse }
    }
}

pub fn print(old: &Run, new: &Run, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nagainst the earlier run (version {})", old.version)?;
    for (name, differs) in [
        ("an optimized build", old.optimized != new.optimized),
        ("--quick", old.quick != new.quick),
        ("as many cores", old.cores != new.cores),
    ] {
        if differs {
            writeln!(out, "  only one of the two has {name}: do not compare them")?;
        }
    }
    for figure in &new.figures {
        match old.figure(&figure.name) {
            None => writeln!(out, "{:<46} {:>14}   new", figure.name, value(figure))?,
            Some(before) => writeln!(out, "{}", line(before, figure))?,
        }
    }
    for figure in old.figures.iter().filter(|figure| new.figure(&figure.name).is_none()) {
        writeln!(out, "{:<46} {:>14}   gone", figure.name, value(figure))?;
    }
    Ok(())
}

fn line(old: &Figure, new: &Figure) -> String {
    let percent = (new.median / old.median - 1.0) * 100.0;
    let word = match (Change::between(old, new), new.unit) {
        (Change::WithinNoise, _) => "within the noise",
        (Change::Better, Unit::Bytes) => "smaller",
        (Change::Worse, Unit::Bytes) => "LARGER",
        (Change::Better, _) => "faster",
        (Change::Worse, _) => "SLOWER",
    };
    format!("{:<46} {:>14} → {:<14} {percent:>+7.1} %  {word}", new.name, value(old), value(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(unit: Unit, samples: [f64; 5]) -> Figure {
        Figure::of("x", unit, samples.to_vec())
    }

    #[test]
    fn a_change_counts_only_if_the_middle_halves_of_the_samples_are_apart() {
        let old = figure(Unit::Nanoseconds, [90.0, 98.0, 100.0, 102.0, 130.0]);
        let noisy = figure(Unit::Nanoseconds, [80.0, 101.0, 110.0, 140.0, 150.0]);
        assert_eq!(Change::between(&old, &noisy), Change::WithinNoise);
        let slower = figure(Unit::Nanoseconds, [104.0, 105.0, 110.0, 111.0, 112.0]);
        assert_eq!(Change::between(&old, &slower), Change::Worse);
        assert_eq!(Change::between(&slower, &old), Change::Better);
    }

    #[test]
    fn a_change_of_less_than_two_percent_does_not_count() {
        let (old, new) = (figure(Unit::Bytes, [100.0; 5]), figure(Unit::Bytes, [101.0; 5]));
        assert_eq!(Change::between(&old, &new), Change::WithinNoise);
        let larger = figure(Unit::Bytes, [103.0; 5]);
        assert_eq!(Change::between(&old, &larger), Change::Worse);
    }

    #[test]
    fn more_decisions_in_a_second_are_better() {
        let (old, new) = (figure(Unit::PerSecond, [100.0; 5]), figure(Unit::PerSecond, [150.0; 5]));
        assert_eq!(Change::between(&old, &new), Change::Better);
        assert_eq!(Change::between(&new, &old), Change::Worse);
    }
}
