//! A page that is one file: no script, no font, no picture from elsewhere.

use std::fmt::Write;

use super::colours::LOOKS;

const STYLE: &str = include_str!("page.css");

/// Text as it may stand in HTML.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A page in the making.
#[derive(Debug, Default)]
pub struct Page {
    body: String,
}

impl Page {
    /// A page with this heading and a paragraph below it.
    #[must_use]
    pub fn new(title: &str, lead: &str) -> Self {
        let mut page = Self::default();
        page.push(&format!("<h1>{}</h1>", escaped(title)));
        if !lead.is_empty() {
            page.push(&format!("<p class=\"lead\">{}</p>", escaped(lead)));
        }
        page
    }

    /// Adds HTML as it is.
    pub fn push(&mut self, html: &str) {
        self.body.push_str(html);
        self.body.push('\n');
    }

    /// A heading within the page.
    pub fn heading(&mut self, text: &str) {
        self.push(&format!("<h2>{}</h2>", escaped(text)));
    }

    /// A table. The first column is text, the others are numbers; rows hold HTML.
    pub fn table(&mut self, caption: &str, head: &[String], rows: &[Vec<String>]) {
        let mut html = String::from("<div class=\"wide\"><table>");
        let _ = write!(html, "<caption>{}</caption><thead><tr>", escaped(caption));
        for cell in head {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(cell));
        }
        html.push_str("</tr></thead><tbody>");
        for row in rows {
            html.push_str("<tr>");
            for (index, cell) in row.iter().enumerate() {
                let _ = match index {
                    0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                    _ => write!(html, "<td>{cell}</td>"),
                };
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table></div>");
        self.push(&html);
    }

    /// The whole file.
    #[must_use]
    pub fn html(&self, title: &str) -> String {
        let colours = |dark: bool| {
            let line = |(index, look): (usize, &super::colours::Look)| {
                format!("--line-{index}:{};", if dark { look.dark } else { look.light })
            };
            LOOKS.iter().enumerate().map(line).collect::<String>()
        };
        let (title, style, body) = (escaped(title), STYLE, &self.body);
        let (light, dark) = (colours(false), colours(true));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n:root{{{light}}}\n\
             @media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n{style}</style>\n\
             </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}
