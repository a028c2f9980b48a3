//! Reports for people: pages that need nothing but a browser, and lines for a terminal.

mod bars;
mod chart;
mod colours;
mod comparison;
mod page;
mod simulation;
mod sparkline;

pub use bars::Bars;
pub use chart::{Chart, Line, Unit};
pub use comparison::{comparison_page, comparison_table};
pub use page::{Page, escaped};
pub use simulation::simulation_page;
pub use sparkline::sparkline;
