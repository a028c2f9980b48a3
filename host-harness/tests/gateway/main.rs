//! The gateway between played clients and servers, with the real component in it.

mod attempts;
mod cancelled_attempts;
#[cfg(unix)]
mod child_server;
mod closed_ports;
#[cfg(unix)]
mod collector;
mod configuration_file;
mod connections;
#[cfg(unix)]
mod crashes;
#[cfg(unix)]
mod deaf_servers;
mod endings;
mod eras;
#[cfg(unix)]
mod export;
#[cfg(unix)]
mod failing_collectors;
mod frames;
mod front_guards;
mod gateways_in_a_row;
mod half_frames;
#[cfg(unix)]
mod hostile_plugin;
#[cfg(unix)]
mod hostile_servers;
mod http_client;
mod http_front;
mod http_front_child;
mod http_server;
mod http_upstream;
mod joined;
mod line_client;
mod long_messages;
mod mirrored_headers;
mod owners;
mod plugin;
mod program;
#[cfg(unix)]
mod reloads;
mod renewed_settings;
mod resources;
#[cfg(unix)]
mod secrets;
mod sessions;
mod shutdown;
mod slow_readers;
mod slow_writers;
#[cfg(unix)]
mod traced;
mod unasked_lists;
mod way_out;
