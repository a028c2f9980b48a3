//! Builds the plugin's component, so that the harness carries it and every
//! cargo command works on a fresh machine without a step before it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const TARGET: &str = "wasm32-wasip2";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for input in
        ["plugin/src", "plugin/classify", "plugin/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    ensure_target()?;

    let target_dir = component_target_dir()?;
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(&workspace)
        .args(["build", "--package", "retry-with-backoff", "--profile", "component"])
        .args(["--target", TARGET, "--locked", "--target-dir"])
        .arg(&target_dir);
    // What cargo tells this build about the host's must not leak into the guest's.
    for (name, _) in env::vars_os() {
        let name_text = name.to_string_lossy();
        let of_host = name_text == "RUSTFLAGS"
            || name_text == "RUSTC_WORKSPACE_WRAPPER"
            || name_text.starts_with("CARGO_ENCODED_")
            || name_text.starts_with("CARGO_PROFILE_")
            || name_text.starts_with("CARGO_FEATURE_");
        if of_host {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the plugin's component does not build:\n{stderr}"));
    }
    let component = target_dir.join(TARGET).join("component/retry_with_backoff.wasm");
    println!("cargo::rustc-env=RETRY_WITH_BACKOFF_WASM={}", component.display());
    Ok(())
}

/// Adds the component's target if it is missing, which rustup does not do by itself.
fn ensure_target() -> Result<(), String> {
    let output = Command::new(variable("RUSTC")?)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let libdir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if libdir.is_dir() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(format!("the Rust target {TARGET} is missing; type: rustup target add {TARGET}"))
}

/// A directory of its own below the workspace's: cargo holds a lock on the
/// outer one, and all profiles of the host share this one.
fn component_target_dir() -> Result<PathBuf, String> {
    // OUT_DIR is <target>/[<triple>/]<profile>/build/<package>/out.
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let profile = out_dir.ancestors().nth(3);
    let target = profile.and_then(Path::parent);
    target
        .map(|target| target.join("component"))
        .ok_or_else(|| format!("OUT_DIR has an unexpected form: {}", out_dir.display()))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
