//! Components that do next to nothing, in an engine that is set up like the sandbox's.

use criterion::{BenchmarkGroup, measurement::WallTime};
use wasmtime::{
    Config, Engine, Store,
    component::{Component, Linker, Resource, ResourceType},
};

const TARGET: &str = "search";
const REQUEST_ID: &str = "0123456789abcdef";

fn engine() -> Engine {
    let mut config = Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    Engine::new(&config).expect("a valid configuration")
}

fn compile(engine: &Engine, wat: &str) -> Component {
    let bytes = wat::parse_str(wat).expect("valid text");
    Component::from_binary(engine, &bytes).expect("a valid component")
}

/// No parameters, no result, nothing done.
pub fn empty_call(group: &mut BenchmarkGroup<'_, WallTime>) {
    let engine = engine();
    let component = compile(
        &engine,
        r#"(component
            (core module $m (func (export "empty")))
            (core instance $i (instantiate $m))
            (func (export "empty") (canon lift (core func $i "empty"))))"#,
    );
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = Linker::new(&engine).instantiate(&mut store, &component).expect("an instance");
    let empty = instance.get_typed_func::<(), ()>(&mut store, "empty").expect("the export");
    group.bench_function("empty component call", |bencher| {
        bencher.iter(|| empty.call(&mut store, ()));
    });
}

/// Two short texts as parameters, which the guest leaves unread: the least that
/// a hook with a target and a request id can cost.
pub fn two_texts(group: &mut BenchmarkGroup<'_, WallTime>) {
    let engine = engine();
    let component = compile(
        &engine,
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "handle") (param i32 i32 i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "handle") (param "target" string) (param "id" string)
                (canon lift (core func $i "handle")
                    (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#,
    );
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = Linker::new(&engine).instantiate(&mut store, &component).expect("an instance");
    let handle =
        instance.get_typed_func::<(&str, &str), ()>(&mut store, "handle").expect("the export");
    group.bench_function("component call with two short texts", |bencher| {
        bencher.iter(|| handle.call(&mut store, (TARGET, REQUEST_ID)));
    });
}

/// Two short texts as parameters; the guest asks an imported function once.
pub fn content_by_function(group: &mut BenchmarkGroup<'_, WallTime>) {
    let engine = engine();
    let component = compile(
        &engine,
        r#"(component
            (import "content" (instance $content
                (export "text-count" (func (result u32)))))
            (core func $count (canon lower (func $content "text-count")))
            (core module $m
                (import "host" "text-count" (func $count (result i32)))
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "handle") (param i32 i32 i32 i32) (result i32) (call $count)))
            (core instance $i (instantiate $m
                (with "host" (instance (export "text-count" (func $count))))))
            (func (export "handle") (param "target" string) (param "id" string) (result u32)
                (canon lift (core func $i "handle")
                    (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#,
    );
    let mut linker = Linker::<()>::new(&engine);
    let mut content = linker.instance("content").expect("a new name");
    content.func_wrap("text-count", |_, ()| Ok((1_u32,))).expect("a new name");
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = linker.instantiate(&mut store, &component).expect("an instance");
    let handle =
        instance.get_typed_func::<(&str, &str), (u32,)>(&mut store, "handle").expect("the export");
    group.bench_function("imported function", |bencher| {
        bencher.iter(|| handle.call(&mut store, (TARGET, REQUEST_ID)));
    });
}

/// What the host would keep behind a handle.
struct Content;

/// The same with a borrowed handle as the third parameter, whose method the guest calls.
pub fn content_by_handle(group: &mut BenchmarkGroup<'_, WallTime>) {
    let engine = engine();
    let component = compile(
        &engine,
        r#"(component
            (import "content" (instance $content
                (export "content" (type $c (sub resource)))
                (export "[method]content.text-count" (func (param "self" (borrow $c)) (result u32)))))
            (alias export $content "content" (type $c))
            (core func $count (canon lower (func $content "[method]content.text-count")))
            (core func $drop (canon resource.drop $c))
            (core module $m
                (import "host" "text-count" (func $count (param i32) (result i32)))
                (import "host" "drop" (func $drop (param i32)))
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "handle") (param i32 i32 i32 i32 i32) (result i32)
                    (call $count (local.get 4))
                    (call $drop (local.get 4))))
            (core instance $i (instantiate $m (with "host" (instance
                (export "text-count" (func $count))
                (export "drop" (func $drop))))))
            (func (export "handle")
                (param "target" string) (param "id" string) (param "content" (borrow $c))
                (result u32)
                (canon lift (core func $i "handle")
                    (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#,
    );
    let mut linker = Linker::<()>::new(&engine);
    let mut content = linker.instance("content").expect("a new name");
    content
        .resource("content", ResourceType::host::<Content>(), |_, _| Ok(()))
        .expect("a new name");
    content
        .func_wrap("[method]content.text-count", |_, (_,): (Resource<Content>,)| Ok((1_u32,)))
        .expect("a new name");
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = linker.instantiate(&mut store, &component).expect("an instance");
    let handle = instance
        .get_typed_func::<(&str, &str, Resource<Content>), (u32,)>(&mut store, "handle")
        .expect("the export");
    group.bench_function("borrowed handle", |bencher| {
        bencher.iter(|| handle.call(&mut store, (TARGET, REQUEST_ID, Resource::new_borrow(7))));
    });
}
