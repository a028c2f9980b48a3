//! One bar for each row, made of parts that are stacked.

use std::{collections::BTreeMap, fmt::Write};

use super::page::escaped;

/// Counts by name, in rows that can be compared.
#[derive(Debug)]
pub struct Bars<'a> {
    /// What is shown.
    pub title: &'a str,
    /// What it means.
    pub note: &'a str,
    /// The name of each row, and its counts.
    pub rows: Vec<(&'a str, &'a BTreeMap<&'static str, u64>)>,
}

impl Bars<'_> {
    /// A `figure` element, with a legend of the parts and every count as text.
    /// None if nothing was counted.
    #[must_use]
    pub fn html(&self) -> Option<String> {
        let mut names: Vec<&str> =
            self.rows.iter().flat_map(|(_, counts)| counts.keys().copied()).collect();
        names.sort_unstable();
        names.dedup();
        let most = self.rows.iter().map(|(_, counts)| counts.values().sum::<u64>()).max()?;
        if most == 0 {
            return None;
        }
        let colour = |name: &str| {
            // The first look is grey, as is what stands back.
            let index = names.iter().position(|other| *other == name).unwrap_or(0) + 1;
            format!("background:var(--line-{})", index % super::colours::LOOKS.len())
        };
        let mut html = format!(
            "<figure><figcaption>{} <small>{}</small></figcaption><ul class=\"legend\">",
            escaped(self.title),
            escaped(self.note)
        );
        for name in &names {
            let _ = write!(
                html,
                "<li><span class=\"key\" style=\"{}\"></span>{}</li>",
                colour(name),
                escaped(name)
            );
        }
        html.push_str("</ul><dl class=\"bars\">");
        for (row, counts) in &self.rows {
            let all: u64 = counts.values().sum();
            let _ = write!(html, "<dt>{}</dt><dd><span class=\"stack\">", escaped(row));
            for (name, count) in *counts {
                let share = 100.0 * *count as f64 / most as f64;
                let _ = write!(
                    html,
                    "<span style=\"width:{share:.2}%;{}\" title=\"{}: {count}\"></span>",
                    colour(name),
                    escaped(name)
                );
            }
            let told: Vec<_> =
                counts.iter().map(|(name, count)| format!("{count} {}", escaped(name))).collect();
            let told = if told.len() > 1 {
                format!("{all}: {}", told.join(", "))
            } else {
                all.to_string()
            };
            let _ = write!(html, "</span><small>{told}</small></dd>");
        }
        html.push_str("</dl></figure>");
        Some(html)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_its_row_and_every_count_is_told() {
        let (some, none) = (BTreeMap::from([("timed-out", 3), ("rpc-error", 1)]), BTreeMap::new());
        let bars = Bars { title: "t", note: "n", rows: vec![("a", &some), ("b", &none)] };
        let html = bars.html().expect("something was counted");
        assert!(html.contains("width:75.00%") && html.contains("width:25.00%"), "{html}");
        assert!(html.contains("<small>4: 1 rpc-error, 3 timed-out</small>"), "{html}");
        assert!(
            html.contains("<dt>b</dt><dd><span class=\"stack\"></span><small>0</small>"),
            "{html}"
        );
        assert_eq!(Bars { title: "t", note: "n", rows: vec![("b", &none)] }.html(), None);
    }
}
