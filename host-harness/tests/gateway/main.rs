//! The gateway between played clients and servers, with the real component in it.

mod plugin;
mod resources;
