//! Colours that people tell apart, also those who see fewer of them: the
//! palette of Okabe and Ito, darker on white and lighter on black as contrast
//! wants it. Every line also has a dash of its own.

/// A line's look: its colour on light and on dark ground, and its dashes.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// On a light ground.
    pub light: &'static str,
    /// On a dark ground.
    pub dark: &'static str,
    /// `stroke-dasharray`; empty for an unbroken line.
    pub dashes: &'static str,
}

const fn look(light: &'static str, dark: &'static str, dashes: &'static str) -> Look {
    Look { light, dark, dashes }
}

/// Looks in order; more series than there are begin anew.
pub const LOOKS: [Look; 9] = [
    look("#6b7280", "#9ca3af", ""),
    look("#b45309", "#f0a030", "7 3"),
    look("#0072b2", "#56b4e9", "2 2"),
    look("#a0407a", "#e08cbc", "9 3 2 3"),
    look("#8a7400", "#e8d840", "4 4"),
    look("#00795a", "#20c090", "14 6"),
    look("#c03000", "#ff7a4a", "12 3"),
    look("#5b3fb0", "#b09cff", "1 3"),
    look("#111827", "#f9fafb", "5 2 1 2"),
];

/// The look of the series with this index.
#[must_use]
pub const fn of(index: usize) -> Look {
    LOOKS[index % LOOKS.len()]
}
