//! What the plugin said about how often calls are retried, so that a gateway
//! that marks attempts need not ask it before every call.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{PoisonError, RwLock},
};

use crate::{
    contract::{MostRetries, ToolAnnotations},
    gateway::{CallContext, Hook},
};

/// Answers at a time; when there are more, all are forgotten.
const MOST: usize = 1_024;

/// Everything that an answer depends on but the configuration.
#[derive(Debug, PartialEq)]
struct Question {
    hook: Hook,
    target: String,
    upstream: Option<String>,
    annotations: Option<ToolAnnotations>,
    trusted: Option<bool>,
}

/// The answers under the configuration in force.
#[derive(Debug, Default)]
pub(super) struct Remembered(RwLock<Answers>);

#[derive(Debug, Default)]
struct Answers {
    /// By the hash of their question, so that nothing is copied to look one up.
    known: HashMap<u64, (Question, MostRetries)>,
    epoch: u64,
}

/// The configuration that was in force when a question was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

impl Remembered {
    /// The answer to the same question; otherwise how to [`keep`](Self::keep)
    /// the one to come. What an outer layer does is different at each call, so
    /// nothing is remembered under one.
    pub(super) fn find(
        &self,
        hook: Hook,
        target: &str,
        context: &CallContext,
    ) -> Result<MostRetries, Epoch> {
        let answers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = answers.known.get(&hash(hook, target, context));
        match known.filter(|(question, _)| question.is(hook, target, context)) {
            Some((_, retries)) => Ok(*retries),
            None => Err(Epoch(answers.epoch)),
        }
    }

    /// Remembers an answer, unless another configuration has come into force since the question.
    pub(super) fn keep(
        &self,
        epoch: Epoch,
        hook: Hook,
        target: &str,
        context: &CallContext,
        retries: MostRetries,
    ) {
        if context.outer.is_some() {
            return;
        }
        let mut answers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if Epoch(answers.epoch) != epoch {
            return;
        }
        if answers.known.len() >= MOST {
            answers.known.clear();
        }
        let question = Question {
            hook,
            target: target.to_owned(),
            upstream: context.upstream.clone(),
            annotations: context.annotations,
            trusted: context.trusted,
        };
        answers.known.insert(hash(hook, target, context), (question, retries));
    }

    /// Another configuration is in force.
    pub(super) fn forget(&self) {
        let mut answers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        answers.known.clear();
        answers.epoch += 1;
    }
}

impl Question {
    fn is(&self, hook: Hook, target: &str, context: &CallContext) -> bool {
        context.outer.is_none()
            && self.hook == hook
            && self.target == target
            && self.upstream == context.upstream
            && self.annotations == context.annotations
            && self.trusted == context.trusted
    }
}

/// Annotations are left out: a tool seldom changes them, and then the new answer replaces the old.
fn hash(hook: Hook, target: &str, context: &CallContext) -> u64 {
    let mut hasher = DefaultHasher::new();
    (hook, target, &context.upstream).hash(&mut hasher);
    hasher.finish()
}
