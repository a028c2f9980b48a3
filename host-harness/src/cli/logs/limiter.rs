//! No peer fills the log: of the same line, about the same upstream, so many
//! are written at once, and then one a second.

use std::{
    collections::HashMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Metadata,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of a kind that are written at once.
const BURST: u32 = 30;
/// How long it takes until one more is.
const REFILL: Duration = Duration::from_secs(1);
/// Kinds of lines that are told apart; further ones share a limit.
const MOST_KINDS: usize = 1_024;

/// Lets every kind of line pass as often as its token bucket allows. Lines
/// that only the operator can cause, and those below `INFO`, which he has asked
/// for, are not limited.
#[derive(Debug, Default)]
pub(super) struct Limiter(Mutex<HashMap<Kind, Bucket>>);

/// Where in the program a line comes from, and which upstream or tool it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind(Identifier, u64);

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    /// When it was last full, or a token was added to it.
    filled: Instant,
    suppressed: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Written,
    /// So many before it were not.
    WrittenAfter(u64),
    /// The first that is not.
    Last,
    Suppressed,
}

impl Bucket {
    fn admit(&mut self, now: Instant) -> Admission {
        let refills = now.saturating_duration_since(self.filled).as_secs() / REFILL.as_secs();
        if let refills @ 1.. = u32::try_from(refills).unwrap_or(u32::MAX) {
            self.tokens = self.tokens.saturating_add(refills).min(BURST);
            self.filled = now;
        }
        if let Some(left) = self.tokens.checked_sub(1) {
            self.tokens = left;
            return match std::mem::take(&mut self.suppressed) {
                0 => Admission::Written,
                before => Admission::WrittenAfter(before),
            };
        }
        self.suppressed += 1;
        if self.suppressed == 1 { Admission::Last } else { Admission::Suppressed }
    }
}

impl Limiter {
    fn admit(&self, kind: Kind, now: Instant) -> Admission {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !buckets.contains_key(&kind);
        let kind = if is_new && buckets.len() >= MOST_KINDS { Kind(kind.0, 0) } else { kind };
        let full = || Bucket { tokens: BURST, filled: now, suppressed: 0 };
        buckets.entry(kind).or_insert_with(full).admit(now)
    }
}

impl<S> Filter<S> for Limiter {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let is_the_operators = metadata.target().starts_with("host_harness::cli::")
            && !metadata.target().ends_with("call_log");
        if is_the_operators || *metadata.level() > Level::INFO {
            return true;
        }
        let mut about = About(DefaultHasher::new());
        event.record(&mut about);
        let kind = Kind(metadata.callsite(), about.0.finish());
        // Without the subscriber, which is at work on the event. Nobody may read stderr.
        let say = |text: fmt::Arguments<'_>| drop(io::stderr().write_fmt(text));
        match self.admit(kind, Instant::now()) {
            Admission::Written => true,
            Admission::WrittenAfter(lines) => {
                say(format_args!("{:>5} {lines} lines like the next one were left out\n", "WARN"));
                true
            }
            Admission::Last => {
                say(format_args!(
                    "{:>5} lines like the one before come too fast; one a second is written\n",
                    "WARN"
                ));
                false
            }
            Admission::Suppressed => false,
        }
    }
}

/// Which upstream or tool an event is about.
struct About(DefaultHasher);

impl Visit for About {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "upstream" | "server" | "side" | "plugin" | "tool") {
            format!("{value:?}").hash(&mut self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_line_is_written_so_often_and_then_once_a_second_and_others_as_before() {
        let callsite = a_callsite();
        let limiter = Limiter::default();
        let begin = Instant::now();
        let noisy = || Kind(callsite.clone(), 1);
        for _ in 0..BURST {
            assert_eq!(limiter.admit(noisy(), begin), Admission::Written);
        }
        assert_eq!(limiter.admit(noisy(), begin), Admission::Last);
        for _ in 0..9 {
            assert_eq!(limiter.admit(noisy(), begin), Admission::Suppressed);
        }
        assert_eq!(limiter.admit(Kind(callsite.clone(), 2), begin), Admission::Written);
        let later = begin + REFILL;
        assert_eq!(limiter.admit(noisy(), later), Admission::WrittenAfter(10));
        assert_eq!(limiter.admit(noisy(), later), Admission::Last);
        let much_later = later + REFILL * 1_000;
        assert_eq!(limiter.admit(noisy(), much_later), Admission::WrittenAfter(1));
        for about in 0..10 * MOST_KINDS as u64 {
            limiter.admit(Kind(callsite.clone(), about), much_later);
        }
        assert!(limiter.0.lock().expect("no panic").len() <= MOST_KINDS + 1);
    }

    fn a_callsite() -> Identifier {
        use std::sync::OnceLock;

        use tracing_subscriber::layer::SubscriberExt;

        static SEEN: OnceLock<Identifier> = OnceLock::new();
        struct Seeing;
        impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Seeing {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let _ = SEEN.set(event.metadata().callsite());
            }
        }
        let subscriber = tracing_subscriber::registry().with(Seeing);
        tracing::subscriber::with_default(subscriber, || tracing::warn!("here"));
        SEEN.get().cloned().expect("an event")
    }
}
