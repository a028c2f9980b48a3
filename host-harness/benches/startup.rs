//! From a file's bytes to a plugin that answers, with and without kept code.
//!
//! ```sh
//! cargo bench --package host-harness --bench startup
//! ```

use std::{path::Path, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use host_harness::{
    bundled,
    sandbox::{CodeCache, Loader, Options, Plugin},
};

fn startup(criterion: &mut Criterion) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("startup");
    let cache = Some(CodeCache::open(&dir).expect("a private directory"));
    let mut group = criterion.benchmark_group("startup");
    for (name, loader) in
        [("compiled", Loader::default()), ("code kept", Loader { cache, ..Loader::default() })]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let component = loader.bytes(bundled::NAME, bundled::COMPONENT).expect("it loads");
                Plugin::start(&component, Options::default()).expect("it starts")
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4));
    targets = startup
}
criterion_main!(benches);
