//! The demo's timeline as a page.

use std::fmt::Write;

use host_harness::report::{Page, escaped};

use crate::demo::timeline::Event;

/// A scene that was played.
#[derive(Debug)]
pub struct Played {
    pub title: &'static str,
    pub events: Vec<Event>,
    /// How it ended, in words.
    pub ending: String,
    /// Whether all went as it should.
    pub right: bool,
}

const STYLE: &str = "<style>
.track { display: flex; gap: 2px; height: 1.6rem; margin: .6rem 0; }
.track span { min-width: 3px; border-radius: 3px; }
.ok { background: var(--line-5); }
.bad { background: var(--line-6); }
.pause { background: repeating-linear-gradient(45deg, var(--rule) 0 4px, transparent 4px 8px); border: 1px solid var(--rule); }
.scene { margin-bottom: 1rem; }
.scene td:last-child { white-space: normal; }
</style>";

const LEGEND: &str = "<ul class=\"legend\"><li><span class=\"key ok\"></span>an attempt that succeeded</li>\
    <li><span class=\"key bad\"></span>an attempt that failed</li>\
    <li><span class=\"key pause\"></span>the gateway waits</li></ul>";

/// One self-contained page.
pub fn page(played: &[Played], about: &str) -> String {
    let title = "Retries as they happened";
    let mut page = Page::new(title, about);
    page.push(STYLE);
    page.push(LEGEND);
    for scene in played {
        page.push(&html(scene));
    }
    page.html(title)
}

fn html(scene: &Played) -> String {
    let mut track = String::new();
    let mut rows = String::new();
    for event in &scene.events {
        match event {
            Event::AttemptEnded { number, outcome, failed, took } => {
                let (class, millis) = (if *failed { "bad" } else { "ok" }, took.as_millis());
                let outcome = escaped(outcome);
                let _ = write!(
                    track,
                    "<span class=\"{class}\" style=\"flex-grow:{}\" title=\"attempt {number}: {outcome}, {millis} ms\"></span>",
                    millis.max(1)
                );
                let _ = write!(
                    rows,
                    "<tr><th scope=\"row\">attempt {number}: {outcome}</th><td>{millis} ms</td><td>"
                );
            }
            Event::Waiting { reason, delay_ms, ceiling_ms } => {
                let _ = write!(
                    track,
                    "<span class=\"pause\" style=\"flex-grow:{delay_ms}\" title=\"waits {delay_ms} ms\"></span>"
                );
                let reason = escaped(reason);
                let _ =
                    write!(rows, "{reason}; waits {delay_ms} ms of at most {ceiling_ms}</td></tr>");
            }
            Event::Finished { stop, .. } => {
                let _ = write!(rows, "{}</td></tr>", escaped(stop));
            }
        }
    }
    let (title, ending) = (escaped(scene.title), escaped(&scene.ending));
    let mark = if scene.right { "✓" } else { "✗ not as it should be:" };
    format!(
        "<figure class=\"scene\"><figcaption>{title} <small>{mark} {ending}</small></figcaption>\
         <div class=\"track\" role=\"img\" aria-label=\"{title}: {ending}\">{track}</div>\
         <div class=\"wide\"><table><tbody>{rows}</tbody></table></div></figure>"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_attempt_and_wait_is_drawn_and_told() {
        let attempt = |number, failed| Event::AttemptEnded {
            number,
            outcome: "status <503>".to_owned(),
            failed,
            took: Duration::from_millis(12),
        };
        let events = vec![
            attempt(1, true),
            Event::Waiting { reason: "the status is worth a retry", delay_ms: 30, ceiling_ms: 40 },
            attempt(2, false),
            Event::Finished {
                attempts: 2,
                stop: "succeeded".to_owned(),
                end: None,
                took: Duration::from_millis(54),
            },
        ];
        let ending = "recovered after 2 attempts".to_owned();
        let page = page(&[Played { title: "once", events, ending, right: true }], "about");
        assert_eq!(page.matches("<span class=\"bad\"").count(), 1);
        assert_eq!(page.matches("<span class=\"ok\"").count(), 1);
        assert!(page.contains("waits 30 ms of at most 40") && page.contains("✓ recovered"));
        assert!(page.contains("&lt;503&gt;") && !page.contains("<503>"));
        assert_eq!(page.matches("<tr>").count(), page.matches("</tr>").count());
    }
}
