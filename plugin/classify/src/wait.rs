//! How long a server wants to be left alone: from members of JSON first, then from prose.

use crate::{
    list::{among, holds, number, spaces, words},
    scan::{Field, Scan},
};

/// The wait that the text asks for. Rounded up, so that nobody comes too early.
pub(crate) fn wait(scan: &Scan) -> Option<u64> {
    let of_field = scan.fields.iter().find_map(of_field);
    of_field.or_else(|| reset_of_spent_limit(scan)).or_else(|| in_prose(scan))
}

/// Parts of the names of members that hold a wait.
const NAMES: &str = "backoffmilli|sleepms|sleepsecond|delayms|delaysecond|delaymilli|timetowait|nextallowedin|availablein|secondsuntil|msuntil|cooldownremaining|retryafter|retryin|retrydelay|retrywait|waitsecond|waitms|waitmilli|waittime|waitfor|secondstowait|resetin|resetafter|backoffms|backoffsecond|tryagainin|cooldownsecond|cooldownms|nextretryin";

/// `retry_after`, `retryAfterMs`, `retry_in_seconds`, `retryDelay: "31s"`: the
/// unit comes from the value, or else from the end of the name, or else it is seconds.
fn of_field(field: &Field) -> Option<u64> {
    let key = &*field.key;
    if !words(NAMES).any(|name| holds(key, name)) && !among(key, "wait|backoff|cooldown") {
        return None;
    }
    let unit = if key.ends_with("ms") || key.ends_with("millis") || key.ends_with("milliseconds") {
        1
    } else if key.ends_with("minutes") || key.ends_with("mins") {
        60_000
    } else {
        1_000
    };
    let value = Scan::of(&field.value);
    match duration(&value, 0) {
        Some(exact) => Some(exact),
        None => decimal(&value, 0).filter(|(_, next)| *next == value.tokens.len()).and_then(
            |(thousandths, _)| {
                // A point in time, not a length of it.
                let is_date = thousandths >= 1_000_000_000_000 && unit > 1;
                (!is_date).then(|| (thousandths * unit).div_ceil(1_000))
            },
        ),
    }
}

/// A reset beside a remaining of 0, as headers that were written into a text have it.
fn reset_of_spent_limit(scan: &Scan) -> Option<u64> {
    for (remaining, reset) in
        [("xratelimitremaining", "xratelimitreset"), ("ratelimitremaining", "ratelimitreset")]
    {
        if scan.field(remaining).is_some_and(|field| field.value == "0") {
            let seconds = number(&scan.field(reset)?.value)?;
            return (seconds < 1_000_000_000).then_some(seconds * 1_000);
        }
    }
    None
}

/// What is said before a wait.
const BEFORE: &str = "next request in|next attempt in|next token in|sleep|sleeping|backing off for|backing off|warten sie|warten|attendre|attendez|patienter|patientez|espera|attendere|attenda|подождите|available after|not before|no sooner than|no earlier than|cool off|cooling off|hold off|pausing|pause|eta|until|retry after|retry again after|retrying after|retried after|again after|try after|wait|waiting|wait of|reset after|resets after|cooling down for|cool down for|cooldown of|cooldown active|cooldown|break for|back off for|backoff|in|dans|aguarde|espere|attendi|em|en|через|backoff of|pause of|delay|sleep for";

fn in_prose(scan: &Scan) -> Option<u64> {
    (0..scan.tokens.len())
        .find_map(|index| {
            // `FLOOD_WAIT_12`, in seconds.
            if scan.stands(index, "flood wait") && scan.byte_after(index + 1) == b'_' {
                return scan.number(index + 2)?.checked_mul(1_000);
            }
            let before = words(BEFORE)
                .filter(|before| scan.stands(index, before))
                .max_by_key(|before| before.len())?;
            let words = spaces(before) + 1;
            let is_member = scan.byte_after(index + words) == b'=';
            let weak = among(
                before,
                "in|dans|em|en|wait|delay|waiting|until|pause|eta|warten|expected in",
            );
            if weak && !is_member && !asks(scan, index) {
                return None;
            }
            after(scan, index + words, before.ends_with("after") && before.starts_with("retry"))
        })
        .or_else(|| before_its_end(scan))
        .or_else(|| behind_in_other_scripts(scan))
}

/// "in 20 seconds" asks only where something was asked for before.
fn asks(scan: &Scan, index: usize) -> bool {
    const ASKING: &str = "retry|try|again|wait|please|reessayer|reessayez|erneut|novamente|nuevo|reset|resets|bitte|veuillez|intente|intentelo|tente|riprova|riprovare|intentarlo|intentar|reintentar|tentar|provare|versuchen|повторите|попробуйте";
    if among(scan.word(index), "wait|waiting") {
        // "waited 30 seconds", "wait timeout of 30 s" tell of the past.
        return !among(scan.word(index + 1), "timeout|time");
    }
    let right_before = index > 0
        && among(
            scan.word(index - 1),
            "allowed|available|back|expected|permitted|ready|refill|refills|refresh|refreshes|renews|replenished|resetting|resumes|retrying|slot|unlocked",
        );
    right_before
        || (1..6).any(|back| index >= back && among(scan.word(index - back), ASKING))
        || (1..12).any(|back| {
            index >= back
                && among(scan.word(index - back), "available|slot|slots|cooldown|throttled")
        })
}

/// A length of time behind these words, a few fillers left out.
fn after(scan: &Scan, mut index: usize, may_lack_unit: bool) -> Option<u64> {
    const FILLERS: &str = "sie|noch|encore|mindestens|environ|etwa|moins|menos|for|at|least|about|approximately|around|another|the|next|after|in|of|is|approx|a|up|to|until|seconds|header|suggested|roughly";
    // `retry-after-ms: 1500`, `delayMs=250`
    if let (Some(unit), Some((thousandths, _))) = (unit(scan.word(index)), decimal(scan, index + 1))
    {
        return Some(thousandths.saturating_mul(unit).div_ceil(1_000));
    }
    for _ in 0..4 {
        if let Some(time) = duration(scan, index) {
            return Some(time);
        }
        if scan.number(index).is_some() || !among(scan.word(index), FILLERS) {
            break;
        }
        index += 1;
    }
    if !may_lack_unit {
        return None;
    }
    let (thousandths, next) = decimal(scan, index)?;
    let is_date = thousandths >= 1_000_000_000_000
        || scan.byte_after(next - 1) == b'-'
        || scan.byte_after(next - 1) == b'/';
    // A number that something else is counted with: "retry after 3 attempts".
    let counted =
        scan.byte_after(next - 1) == b' ' && scan.mark_after(next - 1).is_ascii_alphabetic();
    (!is_date && !counted).then_some(thousandths)
}

/// "6s remaining", "45 seconds left", "20 seconds before retrying".
fn before_its_end(scan: &Scan) -> Option<u64> {
    (0..scan.tokens.len()).find_map(|index| {
        let after_number = index > 0 && scan.number(index - 1).is_some();
        let time = (!after_number).then(|| duration_and_end(scan, index)).flatten()?;
        let said = among(scan.word(time.1), "remaining|left|cooldown")
            || (scan.word(time.1) == "until"
                && among(scan.word(time.1 + 1), "reset|the|next|retry|retrying|you|quota|limit"))
            || (scan.word(time.1) == "before"
                && among(scan.word(time.1 + 1), "retrying|trying|retry|next|the|another|sending"));
        said.then_some(time.0)
    })
}

/// "请在 30 秒后重试": the number comes first.
fn behind_in_other_scripts(scan: &Scan) -> Option<u64> {
    if scan.text.is_ascii() {
        return None;
    }
    (0..scan.tokens.len()).find_map(|index| {
        let unit = scan.word(index + 1);
        let later = words("后|後|뒤|후|以内|内|お待ち|待")
            .any(|word| holds(unit, word) || holds(scan.word(index + 2), word));
        later.then(|| duration(scan, index)).flatten()
    })
}

fn duration(scan: &Scan, index: usize) -> Option<u64> {
    Some(duration_and_end(scan, index)?.0)
}

/// "30 seconds", "1m30s", "2 minutes and 5 seconds", "one minute", "27.5s", in
/// milliseconds, and where it ends.
fn duration_and_end(scan: &Scan, index: usize) -> Option<(u64, usize)> {
    if let Some(clock) = of_clock(scan, index) {
        return Some(clock);
    }
    let mut total: Option<u64> = None;
    let mut index = index;
    loop {
        let at = if total.is_some() && scan.word(index) == "and" { index + 1 } else { index };
        let found = decimal(scan, at)
            .or_else(|| in_words(scan.word(at)).map(|number| (number * 1_000, at + 1)));
        let Some((thousandths, next)) = found else { break };
        let Some(unit) = unit(scan.word(next)) else { break };
        total = Some(
            total.unwrap_or(0).saturating_add(thousandths.saturating_mul(unit).div_ceil(1_000)),
        );
        index = next + 1;
    }
    total.map(|time| (time, index))
}

/// "00:01:30.5", as .NET and intervals of databases have it.
fn of_clock(scan: &Scan, index: usize) -> Option<(u64, usize)> {
    let (hours, minutes) = (scan.number(index)?, scan.number(index + 1)?);
    let colons = [index, index + 1]
        .into_iter()
        .all(|at| scan.byte_after(at) == b':' && scan.byte_after_next(at).is_ascii_digit());
    // Not the end of a date.
    if !colons || minutes > 59 || scan.byte_before(index).is_ascii_alphanumeric() {
        return None;
    }
    let (seconds, next) = decimal(scan, index + 2)?;
    let whole = hours.saturating_mul(60).saturating_add(minutes).saturating_mul(60_000);
    Some((whole.saturating_add(seconds), next))
}

/// A number with or without a fraction, in thousandths, and the token behind it.
fn decimal(scan: &Scan, index: usize) -> Option<(u64, usize)> {
    if matches!(scan.byte_before(index), b'/' | b'-' | b'_' | b'#') {
        return None;
    }
    let whole = scan.number(index).filter(|whole| *whole < 1_000_000_000_000_000 / 1_000)?;
    let has_fraction =
        scan.byte_after(index) == b'.' && scan.byte_after_next(index).is_ascii_digit();
    if !has_fraction {
        return Some((whole * 1_000, index + 1));
    }
    let digits = scan.word(index + 1);
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = digits.as_bytes().get(place).filter(|byte| byte.is_ascii_digit());
        thousandths = thousandths * 10 + digit.map_or(0, |byte| u64::from(byte - b'0'));
    }
    let more = digits.bytes().skip(3).any(|byte| byte != b'0');
    Some((whole * 1_000 + thousandths + u64::from(more), index + 2))
}

fn in_words(word: &str) -> Option<u64> {
    const WORDS: &str = "one|two|three|four|five|six|seven|eight|nine|ten|a";
    let place = words(WORDS).position(|known| known == word)?;
    Some(if place == 10 { 1 } else { place as u64 + 1 })
}

/// Milliseconds of a unit of time.
fn unit(word: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 5] = [
        ("ms|msec|msecs|millis|millisecond|milliseconds", 1),
        (
            "s|sec|secs|second|seconds|segundos|secondes|sekunden|secondi|segundo|seconde|sekunde",
            1_000,
        ),
        ("m|min|mins|minute|minutes|minuten|minutos|minuti", 60_000),
        ("h|hr|hrs|hour|hours|stunden|heures|horas", 3_600_000),
        ("d|day|days", 86_400_000),
    ];
    if let Some((_, unit)) = UNITS.iter().find(|(names, _)| among(word, names)) {
        return Some(*unit);
    }
    Some(match word {
        _ if word.starts_with('秒') || word.starts_with('초') || word.starts_with("сек") => {
            1_000
        }
        _ if word.starts_with('分') || word.starts_with('분') || word.starts_with("мин") => {
            60_000
        }
        _ => return None,
    })
}
