//! Components that are small and take long, or much memory, to compile.
//!
//! They export all that the contract asks for, so that only their size tells
//! them from honest ones.

use host_harness::sandbox::{Component, LoadLimits, LoadProblem, Loader};

use super::guest::Guest;

/// The problem of a polite guest with more in it.
fn problem_of(rest: String) -> LoadProblem {
    match (Guest { rest, ..Guest::polite() }).try_component() {
        Ok(_) => panic!("loaded"),
        Err(error) => error.problem,
    }
}

fn straight(instructions: usize) -> String {
    format!(
        "(func (param i32) (result i32) local.get 0 {})",
        "local.get 0 i32.add ".repeat(instructions)
    )
}

#[test]
fn a_function_that_is_too_large_is_not_compiled() {
    match problem_of(straight(100_000)) {
        LoadProblem::TooMuchCode { what: "bytes in one function", found, most } => {
            assert!(found > 300_000 && most == LoadLimits::default().function_bytes, "{found}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_jump_table_counts_as_much_as_the_code_that_is_made_of_it() {
    let labels = "0 ".repeat(300_000);
    let problem =
        problem_of(format!("(func (param i32) (block (br_table {labels} (local.get 0))))"));
    let told = problem.to_string();
    assert!(told.contains("bytes in one function; 262144 are the most"), "{told}");
}

#[test]
fn too_many_functions_are_not_compiled() {
    let problem = problem_of("(func)".repeat(50_001));
    assert!(matches!(problem, LoadProblem::TooMuchCode { what: "functions", .. }), "{problem}");
}

#[test]
fn too_many_local_variables_are_not_compiled_however_few_bytes_they_take() {
    let problem = problem_of(format!("(func (local {}))", "i64 ".repeat(5_001)));
    let LoadProblem::TooMuchCode { what, found: 5_001, most: 5_000 } = problem else {
        panic!("{problem}")
    };
    assert_eq!(what, "local variables in one function");
}

#[test]
fn what_is_just_within_the_limits_is_compiled() {
    let rest = format!("{} (func (local {}))", straight(80_000), "i64 ".repeat(5_000));
    Guest { rest, ..Guest::polite() }.component();
}

#[test]
fn every_limit_on_code_can_be_changed() {
    let bytes = Guest::polite().bytes();
    let by_default = LoadLimits::default();
    for (limits, what) in [
        (LoadLimits { functions: 1, ..by_default }, "functions"),
        (LoadLimits { function_bytes: 1, ..by_default }, "bytes in one function"),
    ] {
        let loader = Loader { limits, ..Loader::default() };
        let problem = loader.bytes("hostile.wasm", &bytes).map(drop).expect_err(what).problem;
        assert!(problem.to_string().contains(what), "{problem}");
    }
}

#[test]
fn without_the_exports_of_the_contract_nothing_is_compiled_however_large() {
    let module = format!("(component (core module {}))", straight(300_000));
    let bytes = wat::parse_str(module).expect("valid text");
    let error = Component::from_bytes("hostile.wasm", &bytes).map(drop).expect_err("not of it");
    let LoadProblem::WrongShape(told) = error.problem else { panic!("{error}") };
    assert_eq!(told, "it does not export `mcp-gateway:hooks/lifecycle@0.1.0`");
}

#[test]
fn exports_of_a_component_within_do_not_count_for_the_whole() {
    let inner =
        r#"(component (instance $i) (export "mcp-gateway:hooks/lifecycle@0.1.0" (instance $i)))"#;
    let bytes = wat::parse_str(format!("(component {inner})")).expect("valid text");
    let error = Component::from_bytes("hostile.wasm", &bytes).map(drop).expect_err("not of it");
    assert!(matches!(error.problem, LoadProblem::WrongShape(_)), "{error}");
}
