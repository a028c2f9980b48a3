//! The gateway between played clients and servers, with the real component in it.

mod attempts;
mod configuration_file;
#[cfg(unix)]
mod crashes;
#[cfg(unix)]
mod deaf_servers;
mod http_client;
mod http_front;
mod http_front_child;
mod http_server;
mod http_upstream;
mod line_client;
mod plugin;
mod resources;
mod slow_readers;
