//! The built file itself: what it imports, what it exports, how large it is.

use std::collections::BTreeSet;

use host_harness::bundled;
use wit_component::{DecodedWasm, decode};

fn names(direction: &str) -> BTreeSet<String> {
    let DecodedWasm::Component(resolve, world) =
        decode(bundled::COMPONENT).expect("a component that can be read")
    else {
        panic!("a component, not a package");
    };
    let world = &resolve.worlds[world];
    let items = if direction == "imports" { &world.imports } else { &world.exports };
    items.keys().map(|key| resolve.name_world_key(key)).collect()
}

#[test]
fn it_imports_nothing_but_the_contract_and_randomness() {
    let expected = [
        "mcp-gateway:hooks/content@0.1.0",
        "mcp-gateway:hooks/context@0.1.0",
        "mcp-gateway:hooks/types@0.1.0",
        "wasi:random/random@0.2.6",
    ];
    assert_eq!(names("imports"), expected.map(str::to_owned).into());
}

#[test]
fn it_exports_the_contract_and_nothing_else() {
    let expected = [
        "mcp-gateway:hooks/lifecycle@0.1.0",
        "mcp-gateway:hooks/resource-post-fetch@0.1.0",
        "mcp-gateway:hooks/tool-post-invoke@0.1.0",
    ];
    assert_eq!(names("exports"), expected.map(str::to_owned).into());
}

#[test]
fn it_is_at_most_200_kibibytes() {
    let size = bundled::COMPONENT.len();
    assert!(size <= 200 << 10, "{size} bytes");
}
