//! When a stream is taken up again, and when not.

use std::time::Duration;

use http::HeaderValue;

/// The pause before a stream is taken up again if the server names none; it doubles.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// And no longer than this.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The shortest pause, whatever a server asks for; it doubles as long as a stream
/// brings nothing.
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(250);

/// Why there is no stream.
pub(super) enum Refused {
    /// The server has none to give.
    ForGood,
    ForNow,
    /// It does not know this session any more.
    Expired(HeaderValue),
}
