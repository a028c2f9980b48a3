use std::path::{Path, PathBuf};

use super::{Code, Config, ConfigError};
use crate::{
    chain::Condition,
    gateway::Hook,
    mcp::{Prefixes, Target},
    rotating::Rotation,
    sandbox::FailPolicy,
};

fn read(text: &str) -> Result<Config, ConfigError> {
    let environment = |name: &str| (name == "TOKEN").then(|| "secret".to_owned());
    Config::from_text(text, Path::new("/etc/gateway"), &environment)
}

fn complaint(text: &str) -> String {
    read(text).expect_err("a wrong configuration").to_string()
}

#[test]
fn the_entry_of_the_original_is_taken_as_it_stands() {
    let config = read(
        r#"
upstreams:
  search: { command: [server, --flag] }
plugins:
  - name: "RetryWithBackoffPlugin"
    kind: "plugins.retry_with_backoff.retry_with_backoff.RetryWithBackoffPlugin"
    description: "Exponential backoff"
    version: "0.1.0"
    author: "ContextForge Contributors"
    hooks: ["tool_post_invoke", "resource_post_fetch"]
    tags: ["reliability", "retry"]
    mode: "enforce"
    priority: 60
    conditions:
      - server_ids: ["search"]
        tenant_ids: []
        tools: ["find"]
    config:
      max_retries: 2
      retry_on_status: [429, 503]
      tool_overrides: { slow: { max_retries: 4 } }
  - { name: off, kind: retry-with-backoff, mode: disabled }
  - { name: last, kind: wasm://mine.wasm }
  - { name: first, kind: wasm:///opt/first.wasm, hooks: [tool_post_invoke], priority: 1 }
"#,
    )
    .expect("a good configuration");
    let names: Vec<_> = config.plugins.iter().map(|plugin| &*plugin.name).collect();
    assert_eq!(names, ["first", "RetryWithBackoffPlugin", "last"]);
    let [first, original, last] = &config.plugins[..] else { panic!("three plugins") };
    assert_eq!(first.code, Code::File(PathBuf::from("/opt/first.wasm")));
    assert_eq!(first.hooks, [Hook::ToolPostInvoke]);
    assert_eq!(last.code, Code::File(PathBuf::from("/etc/gateway/mine.wasm")));
    assert_eq!((&*last.config, &last.conditions), ("null", &vec![]));
    assert_eq!((&original.code, &*original.path), (&Code::Bundled, "plugins[0]"));
    let expected = r#"{"max_retries":2,"retry_on_status":[429,503],"tool_overrides":{"slow":{"max_retries":4}}}"#;
    assert_eq!(original.config, expected);
    let (upstreams, tools) = (vec!["search".to_owned()], vec!["find".to_owned()]);
    assert_eq!(original.conditions, [Condition { upstreams, tools, resources: vec![] }]);
}

#[test]
fn what_becomes_of_a_call_is_for_the_operator_to_say_and_nothing_is_lost_by_default() {
    let config = read(
        r#"
upstreams: { a: { command: [x] } }
plugins:
  - { name: enforce, kind: retry-with-backoff, mode: enforce }
  - { name: former, kind: retry-with-backoff, mode: enforce_ignore_error, on_error: fail }
  - { name: present, kind: retry-with-backoff, mode: sequential, on_error: ignore }
  - { name: transform, kind: retry-with-backoff, mode: transform, on_error: disable }
  - { name: audit, kind: retry-with-backoff, mode: audit, on_error: reload }
"#,
    )
    .expect("a good configuration");
    let told = config
        .plugins
        .iter()
        .map(|plugin| (plugin.on_error.fail_policy(), plugin.on_error.replacement().strikes));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (FailPolicy::Open, 10),
            (FailPolicy::Closed, 10),
            (FailPolicy::Open, 10),
            (FailPolicy::Open, 1),
            (FailPolicy::Reload, 10),
        ]
    );
    let told = complaint(
        r#"
upstreams: { a: { command: [x] } }
plugins:
  - { name: one, kind: retry-with-backoff, mode: fire_and_forget }
  - { name: two, kind: retry-with-backoff }
  - { name: two, kind: retry-with-backoff, mode: disabled }
  - { name: two, kind: retry-with-backoff }
"#,
    );
    let paths: Vec<_> = told.lines().map(|line| line.split(": ").next().expect("a path")).collect();
    assert_eq!(paths, ["plugins[0].mode", "plugins[3].name"], "{told}");
}

#[test]
fn every_problem_is_told_with_its_path() {
    let told = complaint(
        r#"
upstreams:
  "a b": { command: [x], headers: { X: y } }
  web: { url: "ftp://x", headers: { "bad name": x, Authorization: "${NONE}" }, pass_headers: ["é"] }
  both: { url: "http://localhost/", command: [x] }
otlp: { endpoint: "localhost:4318" }
plugins:
  - name: other
    kind: plugins.pii_filter.PIIFilter
    hooks: [tool_pre_invoke]
    conditions: [{ tools: [a] }, { tenant_ids: [t], user_patterns: [u] }]
"#,
    );
    let paths: Vec<_> = told.lines().map(|line| line.split(": ").next().expect("a path")).collect();
    assert_eq!(
        paths,
        [
            "upstreams.a b",
            "upstreams.a b",
            "upstreams.both",
            "upstreams.web.headers.Authorization",
            "upstreams.web.headers.bad name",
            "upstreams.web.pass_headers[0]",
            "upstreams.web.url",
            "otlp.endpoint",
            "plugins[0].kind",
            "plugins[0].hooks[0]",
            "plugins[0].conditions[1].tenant_ids",
            "plugins[0].conditions[1].user_patterns",
        ],
        "{told}"
    );
    assert!(told.contains("there is no variable `NONE` in the environment"), "{told}");
    assert_eq!(complaint("upstreams: {}"), "upstreams: must name at least one server");
}

#[test]
fn a_wrong_shape_is_told_with_its_place() {
    for (text, told) in [
        ("upstreams: [", "1:12: upstreams: expected mapping start"),
        (
            "upstreams:\n  a:\n    comand: [x]\n",
            "3:5: upstreams.a.comand: unknown field `comand`, expected one of url, headers, pass_headers, command, env, cwd, trust, idempotency_keys, tool_prefix, prompt_prefix",
        ),
        (
            "upstreams:\n  a:\n    command: x\n",
            "3:14: upstreams.a.command: expected sequence start",
        ),
        (
            "limits: { deadline_ms: 0 }",
            "1:11: limits.deadline_ms: invalid value: integer `0`, expected a nonzero u64",
        ),
        (
            "listen: localhost",
            "1:9: listen: `localhost` is not an address to listen at: it must be an address and a port, such as `127.0.0.1:8080`, or a port",
        ),
        (
            "plugins: [{ name: x, kind: y, mode: strict }]",
            "1:37: plugins[0].mode: unknown variant `strict`, expected one of audit, concurrent, enforce, enforce_ignore_error, permissive, sequential, transform, fire_and_forget, disabled",
        ),
    ] {
        assert_eq!(complaint(text), told);
    }
    let unknown = complaint("upstream: {}");
    assert!(unknown.starts_with("1:1: upstream: unknown field `upstream`"), "{unknown}");
}

#[test]
fn prefixes_are_those_of_names_and_each_upstream_has_its_own() {
    let told = complaint(
        r#"
upstreams:
  a: { command: [x], tool_prefix: "a b" }
  b: { command: [x], tool_prefix: "", prompt_prefix: "é" }
"#,
    );
    let paths: Vec<_> = told.lines().map(|line| line.split(": ").next().expect("a path")).collect();
    assert_eq!(
        paths,
        ["upstreams.a.tool_prefix", "upstreams.b.tool_prefix", "upstreams.b.prompt_prefix"],
        "{told}"
    );
    let same = complaint(
        r#"
upstreams:
  a: { command: [x], tool_prefix: p_, prompt_prefix: a_ }
  b: { command: [x] }
  c: { command: [x], tool_prefix: p_, prompt_prefix: c_ }
"#,
    );
    assert_eq!(same, "upstreams.c.tool_prefix: `p_` is that of `a` already; give each its own");
    let good =
        read("upstreams: { a: { command: [x], tool_prefix: a.b-C_1 }, b: { command: [y] } }");
    let good = good.expect("a good configuration, also without `listen`");
    assert_eq!(good.upstreams["a"].prefixes.tools.as_deref(), Some("a.b-C_1"));
    assert_eq!(good.upstreams["b"].prefixes, Prefixes::default());
}

#[test]
fn headers_take_secrets_from_the_environment_and_never_show_them() {
    let config = read(
        r#"upstreams: { web: { url: "https://example.com/mcp", headers: { Authorization: "Bearer ${TOKEN}" } } }"#,
    )
    .expect("a good configuration");
    assert!(matches!(config.upstreams["web"].target, Target::Url(_)));
    let shown = format!("{config:?}");
    assert!(!shown.contains("secret") && shown.contains("Sensitive"), "{shown}");
}

#[test]
fn every_limit_goes_where_it_belongs() {
    use std::time::Duration;

    let config = read(
        "
upstreams: { a: { command: [x] } }
limits:
  max_tool_retries: 1
  attempt_timeout_ms: 2
  deadline_ms: 3
  cancel_wait_ms: 4
  max_message_bytes: 5
  max_body_bytes: 6
  read_timeout_ms: 7
  max_requests: 8
  max_sessions: 9
  session_idle_ms: 10
  drain_ms: 11
  max_header_bytes: 12
  write_timeout_ms: 13
  max_connections: 14
  max_unread_bytes: 15
  initialize_timeout_ms: 16
  max_listed: 17
  max_listed_bytes: 18
",
    )
    .expect("a good configuration");
    let (limits, ms) = (config.general.limits, Duration::from_millis);
    let calls = limits.of_calls();
    assert_eq!((calls.max_tool_retries, calls.cancel_wait), (1, ms(4)));
    assert_eq!((calls.attempt_timeout, calls.deadline), (Some(ms(2)), Some(ms(3))));
    assert_eq!(limits.of_messages(), 5);
    let lists = limits.of_lists();
    assert_eq!((lists.max_listed, lists.max_listed_bytes), (17, 18));
    let front = limits.of_the_front();
    assert_eq!((front.max_body_bytes, front.read_timeout), (6, ms(7)));
    assert_eq!((front.max_requests, front.max_sessions), (8, Some(9)));
    assert_eq!((front.session_idle, front.drain), (ms(10), ms(11)));
    assert_eq!((front.max_header_bytes, front.write_timeout), (12, ms(13)));
    assert_eq!((front.max_connections, front.max_unread_bytes), (14, 15));
    assert_eq!(front.initialize_timeout, ms(16));
}

#[test]
fn a_limit_of_nothing_is_refused_where_it_would_serve_nobody() {
    for key in [
        "max_body_bytes",
        "max_header_bytes",
        "max_message_bytes",
        "max_unread_bytes",
        "max_connections",
        "max_requests",
        "max_sessions",
        "read_timeout_ms",
        "write_timeout_ms",
        "initialize_timeout_ms",
    ] {
        let text = format!("upstreams: {{ a: {{ command: [x] }} }}\nlimits: {{ {key}: 0 }}");
        let told = read(&text).expect_err("a limit of nothing").to_string();
        assert!(told.starts_with("2:") && told.contains(&format!("limits.{key}: ")), "{told}");
        assert!(told.contains("nonzero"), "{told}");
    }
    for text in ["drain_ms: 0", "cancel_wait_ms: 0", "max_tool_retries: 0"] {
        let text = format!("upstreams: {{ a: {{ command: [x] }} }}\nlimits: {{ {text} }}");
        read(&text).expect("it means that there is no time, or no retry");
    }
}

#[test]
fn headers_that_belong_to_the_connection_or_the_gateway_are_neither_passed_nor_set() {
    let web = |keys: &str| {
        read(&format!(r#"upstreams: {{ web: {{ url: "https://example.com/mcp", {keys} }} }}"#))
    };
    for name in ["Connection", "transfer-encoding", "TE", "keep-alive", "content-length", "upgrade"]
    {
        for (keys, place) in [
            (format!("pass_headers: [x-user, {name}]"), "upstreams.web.pass_headers[1]".to_owned()),
            (format!("headers: {{ {name}: a }}"), format!("upstreams.web.headers.{name}")),
        ] {
            let told = web(&keys).expect_err("a header of the connection").to_string();
            assert!(told.starts_with(&place) && told.contains("connection"), "{told}");
        }
    }
    // The gateway has its own of these.
    for name in ["host", "mcp-session-id", "accept-encoding", "content-type"] {
        let told = web(&format!("pass_headers: [{name}]")).expect_err("its own").to_string();
        assert!(told.contains(&format!("`{name}`")) && told.contains("gateway"), "{told}");
    }
    web("pass_headers: [authorization, cookie], headers: { host: other.example }").expect("good");
}

#[test]
fn a_name_that_is_no_part_of_a_url_is_refused() {
    for name in [".", "..", "...", "a/b", "ä", &"n".repeat(129)] {
        let told = complaint(&format!("upstreams: {{ \"{name}\": {{ command: [x] }} }}"));
        assert!(told.starts_with(&format!("upstreams.{name}: the name must")), "{told}");
    }
    for name in [".a", "a..b", &"n".repeat(128)] {
        read(&format!("upstreams: {{ \"{name}\": {{ command: [x] }} }}")).expect("a good name");
    }
}

#[test]
fn the_log_of_calls_is_in_the_folder_of_the_file_and_has_bounds() {
    let traced = |keys: &str| {
        let config = read(&format!("upstreams: {{ a: {{ command: [x] }} }}\n{keys}"))?;
        Ok::<_, ConfigError>(config.general.trace)
    };
    assert_eq!(traced("").expect("good"), None);
    let file = PathBuf::from("/etc/gateway/calls.jsonl");
    let rotation = Rotation::default();
    assert_eq!((rotation.max_bytes.get(), rotation.files.get()), (64 << 20, 4));
    assert_eq!(traced("trace: { file: calls.jsonl }").expect("good"), Some((file, rotation)));
    let (path, rotation) = traced("trace: { file: /var/log/c, max_bytes: 1000, files: 1 }")
        .expect("good")
        .expect("one");
    assert_eq!(
        (path, rotation.max_bytes.get(), rotation.files.get()),
        ("/var/log/c".into(), 1_000, 1)
    );
    for wrong in ["trace: {}", "trace: { file: c, files: 0 }", "trace: { file: c, max_bytes: 0 }"] {
        let told = traced(wrong).expect_err("wrong").to_string();
        assert!(told.contains("trace"), "{told}");
    }
}

#[test]
fn idempotency_keys_are_pointers_with_or_without_a_pattern_of_tools() {
    let of = |keys: &str| {
        read(&format!("upstreams: {{ a: {{ command: [x], idempotency_keys: {keys} }} }}"))
    };
    let keys = |text| of(text).expect("good").upstreams["a"].idempotency_keys.clone();
    let arguments = Some(r#"{"id":"1"}"#);
    assert!(keys(r#"["/other", "pay*:/id"]"#).are_in("payment", arguments));
    assert!(!keys(r#"["pay*:/id"]"#).are_in("send", arguments));
    assert!(!keys("[]").are_in("payment", arguments));
    let told = of(r#"["/id", "id"]"#).expect_err("wrong").to_string();
    assert!(told.starts_with("upstreams.a.idempotency_keys[1]: must be a JSON Pointer"), "{told}");
}

#[test]
fn a_command_has_an_environment_and_a_folder_and_a_url_has_neither() {
    let of = |entry: &str| read(&format!("upstreams: {{ a: {{ {entry} }} }}"));
    let good = of("command: [x, -y], env: { KEY: \"${TOKEN}!\" }, cwd: /srv").expect("good");
    let Target::Command(command) = &good.upstreams["a"].target else { panic!("a command") };
    assert_eq!(command.words, ["x", "-y"]);
    assert_eq!(command.environment, [("KEY".into(), "secret!".into())]);
    assert_eq!(command.folder.as_deref(), Some(std::path::Path::new("/srv")));
    for (entry, told) in [
        ("command: [x], env: { KEY: \"${NOBODY}\" }", "upstreams.a.env.KEY: "),
        ("command: [x], env: { \"A=B\": c }", "upstreams.a.env.A=B: no environment"),
        ("url: \"http://localhost/\", cwd: /srv", "upstreams.a: `env` and `cwd`"),
    ] {
        let refused = complaint(&format!("upstreams: {{ a: {{ {entry} }} }}"));
        assert!(refused.contains(told), "{refused}");
    }
}
