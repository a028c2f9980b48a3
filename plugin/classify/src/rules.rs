//! What servers say, by families. All phrases are words as [`super::scan`]
//! reads them: lower case, `TooManyRequests` is `too many requests`.

use Mark::{
    Fault, Forbidden, Never, PerWindow, Permanent, Quota, Retryable, Spent, Throttled, Throttling,
    Transient, Wanting,
};

/// What a phrase speaks for. 
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// An explicit word that a retry is useless.
    Never,
    /// An explicit word that a retry is worth it.
    Retryable,
    /// Paid or granted for a day, a month, for good: and used up.
    Spent,
    /// A quota, of which only the rest says whether it comes back soon.
    Quota,
    /// A limit on so many a second or a minute, or at a time.
    PerWindow,
    /// The request itself is wrong, and nothing else can be meant.
    Permanent,
    /// The request, or the right to make it, is wrong; if nothing stronger speaks.
    Fault,
    /// Too many requests, and nothing else can be meant.
    Throttled,
    /// Perhaps too many requests.
    Throttling,
    /// A failure that passes, and nothing else can be meant.
    Transient,
    /// Perhaps a failure that passes.
    Wanting,
    /// The server says that access is closed: as [`Fault`], but a status decides first.
    Forbidden,
}

/// All phrases, in order: 32 bits of the hash of one, and in the last byte what
/// it speaks for. A table of the phrases themselves would take six times the
/// room; one of three million other phrases is taken for one of these.
static RULES: [[u8; 5]; FAMILIES_LEN] = packed();

/// The most words of a phrase.
pub(crate) const MOST_WORDS: usize = 6;

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub(crate) const fn hash(mut hash: u64, byte: u8) -> u64 {
    hash ^= byte as u64;
    hash.wrapping_mul(0x0000_0100_0000_01b3)
}

/// The hash of no byte at all.
pub(crate) const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// What a phrase of this hash speaks for.
pub(crate) fn mark_of(hash: u64) -> Option<Mark> {
    let [a, b, c, d, ..] = hash.to_be_bytes();
    let wanted = [a, b, c, d, 0];
    let place = RULES.partition_point(|rule| *rule < wanted);
    let rule = RULES.get(place)?;
    let mark = FAMILIES_MARKS.get(usize::from(rule[4]))?;
    (rule[..4] == wanted[..4]).then_some(*mark)
}

static FAMILIES_MARKS: [Mark; FAMILIES.len()] = {
    let mut marks = [Never; FAMILIES.len()];
    let mut family = 0;
    while family < marks.len() {
        marks[family] = FAMILIES[family].0;
        family += 1;
    }
    marks
};

const FAMILIES: [(Mark, &[&str]); 12] = [
    (Never, NEVER),
    (Retryable, RETRYABLE),
    (Spent, SPENT),
    (Quota, QUOTA),
    (PerWindow, PER_WINDOW),
    (Permanent, PERMANENT),
    (Fault, FAULT),
    (Forbidden, FORBIDDEN),
    (Throttled, THROTTLED),
    (Throttling, THROTTLING),
    (Transient, TRANSIENT),
    (Wanting, WANTING),
];

const NEVER: &[&str] = &[
    "do not retry", "dont retry", "not retryable", "non retryable", "not retriable",
    "retrying will not", "retry will not", "will not succeed", "for good",
    "shut down permanently", "permanently closed", "permanently removed", "permanent failure",
    "permanent error", "no longer available", "no longer exists", "no longer supported",
    "been removed", "was removed", "been discontinued", "been deprecated",
];

const RETRYABLE: &[&str] = &[
    "safely retry", "safe to retry", "can be retried", "may be retried", "is retryable",
    "retryable error", "retriable error", "retrying the job", "should be retried",
    "usually caused by a transient",
];

const SPENT: &[&str] = &[
    "insufficient quota", "exceeded your current quota", "over your quota", "over quota",
    "used up", "run out of", "ran out of", "out of credits", "no credits", "credit balance",
    "insufficient balance", "insufficient credits", "insufficient funds", "insufficient credit",
    "not enough credits", "not enough balance", "not enough funds", "account balance",
    "credits exhausted", "credits exceeded", "credits used", "payment required", "billing",
    "upgrade your plan", "upgrade your account", "upgrade your subscription",
    "upgrade to continue", "please upgrade", "upgrade plan", "recharge", "top up",
    "daily limit", "daily quota", "daily request", "daily usage", "daily message", "daily rate",
    "daily token", "daily cap", "weekly limit", "monthly limit",
    "monthly quota", "monthly usage", "monthly request", "monthly cap", "monthly credit",
    "per day", "per month", "a day", "a month", "for today",
    "quota for the month", "quota for this month", "limit for this month",
    "free limit", "free quota", "free query", "free tier limit", "trial has", "trial expired",
    "trial period", "storage quota", "storage limit", "disk quota", "disk full",
    "no space left", "usage cap", "spending limit", "spend limit", "budget has been",
    "hard limit", "plan limit", "plan does not", "plan doesnt", "your plan allows",
    "limit of your plan", "subscription has", "subscription expired",
    "subscription required", "subscription inactive", 
    "quota has been exhausted", "has been suspended", "account suspended",
    "is suspended", "quota is exhausted", "license expired",
    
];

const QUOTA: &[&str] = &[
    "quota exceeded", "quota has been exceeded", "exceeded quota", "exceeded your quota",
    "quota limit", "quota exhausted", "exceeded the quota", "quota reached", "quota failure",
    "quota violation", "out of quota", "quota error", "exceeds quota", "exceeded project quota",
];

const PER_WINDOW: &[&str] = &[
    "per minute", "per second", "per hour", "per min", "per sec", "a minute", "a second",
    "concurrent", "concurrency", "simultaneous", "requests per", "rpm", "tpm", "qps", "rps",
    "tps", "secondly", "minutely", "hourly", "parallel",
];

const PERMANENT: &[&str] = &[
    "not found", "notfound", "be found", "not find", "no such", "nosuch", "doesnt exist",
    "dont exist", "not exist", "doesnt have a", "already exists", "already exist",
    "already in use", "already allocated", "already been", "already taken", 
    "already has", "already closed", "must be", "must have", "must not", "must provide",
    "must specify", "must contain", "must match", "must include", "must start", "is required",
    "are required", "required parameter", "required input", "required field",
    "required argument", "required property", "missing required", "missing parameter",
    "missing field", "missing argument", "field required", "required for", "unknown tool",
    "unknown column", "unknown identifier", "unknown category", "unknown channel",
    "unknown command", "unknown method", "unknown argument", "unknown option", "unknown field",
    "unknown operator", "unknown action", "unknown function", "unknown parameter",
    "unknown type", "unknown user", "unknown resource", "unknown key", "unknown database",
    "unknown table", "unknown property", "unknown entity", "not supported", "isnt supported",
    "not allowed", "not permitted", "not authorized", "not enabled", "not implemented",
    "not configured", "not installed", "not registered", "not valid", "isnt valid", "is not a",
    "is not an", "permission denied", "access denied", "access is denied", "login required",
    "login failed", "login fail", "sign in", "log in again", "authentication required",
    "authentication failed", "authorization failed", "auth failed", "bad auth",
    "re authenticate", "reauthenticate", "please authenticate",
    "please log in", "please login", "invalid api key", "invalid apikey", "invalid token",
    "invalid grant", "invalid credentials", "invalid argument", "invalid arguments",
    "invalid parameter", "invalid parameters", "invalid params", "invalid request",
    "invalid input", "invalid value", "invalid query", "invalid field", "invalid name",
    "invalid object name", "invalid id", "invalid session", "invalid date", "invalid url",
    "invalid tool", "invalid syntax", "invalid json", "invalid path", "invalid format",
    "api key provided", "api key not", "api key is", "token expired", "token is expired",
    "token has expired", "token is invalid", "expired token", "invalid or expired",
    "credentials expired", "credentials have expired", "session expired", "session has expired",
    "syntax error", "syntax exception", "error in your sql", "parse error", "parsing error",
    "malformed", "validation", "constraint", "duplicate key", "duplicate entry", "violates",
    "out of range", "out of bounds", "is too long", "too long for", "too large", "too big",
    "too small", "too short", "is too low", "not defined", "undefined method",
    "undefined function", "undefined variable", "properties of null", "of undefined",
    "no attribute", "none type", "null reference exception", "null pointer", "index out of",
    "zero division", "division by zero", "stack overflow", "type error", "name error",
    "key error", "value error", "attribute error", "reference error", "assertion",
    "unexpected keyword", "unexpected token", "positional argument", "cannot unmarshal",
    "cannot parse", "failed to parse", "could not parse", "unable to parse", "cannot be null",
    "cannot be empty", "cannot be blank", "cannot be set", "cannot be used",
    "cannot be modified", "cannot modify", "cannot delete", "cannot execute", "read only",
    "robots", "did you mean", "context length", "context window", "maximum context",
    "content filter", "content policy", "moderation", "safety system", "due to safety",
    "policy violation", "memory limit", "out of memory", "no results", "no match",
    "no matches", "no data found", "no element", 
    "no transcript", "in the past", "in the future", "is closed",
    "has been closed", "declined", "execution reverted",
    "retry limit reached for", "client error statement", "wrongtype", "wrong type",
    "no active", "is disabled",
    "was disabled", "been disabled", "been revoked", 
    "insufficient permissions", "insufficient permission", "insufficient privileges",
    "insufficient scope", "missing permissions", "missing scope", "no permission",
    "dont have permission", "do not have permission", "does not have permission",
    "not have access", "no access", "is not accessible", "is restricted", "is private",
    "self signed", "unknown authority", "err cert", "certificate verify failed",
    "cert authority", "certificate has", "certificate is", "unable to verify", "does not match",
    "doesnt match", "did not match", "dont match", "mismatch", "not acceptable", "not editable",
    "conditional request failed", "conditional check failed", "precondition failed",
    "failed precondition", "failed to satisfy", "not a valid", "not an integer", "not a number",
    "not executable", "not a directory", "is a directory", "exists already", "nonexistent",
    "non existent", "enoent", "eacces", "eperm", "eisdir", "eexist", "enotdir", "not be empty",
    "at least one", "expects a", "expected a", "expected one of", "expected string",
    "expected number", "missing a", "have not", "method not", "between 1 and", "between 0 and",
    "password", "incorrect", "bad argument", "cant be blank", "not a member", "not in channel",
    "is archived", "is empty", "is deprecated", "not eligible",
    "not subscribed", "no route matched", "introuvable", "invalide", "nicht gefunden",
    "ungultig", "ungultige", "no encontrado", "no encontrada", "no existe", "nao encontrado",
    "nao encontrada", "nao existe", "non trovato", "non trovata", "non valido", "non esiste",
    "existiert nicht", "nexiste pas", "acces refuse",
    "zugriff verweigert", "acceso denegado", "acesso negado", "obligatoire", "obligatorio",
    "erforderlich",
];

const FAULT: &[&str] = &[
    "invalid", "illegal", "bad request", "denied", "rejected", "refused to", "blocked",
    "unknown", "unauthenticated", "maximum number", "unexpected argument", "disabled",
    "missing", "expired", "conflict", "duplicate", "exceeds", "exceed the", "cannot read",
    "not enough", "at most", "at least", "no longer", "failed to decode", "error decoding",
    "null", "undefined", "panic", "wrong", "use a", "choose another", "change it",
    "try another", "please provide", "please specify", "please enter", "please check your",
    "please select", "retry limit", "required", "should be", "too many arguments",
    "too many characters", "too many items", "too many parameters", 
    "too many tokens in", "max tokens", "limited to", "not available in", "not available for",
    "not available on", "is not available to", "unavailable for legal", "invalido", "invalida",
    "not accepted", "not applicable", "violation", 
    "overflow", "cannot be", "can not be", "exists", "not set",
    "reverted", "in your country", "your region", "no function clause", "resolve field",
];

const FORBIDDEN: &[&str] = &[
    "forbidden", "client error",
];

const THROTTLED: &[&str] = &[
    "toomanyrequests", "too many concurrent", "too many simultaneous", "too many queries",
    "too many api", "too many attempts", "too many messages", "too many write",
    "too many operations", "too many tokens", "too many parallel",
    "too many pending", "too many outstanding", "too many in flight", "too many active",
    "too many open requests", "many requests", "many calls", "rate limit", "rate limits",
    "concurrency exceeded", "concurrent limit", "backpressure", "back pressure",
    "too much load", "too much work", "too much traffic", "maximum requests",
    "number of requests", "request weight", "request quota", "rate limited", "rate limiting",
    "rate limiter rejected", "rate exceeded", "rate is exceeded", "request rate",
    "rate of requests", "slow down", "slowdown", "resource exhausted",
    "resource has been exhausted", "requests per second", "requests per minute",
    "concurrency limit", "concurrent requests", "limit of concurrent",
    "concurrent request limit", "requests limit exceeded", "request limit exceeded",
    "request limit reached", "calls per second", "calls per sec", "calls per minute",
    "complexity budget", "usage limit exceeded", "throughput exceeded", "throughput limit",
    "provisioned throughput", "reduce your request", "reduce request", "reduce the rate",
    "reduce your rate", "over query limit", "frequency limit",
    "frequency limited", "too frequently", "too frequent", "too quickly", "too fast",
    "making requests too", "sending requests too", "breaker open", 
    "cooling down", "cooldown", "cool down", "flood", "tpm limit",
    "rpm limit", "qps limit", "tokens per minute", "tokens per min", "requests per min",
    "capacity exceeded for", "per second limit", "limit per second", "limit per minute",
    "limit per hour", 
    "backoff limit", "back off", "please wait", "a wait of", 
    "bandwidth limit", "limit exceeded for requests", "api limit exceeded", "api limit reached",
    "trop de requetes", "zu viele anfragen", "demasiadas solicitudes",
    "demasiadas peticiones", "muitas requisicoes", "muitas solicitacoes", "troppe richieste",
    
    
];

const THROTTLING: &[&str] = &[
    "limit exceeded", "limit reached", "limit has been reached", "exceeded the limit",
    "exceeded your limit", "quota", "exceeding of requests", "usage limit", "captcha",
    
];

const TRANSIENT: &[&str] = &[
    "econnreset", "econnrefused", "econnaborted", "etimedout", "esockettimedout",
    "ehostunreach", "enetunreach", "enetdown", "ehostdown", "epipe", "eai again", "enotconn",
    "enetreset", "connection refused", "connection reset", "connection aborted",
    "connection closed", "connection was closed", "connection lost", "connection dropped",
    "connection terminated", "connection termination", "connection timeout", "connect timeout",
    "connection attempts failed", "connection attempt timed", "connection failure",
    "connection has been closed", "connection was reset", "connection was forcibly",
    "connection interrupted", "connection broken", "connection unexpectedly",
    "connection is closed", "connection not available", "connection to the server",
    "connection error", "connect error", "connection ended", "connection establishment",
    "connection could not be", "connection broke", "connection went away",
    "closed the connection", "closed connection", "closed by the remote", "closed by remote",
    "closed by peer", "closed by the server", "reset by peer", "connect call failed",
    "reset before headers", "server closed", "server disconnected", "remote end closed",
    "remote host closed", "peer closed", "forcibly closed", "defunct connection",
    "bad connection", "lost connection", "lost the connection", "broken connection",
    "socket hang", "socket closed", "socket timeout", "socket timed", "socket disconnected",
    "socket connection", "hang up", "hung up", "broken pipe", "unexpected end of stream",
    "unexpected end of file", "eof", "premature close", "prematurely closed",
    "closed prematurely", "premature end", "incomplete read", "incomplete chunked",
    "chunked encoding error", "fetch failed", "network error", "networkerror",
    "network unreachable", 
    "network up", "no route to host",
    "host unreachable", "is unreachable", "server unreachable", "destination unreachable",
    "not reachable", "empty reply", "actively refused", "goaway", "go away", "stream closed",
    "stream reset", "stream error", "rst stream", "tls handshake", "ssl handshake",
    "handshake failed", "waiting for handshake", "handshake timeout", "violation of protocol",
    "could not connect", "couldnt connect", "cannot connect", "cant connect", "can not connect",
    "unable to connect", "failed to connect", "fail connecting", "failed connecting",
    "failed to establish", "failed to reach", "could not reach", "couldnt reach",
    "cannot reach", "cant reach", "unable to reach", "error connecting", "no connection could",
    "no connection established", "error sending request", "error trying to connect",
    "no hosts available", "no host available", "all connection", "temporary failure",
    "name resolution", "i o timeout", "err connection", "err network", "err internet",
    "err timed", "err empty", "err http 2", 
    "err address unreachable", "target closed",
    "target crashed", "page crashed", "page crash", "browser disconnected", "browser crashed",
    "max retries exceeded with url", "transport error", "transport closed",
    "transport is closing", "channel closed", "pipe closed", "pipe broken", "stdin closed",
    "operation canceled due to", "exchange failed", "i o error on", "remote protocol error",
    "protocol error connection", "read error", "write error", "ssl connection",
    "deadline exceeded", "deadline has elapsed", "deadline elapsed", "timed out", "timedout",
    "timeout error", "timeout exception", "timeout exceeded", "timeout expired", "timeout of",
    "timeout after", "timeout while", "timeout waiting", "timeout when", "timeout occurred",
    "timeout reached", "timeout elapsed", "request timeout", "gateway timeout",
    "gateway time out", "request time out", "read timeout", 
    
    
    "lock timeout", 
    "took too long",
    "taking too long", "time exceeded", "max execution time", "maximum execution time",
    "execution time limit", "the time limit", "not reply", "didnt reply", "execution expired",
    "not complete in time", "did not complete within", "did not finish", "not in time",
    "didnt respond", "not responding", "not respond", "no response from",
    "no response received", "no answer from", "did not answer", "didnt answer",
    "not answer in time", "due to timeout", "aborted due to", "no reply",
    "too many connections", "too many clients", "number of clients", "max clients",
    "max connections", "maximum connections", "connection limit", "connection slots",
    "too many sessions", "starting up", "is starting", "still starting", "being started",
    "booting", "initializing", "reconnecting", "not yet available", "not open yet",
    "not started yet", "not yet started", 
    "error establishing", "starting now", "shutting down", "restarting",
    "rebooting", "reloading", "is loading", "currently loading", "still loading",
    "loading the dataset", "leader changed", "not a leader", "not leader", "not the leader",
    "no leader", "no longer the leader", "leader election", "leadership election", "leader not",
    "not primary", "not master", "no primary", "no master", "master not discovered",
    "primary stepped", "not writable primary", "node is recovering", "in recovery",
    "recovery mode", "failover", "failing over", "database is locked", "table is locked",
    "sqlite busy", "database locked", "file is locked", "lock wait", "lock request",
    "obtain lock", "acquire lock", "acquire a lock", "acquiring the state lock",
    "lock acquisition", "unable to lock", "could not lock", "lock conflict", "is locked by",
    "write conflict", "could not serialize", "serialization failure", "restart transaction",
    "retry transaction", "concurrent update", "concurrent modification", "contention",
    "gone away", "administrator command", "admin shutdown", "transient error",
    "transient failure", "transient issue", "transient network", "resource busy",
    "exclusive access", "coordinator node timed", "unavailable exception",
    "brokers are down", "brokers down", "broker not available", "broker transport failure",
    "node is behind", "shard not available", "shards failed", "all shards",
    "no living connections", "no alive nodes", "rebalance in progress", "rebalancing",
    "clusterdown", "tryagain", "readonly you cant", "server selection",
    "topology is closed", "transaction aborted", "in progress exception",
    "operation in progress", "operation is in progress", "another operation",
    "request in progress", "connection exception", "no listener", "not currently",
    "currently unavailable", "over capacity", "at capacity", "capacity exceeded", "no capacity",
    "insufficient capacity", "sufficient capacity", "insufficient instance capacity",
    "out of capacity", "is busy", "server busy", "too busy", "are busy", "system busy",
    "currently busy", "service unavailable", "service temporarily", "service is unavailable",
    "service not available", "service is not available", "service currently",
    "temporarily unavailable", "temporarily not", "temporary unavailable", "temporarily down",
    "temporarily disabled", "temporarily offline", "temporarily busy", "temporary error",
    "temporary internal", "temporary problem", "temporary issue", "temporary server",
    "server unavailable", "backend unavailable", "upstream unavailable", "api unavailable",
    "endpoint unavailable", "model unavailable", "unavailable please",
    "currently not available", "not ready", "not yet ready", "warming up", "cold start",
    "waking up", "spinning up", "being provisioned", "no healthy", "no available server",
    "no server available", "upstream connect", "upstream error", "upstream request failed",
    "upstream server", "upstream prematurely", "backend error", "bad gateway", "proxy error",
    "gateway error", "server had an error", "server error", "server encountered",
    "encountered an internal error", "an internal error occurred", "server side error",
    "unknown error occurred please try", "under maintenance", "undergoing maintenance",
    "in maintenance", "maintenance mode", "maintenance window", "for maintenance",
    "scheduled maintenance", "down for", "again later", "later again", "try later",
    "retry later", "come back later", "check back later", "again shortly", "again soon",
    "again in a few", "again in a while", "after a while", "again in some time",
    "after some time", "a few seconds", "few minutes", "in a moment", "try again in",
    "retry in", "at this time", "at the moment", "high demand", "high load", "heavy load",
    "high traffic", "heavy traffic", "experiencing issues", "experiencing problems", "degraded",
    "outage", "institution down", "is down", "queue is full", "queue full", "pool exhausted",
    "pool is full", "queue pool limit", "worker lost", "no workers", "no available workers",
    "thread pool", "greylist", "greylisting", "maximum pending requests",
    "pending requests exceeded", "application failed to respond", "may have been placed",
    "function invocation failed",
    "is it running", "server running", "daemon running", "host or port",
    "accepting connections", "not accepting", "service starting", "temporairement", "plus tard",
    "delai depasse", "delai dattente", "delai dexpiration", "connexion refusee",
    "connexion perdue", "service indisponible", "serveur indisponible", "surcharge",
    "vorubergehend", "spater erneut", "spater noch", "zeituberschreitung", "zeitlimit",
    "nicht erreichbar", "nicht verfugbar", "verbindung verweigert", "verbindung abgelehnt",
    "verbindung unterbrochen", "verbindungsfehler", "wartungsarbeiten", "mas tarde",
    "tiempo de espera", "temporalmente", "no disponible", "conexion rechazada",
    "conexion perdida", "servidor ocupado", "sobrecargado", "mais tarde", "tente novamente",
    "temporariamente", "indisponivel", "tempo esgotado", "tempo limite", "conexao recusada",
    "sobrecarregado", "piu tardi", "temporaneamente", "non disponibile", "tempo scaduto",
    "connessione rifiutata", 
    
    
];

const WANTING: &[&str] = &[
    "failed to fetch", "not connected", "yet", "resubmit", "unspecified error",
    "general exception", "timeout", "timeouts", "time out", "http error", "unavailable",
    "not available", "busy", "temporary", "temporarily", "transient", "internal error",
    "error internal", "please retry", "try again", "something went wrong", "system error",
    "enotfound", "getaddrinfo", "could not resolve host", "unknown host", "unknown error",
    "abort error", "aborted", "disconnected", "unreachable", "connection failed",
    "connection problem", "network", "socket", "offline", "no response", "empty response",
    "maintenance", "service error", "ssl error", "dial tcp", "interrupted", "cancelled due",
    "canceled due", "loading", "starting", "retries exhausted", "exhausted retries",
    "max retries", "maximum retries", "retry limit exceeded", "crashed", "stopped unexpectedly",
    "exited unexpectedly", "did not return", "unstable", "no server",
];

const FAMILIES_LEN: usize = {
    let (mut len, mut family) = (0, 0);
    while family < FAMILIES.len() {
        len += FAMILIES[family].1.len();
        family += 1;
    }
    len
};

const fn packed() -> [[u8; 5]; FAMILIES_LEN] {
    let rules = sorted();
    let mut packed = [[0; 5]; FAMILIES_LEN];
    let mut place = 0;
    while place < FAMILIES_LEN {
        let [a, b, c, d, mark, ..] = rules[place].to_be_bytes();
        packed[place] = [a, b, c, d, mark];
        place += 1;
    }
    packed
}

/// Merged from runs of one, two, four, and so on.
const fn sorted() -> [u64; FAMILIES_LEN] {
    let mut rules = [0; FAMILIES_LEN];
    let (mut len, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let phrases = FAMILIES[family].1;
        let mut phrase = 0;
        while phrase < phrases.len() {
            rules[len] = rule(phrases[phrase], family as u64);
            len += 1;
            phrase += 1;
        }
        family += 1;
    }
    let mut width = 1;
    while width < len {
        rules = merged(&rules, width);
        width *= 2;
    }
    rules
}

const fn rule(phrase: &str, family: u64) -> u64 {
    let bytes = phrase.as_bytes();
    let (mut sum, mut at, mut words) = (EMPTY, 0, 1);
    while at < bytes.len() {
        sum = hash(sum, bytes[at]);
        words += (bytes[at] == b' ') as usize;
        at += 1;
    }
    assert!(words <= MOST_WORDS, "a phrase has too many words");
    sum & !0xffff_ffff | family << 24
}

/// Every two neighbouring runs of this width, which are in order, as one that is.
const fn merged(rules: &[u64; FAMILIES_LEN], width: usize) -> [u64; FAMILIES_LEN] {
    let mut next = *rules;
    let mut start = 0;
    while start < FAMILIES_LEN {
        let middle = at_most(start + width, FAMILIES_LEN);
        let end = at_most(start + 2 * width, FAMILIES_LEN);
        let (mut left, mut right, mut to) = (start, middle, start);
        while to < end {
            let from_right = left == middle || (right < end && rules[right] < rules[left]);
            next[to] = if from_right { rules[right] } else { rules[left] };
            if from_right {
                right += 1;
            } else {
                left += 1;
            }
            to += 1;
        }
        start = end;
    }
    next
}

const fn at_most(number: usize, most: usize) -> usize {
    if number < most { number } else { most }
}

/// Words that begin like this, whatever their ending.
pub(crate) const STEMS: [(&str, Mark); 9] = [
    ("throttl", Throttled),
    ("ratelimit", Throttled),
    ("overload", Transient),
    ("uberlast", Transient),
    ("deadlock", Transient),
    ("unauthor", Fault),
    ("unsupport", Permanent),
    ("unrecogni", Fault),
    ("unprocess", Permanent),
];

/// What is said in other scripts, where words have no spaces between them or
/// endings of their own: looked for as it stands. Chinese, Japanese, Korean,
/// Russian and Ukrainian (in lower case).
pub(crate) static SCRIPTS: [(Mark, &str); 5] = [
    (
        Permanent,
        "不存在|未找到|找不到|无效|無效|没有权限|无权|權限|权限不足|参数|參數|必须|必填|不支持|未授权|已存在|不能为空|格式错误|登录|已过期|見つかりません|存在しません|無効|必須|権限|不正|指定してください|찾을 수 없|존재하지|유효하지|권한|잘못된|필수|не найден|не существует|недействит|неверн|доступ запрещ|нет доступа|должн|обязательн",
    ),
    (
        Spent,
        "余额不足|餘額不足|欠费|充值|额度|今日|当日|每日|本月|已用完|用尽",
    ),
    (
        Throttled,
        "过于频繁|过于頻繁|過於頻繁|太频繁|频率|频次|頻率|限流|限速|速率|并发|请求过多|請求過多|请求太多|次数过多|上限に達|リクエスト数|リクエストが多|リクエスト制限|レート制限|너무 많|요청 한도|호출 한도|요청이 많|слишком много запрос|превышен лимит запрос|лимит запрос|слишком часто",
    ),
    (
        Transient,
        "稍后|稍後|繁忙|超时|逾時|超時|暂时|暫時|不可用|网络异常|网络错误|连接失败|连接被|维护|維護|服务器错误|服务异常|系统异常|过载|しばらく|集中して|混雑|混み合|一時的|タイムアウト|メンテナンス|接続できません|接続に失敗|時間切れ|잠시 후|일시적|시간 초과|시간이 초과|점검|연결할 수 없|과부하|временно|позже|пізніше|тайм-аут|таймаут|время ожидания|перегружен|недоступен|недоступна|не отвечает",
    ),
    (
        Wanting,
        "重试|网络连接|内部错误|利用できません|соединение",
    ),
];
