//! placeholder
/// placeholder
#[derive(Debug)]
pub struct HookFailure;
