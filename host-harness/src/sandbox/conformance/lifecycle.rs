//! What the contract asks of `lifecycle`.

use super::{
    Outcome,
    hooks::{FAILED, HOOKS},
    subject::{Asked, Subject, Trial},
};
use crate::{
    contract::HookError,
    sandbox::{Expected, boundary},
};

pub(super) fn starts(subject: &Subject<'_>) -> Outcome {
    subject.fresh().map(|_| ())
}

pub(super) fn describes_itself(subject: &Subject<'_>) -> Outcome {
    let manifest = subject.fresh()?.ask(|instance| {
        instance.exports.mcp_gateway_hooks_lifecycle().call_describe(&mut instance.store)
    })?;
    boundary::manifest(&manifest, &Expected::default()).map_err(|violation| violation.to_string())
}

pub(super) fn has_a_schema(subject: &Subject<'_>) -> Outcome {
    let schema = subject.fresh()?.ask(|instance| {
        instance.exports.mcp_gateway_hooks_lifecycle().call_config_schema(&mut instance.store)
    })?;
    boundary::schema(&schema, &subject.options.limits).map_err(|violation| violation.to_string())
}

pub(super) fn accepts_the_configuration(subject: &Subject<'_>) -> Outcome {
    let mut trial = subject.configured()?;
    // It may come again at any time.
    match trial.configure(&subject.options.config)? {
        Ok(_) => Ok(()),
        Err(issues) => Err(format!("it refuses it the second time: {}", issues[0].message)),
    }
}

pub(super) fn survives_nonsense(subject: &Subject<'_>) -> Outcome {
    let mut trial = subject.configured()?;
    let deep = "[".repeat(10_000);
    let long = format!(r#"{{"{}": 1}}"#, "x".repeat(50_000));
    let odd = "{\"\\u0000\\ud800\\u001b[2J\": [null, -0.0, 1e999, \"\\u202e\"]}";
    for config in ["", "{", "[]", "true", "\"text\"", "1e400", odd, &deep, &long] {
        // Whether it refuses them is its own matter; it must be able to go on.
        let _ = trial.configure(config)?;
    }
    works(&mut trial)
}

/// Whether it still judges.
fn works(trial: &mut Trial) -> Outcome {
    for hook in HOOKS {
        let answer = trial.judge(Asked::first(hook, FAILED))?;
        if let Err(error @ (HookError::NotConfigured | HookError::ShutDown)) = answer {
            return Err(format!("it judges nothing any more ({error})"));
        }
    }
    Ok(())
}

pub(super) fn has_few_metrics(subject: &Subject<'_>) -> Outcome {
    let mut trial = subject.configured()?;
    let names = |trial: &mut Trial| {
        let metrics = trial.ask(|instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_stats(&mut instance.store)
        })?;
        boundary::metrics(&metrics).map_err(|violation| violation.to_string())?;
        Ok::<_, String>(metrics.into_iter().map(|metric| metric.name).collect::<Vec<_>>())
    };
    names(&mut trial)?;
    for n in 0..200 {
        let target = format!("target-{n}");
        for hook in HOOKS {
            let _ = trial.judge(Asked { target: &target, ..Asked::first(hook, FAILED) })?;
        }
    }
    match names(&mut trial)?.into_iter().find(|name| name.contains("target-")) {
        Some(name) => Err(format!("the metric `{name}` is made from a target's name")),
        None => Ok(()),
    }
}

pub(super) fn shuts_down(subject: &Subject<'_>) -> Outcome {
    let mut trial = subject.configured()?;
    for hook in HOOKS {
        let _ = trial.judge(Asked::first(hook, FAILED))?;
    }
    for _ in 0..2 {
        trial.ask(|instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_shutdown(&mut instance.store)
        })?;
        for hook in HOOKS {
            match trial.judge(Asked::first(hook, FAILED))? {
                Err(HookError::ShutDown | HookError::Unsupported) => {}
                Err(error) => return Err(format!("it answers `{error}` in place of `shut-down`")),
                Ok(_) => return Err("it still gives verdicts".to_owned()),
            }
        }
    }
    Ok(())
}
