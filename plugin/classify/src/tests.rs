extern crate std;

use std::{collections::BTreeMap, format, string::String, time::Instant, vec::Vec};

use proptest::prelude::*;

use crate::{
    Class, Text, Words,
    rules::{FAMILIES, Mark, PAIRS, SCRIPTS, marks_of},
    scan::Scan,
    weigh::hash_of,
};

fn words(text: &str) -> Words {
    Text::read(text).words()
}

fn class(text: &str) -> Option<Class> {
    words(text).class
}

#[track_caller]
fn all_are(wanted: Class, texts: &[&str]) {
    for text in texts {
        assert_eq!(class(text), Some(wanted), "{text}");
    }
}

#[test]
fn every_phrase_is_written_as_texts_are_read() {
    for (mark, phrases) in FAMILIES {
        for phrase in phrases {
            let scan = Scan::of(phrase);
            assert_eq!(scan.from(0).trim_end(), *phrase, "{mark:?}");
        }
    }
}

#[test]
fn every_phrase_is_found_and_no_other_is_taken_for_it() {
    let mut seen = BTreeMap::new();
    for (mark, phrases) in FAMILIES {
        for phrase in phrases {
            let hash = hash_of(phrase);
            assert!(marks_of(hash).has(mark), "{phrase}");
            let other = *seen.entry(hash >> 29).or_insert(*phrase);
            assert_eq!(other, *phrase, "they share the hash that is stored");
        }
    }
}

#[test]
fn a_phrase_speaks_for_one_thing_only() {
    let halves: Vec<Mark> =
        PAIRS.iter().flat_map(|(first, second, ..)| [*first, *second]).collect();
    let mut seen = BTreeMap::new();
    for (mark, phrases) in FAMILIES.into_iter().filter(|(mark, _)| !halves.contains(mark)) {
        for phrase in phrases {
            assert_eq!(seen.insert(*phrase, mark), None, "{phrase}");
        }
    }
}

#[test]
fn all_marks_have_a_place() {
    let last = FAMILIES.iter().map(|(mark, _)| *mark as u32).max();
    assert!(last < Some(u32::BITS));
    assert!(SCRIPTS.iter().all(|(mark, _)| (*mark as u32) < u32::BITS));
}

#[test]
fn sockets_and_names_that_fail_are_transient_in_every_spelling() {
    all_are(
        Class::Transient,
        &[
            "connect ECONNREFUSED 10.0.0.1:443",
            "ConnectionResetError: [Errno 104] Connection reset by peer",
            "dial tcp 10.0.0.1:443: connect: connection refused",
            "java.net.SocketTimeoutException: Read timed out",
            "UND_ERR_SOCKET: other side closed",
            "getaddrinfo EAI_AGAIN api.example.test",
            "httpx.RemoteProtocolError: Server disconnected without sending a response.",
            "TypeError: fetch failed",
        ],
    );
}

#[test]
fn a_thing_that_is_down_is_transient_whatever_it_is() {
    for thing in ["server", "broker", "primary database", "GPU", "scheduler", "search engine"] {
        for down in ["offline", "overloaded", "still starting", "unreachable", "crashed"] {
            all_are(Class::Transient, &[&format!("The {thing} is currently {down}.")]);
        }
    }
}

#[test]
fn the_name_of_a_tool_before_what_it_failed_to_do_is_no_phrase() {
    let of_tool = |status: u16| {
        format!(
            "Error executing tool fetch: Failed to fetch http://a.example.test/x - status code {status}"
        )
    };
    all_are(Class::Permanent, &[&of_tool(404), &of_tool(400)]);
    all_are(Class::Transient, &[&of_tool(503), &of_tool(502)]);
}

#[test]
fn two_words_of_different_sentences_say_nothing_together() {
    all_are(Class::Transient, &["The server is offline"]);
    assert_eq!(
        class("Checked the server. Offline maps can be bought."),
        words("Offline maps").class
    );
    assert!(!words("Checked the server. Offline maps.").strong);
}

#[test]
fn databases_queues_and_locks_are_transient() {
    all_are(
        Class::Transient,
        &[
            "FATAL: the database system is in recovery mode",
            "ORA-00054: resource busy and acquire with NOWAIT specified",
            "Deadlock found when trying to get lock; try restarting transaction",
            "etcdserver: leader changed",
            "NOT_LEADER_FOR_PARTITION",
            "KeeperErrorCode = ConnectionLoss",
            "MongoServerError: not primary and secondaryOk=false",
            "Error acquiring the state lock",
            "HikariPool-1 - Connection is not available, request timed out after 30000ms.",
        ],
    );
}

#[test]
fn limits_on_a_rate_are_throttled() {
    all_are(
        Class::Throttled,
        &[
            "429 Too Many Requests",
            "An error occurred (ProvisionedThroughputExceededException) when calling Query",
            "TOO_MANY_REQUESTS",
            "Throttling.User: Request was denied due to user flow control.",
            "rpc error: code = ResourceExhausted desc = too fast",
            "The number of API calls is over the limit",
            "FLOOD_WAIT_12",
            "Max concurrency reached",
        ],
    );
}

#[test]
fn a_quota_for_a_day_or_for_good_is_spent() {
    all_are(
        Class::Spent,
        &[
            "You exceeded your current quota, please check your plan and billing details.",
            "429: daily limit reached",
            "Account exceeded the weekly allowance",
            "Quota exceeded for quota metric 'Queries' and limit 'Queries per day'",
            "402 Payment Required",
        ],
    );
    all_are(
        Class::Throttled,
        &["Quota exceeded for quota metric 'Reads' and limit 'Reads per minute per user'"],
    );
}

#[test]
fn what_is_wrong_with_the_request_beats_words_that_it_repeats() {
    all_are(
        Class::Permanent,
        &[
            "timeout must be between 1 and 60",
            "Unknown tool: retry_429",
            "Column \"retry_after\" does not exist",
            "page 503 not found (last page is 502)",
            "Invalid value 'rate limit exceeded' for filter",
            "MCP error -32602: connection refused is no state",
            "KeyError: 'timeout'",
            "x509: certificate signed by unknown authority",
            "SSLHandshakeException: PKIX path building failed",
            "The request was not accepted: do not retry",
        ],
    );
}

#[test]
fn what_is_quoted_says_nothing() {
    assert_eq!(class("The label 'rate limit exceeded' was given"), None);
    all_are(Class::Throttled, &["{\"error\": \"rate limit exceeded\"}"]);
    all_are(Class::Throttled, &["the API returned \"Too many requests, calm down\""]);
}

#[test]
fn a_number_is_a_status_only_where_something_makes_it_one() {
    let status = |text| words(text).status;
    for (text, number) in [
        ("HTTP 503", 503),
        ("HTTP/1.1 502 Bad Gateway", 502),
        ("status code: 504", 504),
        ("error (429)", 429),
        ("{\"statusCode\": 500}", 500),
        ("429 {\"a\": 1}", 429),
    ] {
        assert_eq!(status(text), Some(number), "{text}");
    }
    for text in
        ["503 rows", "req-429 failed", "waited 500 ms", "order 429 is late", "K503", "1.502"]
    {
        assert_eq!(status(text), None, "{text}");
    }
}

#[test]
fn a_gateway_that_is_named_by_its_status_is_transient_whatever_it_misses() {
    all_are(Class::Transient, &["Code: 503. Errors: active cluster node not found"]);
    // Brackets hold other numbers as well.
    all_are(Class::Permanent, &["function retry_after(503) does not exist"]);
}

#[test]
fn explicit_members_decide() {
    all_are(Class::Permanent, &["{\"error\": \"timed out\", \"retryable\": false}"]);
    all_are(Class::Transient, &["{\"error\": \"not found\", \"retryable\": true}"]);
}

#[test]
fn other_languages_are_read_as_well() {
    all_are(
        Class::Transient,
        &[
            "Der Server ist derzeit nicht erreichbar",
            "Le serveur ne répond pas",
            "No se pudo conectar con el servidor",
            "Não foi possível conectar ao servidor",
            "Impossibile connettersi al server",
            "Сервер перегружен",
            "数据库连接超时",
            "サーバーが応答しません",
            "서버에 연결할 수 없습니다",
        ],
    );
    all_are(
        Class::Throttled,
        &["Zu viele Anfragen", "Muitas requisições", "请求过于频繁", "Слишком много запросов"],
    );
    all_are(
        Class::Permanent,
        &[
            "Datei nicht gefunden",
            "Accès refusé",
            "El usuario no existe",
            "参数错误",
            "권한이 없습니다",
        ],
    );
}

#[test]
fn waits_are_read_in_their_unit_and_never_too_short() {
    for (text, wait) in [
        ("Too many requests. Retry after 45s", 45_000),
        ("Rate limited, try again in 1 minute and 5 seconds.", 65_000),
        ("Please try again in 6.0805s", 6_081),
        ("429, retry after 3", 3_000),
        ("{\"error\": \"throttled\", \"retry_after_ms\": 2500}", 2_500),
        ("{\"error\": \"throttled\", \"retryAfterSeconds\": \"7\"}", 7_000),
        ("{\"error\": \"throttled\", \"retryDelay\": \"31s\"}", 31_000),
        (
            "{\"content\": \"{\\\"error\\\": \\\"throttled\\\", \\\"retry_in_seconds\\\": 4}\"}",
            4_000,
        ),
        ("TooManyRequests (429); RetryAfter: 00:01:30.2350000", 90_235),
        ("throttled, delayMs=250", 250),
        ("FLOOD_WAIT_12", 12_000),
        ("rate limit: 8s left", 8_000),
        ("Zu viele Anfragen. Bitte warten Sie 2 Sekunden.", 2_000),
        ("请求过于频繁，请在 30 秒后重试", 30_000),
    ] {
        assert_eq!(words(text).wait_ms, Some(wait), "{text}");
    }
}

#[test]
fn no_wait_is_made_up() {
    for text in [
        "Request timed out after 10012ms",
        "HTTP 503 after 3 attempts in 20 seconds",
        "Daily limit reached, retry after 30 seconds",
        "unknown tool; retry in 5 seconds",
        "rate limit exceeded, retry after 2026-03-01T10:00:00Z",
        "service unavailable",
    ] {
        assert_eq!(words(text).wait_ms, None, "{text}");
    }
}

#[test]
fn a_result_is_a_failure_only_by_its_form() {
    for text in [
        "Error: connect ECONNREFUSED",
        "Fehler beim Lesen: Zeitüberschreitung",
        "Ошибка при выполнении операции: превышено время ожидания",
        "Failed to fetch https://a.example.test/: 503",
        "{\"error\": \"timed out\"}",
        "{\"status\": \"error\", \"message\": \"x\"}",
        "{\"success\": false}",
        "Rate limit exceeded.",
        "Neo4j Error: not a leader",
    ] {
        assert!(Text::read(text).is_failure(), "{text}");
    }
    for text in [
        "# Error handling\nRetry after 30 seconds on 503.",
        "[{\"error\": \"timed out\"}]",
        "{\"items\": [], \"error\": null}",
        "{\"id\": 4, \"title\": \"503 errors\", \"status\": \"open\"}",
        "Error codes: 429 means too many requests",
        "Error 500: the story of our outage\n312 points\n145 comments\nIt was DNS.",
        "503 rows updated",
        "Rate limits for your plan: 100 requests per minute",
        "Server is up. Last outage: 3 days ago.",
        "",
    ] {
        assert!(!Text::read(text).is_failure(), "{text}");
    }
}

/// Parts of which texts are made that are hard to read.
const PARTS: &[&str] = &[
    "\"",
    "'",
    "`",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    ":",
    ",",
    "\\",
    "\\n",
    "\n",
    " ",
    "/",
    "://",
    ".",
    "retry",
    "after",
    "in",
    "wait",
    "429",
    "503",
    "12:30:",
    "00:00:00.5",
    "ms",
    "seconds",
    "error",
    "not",
    "found",
    "rate",
    "limit",
    "é",
    "ß",
    "请",
    "秒",
    "后",
    "ё",
    "🙂",
    "\u{2019}",
    "\0",
    "_",
    "-32602",
    "9999999999999999999",
    "\"retryDelay\":{",
    "\"seconds\":",
    "18446744073709551615",
];

fn hard_text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PARTS), 0..200).prop_map(|parts| parts.concat())
}

fn is_sound(text: &str) -> Result<(), TestCaseError> {
    let read = Text::read(text);
    let words = read.words();
    let waits = matches!(words.class, Some(Class::Transient | Class::Throttled));
    prop_assert!(words.wait_ms.is_none() || waits, "{words:?}");
    prop_assert!(words.status.is_none_or(|status| (400..600).contains(&status)), "{words:?}");
    prop_assert!(!words.strong || words.class.is_some(), "{words:?}");
    prop_assert_eq!(words, Text::read(text).words());
    let _ = (read.is_failure(), read.says_success());
    Ok(())
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in any::<String>()) {
        is_sound(&text)?;
    }

    #[test]
    fn any_text_of_hard_parts_can_be_read(text in hard_text()) {
        is_sound(&text)?;
    }

    #[test]
    fn any_part_of_a_failure_can_be_read(from in 0..400_usize, to in 0..400_usize) {
        let text = "{\"content\":\"{\\\"error\\\":{\\\"code\\\":429,\\\"message\\\":\\\"请求过于频繁, retry after 00:00:01.5\\\",\
            \\\"retry_after_ms\\\":2500}}\"} <html><title>503 'x' `y`</title> https://a.example.test/b: Überlastung";
        let part: String = text.chars().skip(from.min(to)).take(from.max(to)).collect();
        is_sound(&part)?;
    }

    #[test]
    fn a_wait_in_seconds_is_read_to_the_millisecond(seconds in 1..100_000_u64, thousandths in 0..1_000_u64) {
        let text = format!("Too many requests, please try again in {seconds}.{thousandths:03}s");
        prop_assert_eq!(words(&text).wait_ms, Some(seconds * 1_000 + thousandths));
        let text = format!("{{\"error\":\"slow down\",\"retry_after\":{seconds}.{thousandths:03}}}");
        prop_assert_eq!(words(&text).wait_ms, Some(seconds * 1_000 + thousandths));
    }
}

fn time_of(text: &str) -> u128 {
    let start = Instant::now();
    let read = Text::read(text);
    let _ = std::hint::black_box((read.words(), read.is_failure()));
    start.elapsed().as_nanos().max(1)
}

#[test]
fn the_time_to_read_grows_with_the_length_and_not_faster() {
    const TIMES: usize = 16;
    for part in PARTS.iter().copied().chain(["\"a\":", "' \"", "in 1 ", "not a ", "é' ", "a(429) "])
    {
        let short = part.repeat(1_024 / part.len());
        let long = short.repeat(TIMES);
        // What is quadratic takes 16 times as long as this each time; what is
        // linear may be held up once by what else the machine does.
        let in_time = || time_of(&long) <= time_of(&short) * TIMES as u128 * 3;
        assert!((0..20).any(|_| in_time()), "{part:?}");
    }
}
