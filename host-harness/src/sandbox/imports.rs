//! What a component may import, and nothing else.

use wasmtime::{
    Engine,
    component::{HasSelf, Linker},
};

use super::{boundary::clean, error::LoadProblem, state::GuestState};
use crate::contract::RetryPlugin;

/// The whole of it. `types` holds no functions.
const ALLOWED: [&str; 4] = [
    "mcp-gateway:hooks/types@0.1.0",
    "mcp-gateway:hooks/content@0.1.0",
    "mcp-gateway:hooks/context@0.1.0",
    "wasi:random/random@0.2",
];

/// Versions of WASI 0.2 are compatible with each other, so only the first two
/// numbers of theirs count.
fn is_allowed(import: &str) -> bool {
    ALLOWED.iter().any(|allowed| match import.strip_prefix(allowed) {
        Some("") => true,
        Some(rest) => allowed.starts_with("wasi:") && rest.starts_with('.'),
        None => false,
    })
}

/// Names the first import that this host would not serve.
pub(super) fn allowed<'a>(imports: impl IntoIterator<Item = &'a str>) -> Result<(), LoadProblem> {
    match imports.into_iter().find(|name| !is_allowed(name)) {
        None => Ok(()),
        Some(import) => {
            Err(LoadProblem::ForbiddenImport { import: clean(import), allowed: ALLOWED.join(", ") })
        }
    }
}

/// The host's side of the imports.
pub(super) fn linker(engine: &Engine) -> Linker<GuestState> {
    let mut linker = Linker::new(engine);
    RetryPlugin::add_to_linker::<_, HasSelf<GuestState>>(&mut linker, |state| state)
        .expect("the linker is empty");
    let mut random = linker.instance("wasi:random/random@0.2.0").expect("the name is new");
    random
        .func_wrap("get-random-u64", |mut store, ()| Ok((store.data_mut().random_u64()?,)))
        .expect("the name is new");
    random
        .func_wrap("get-random-bytes", |mut store, (len,): (u64,)| {
            Ok((store.data_mut().random_bytes(len)?,))
        })
        .expect("the name is new");
    linker
}
