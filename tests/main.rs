//! Everything that crosses the boundary, through the real component in the real host.

mod advise;
mod bad_days;
mod component_file;
mod configuration;
mod fuzz;
mod hostile;
mod loop_scenarios;
mod memory;
mod parity;
mod plugin_scenarios;
mod plugin_under_test;
mod policy;
mod properties;
mod security_promises;
mod settled;
mod standing_clock;
mod storm;
mod virtual_clock;
