//! The pages: the matrix, and one for each case.

use super::{Column, Shown};
use crate::again;
use crate::case::{Case, sections};
use crate::requirement::texts;
use crate::target::Protocol;
use crate::transcript::{Direction, Event, dump_rows};

/// Where the page of a case is.
pub(super) fn file(id: &str) -> String {
    // What stands in an id beside these is no name of a file everywhere.
    let name: String = id
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("case/{name}.html")
}

/// Text in HTML, in attributes too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn page(title: &str, root: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<link rel=\"stylesheet\" href=\"{root}style.css\">\n\
         <body>\n{body}<footer>Made by mqspec {}.</footer>\n</body>\n</html>\n",
        escape(title),
        env!("CARGO_PKG_VERSION"),
    )
}

/// The versions, by what the ids of their cases begin with, in the order of the
/// matrix.
const VERSIONS: [(Protocol, &str, &str); 7] = [
    (Protocol::Amqp, "amqp", "AMQP 0-9-1"),
    (Protocol::Mqtt, "mqtt5", "MQTT 5.0"),
    (Protocol::Mqtt, "mqtt311", "MQTT 3.1.1"),
    (Protocol::Mqtt, "mqtt31", "MQTT 3.1"),
    (Protocol::Stomp, "stomp12", "STOMP 1.2"),
    (Protocol::Stomp, "stomp11", "STOMP 1.1"),
    (Protocol::Stomp, "stomp10", "STOMP 1.0"),
];

fn is_of(case: &Case, version: &str) -> bool {
    case.id.split('/').next() == Some(version)
}

/// The matrix: a summary, and a table for each version of a protocol. What no
/// report has asked is left out.
// Writing into a string does not fail.
pub(super) fn index(columns: &[Column]) -> String {
    let mut body = String::from("<header><h1>Brokers by requirements</h1>\n<p class=\"legend\">");
    for shown in Shown::ALL {
        body.push_str(&format!(
            "<span><i class=\"cell {}\">{}</i> {}</span>",
            shown.class(),
            shown.mark(),
            shown.words()
        ));
    }
    body.push_str(
        "</p></header>\n<div class=\"tools\"><input id=\"find\" type=\"search\" \
         placeholder=\"Part of an id or title\" aria-label=\"Find\">\
         <label><input id=\"unequal\" type=\"checkbox\"> Only where a broker does not pass</label>\
         <nav>",
    );
    let present: Vec<_> = VERSIONS
        .iter()
        .filter(|(_, version, _)| {
            let asked = |id: &String| id.split('/').next() == Some(*version);
            columns.iter().any(|column| column.cases.keys().any(asked))
        })
        .collect();
    for (_, version, title) in &present {
        body.push_str(&format!("<a href=\"#{version}\">{title}</a>"));
    }
    body.push_str("</nav></div>\n<main>\n");
    summary(&mut body, columns, &present);
    for (protocol, version, title) in present {
        body.push_str(&format!("<h2 id=\"{version}\">{title}</h2>\n<table class=\"matrix\"><thead><tr><th>Rule and question</th><th>Level</th>"
        ));
        for column in columns {
            body.push_str(&format!(
                "<th class=\"broker\"><span>{}</span></th>",
                escape(&column.name)
            ));
        }
        body.push_str("</tr></thead>\n");
        for section in sections().filter(|section| section.protocol == *protocol) {
            let rows: Vec<_> = section
                .cases
                .iter()
                .filter(|case| is_of(case, version))
                .filter(|case| {
                    columns
                        .iter()
                        .any(|column| column.cases.contains_key(case.id))
                })
                .collect();
            if rows.is_empty() {
                continue;
            }
            body.push_str(&format!(
                "<tbody><tr class=\"section\"><th colspan=\"{}\">{}</th></tr>\n",
                columns.len() + 2,
                escape(section.title)
            ));
            for case in rows {
                row(&mut body, case, columns);
            }
            body.push_str("</tbody>\n");
        }
        body.push_str("</table>\n");
    }
    body.push_str("</main>\n<script src=\"filter.js\"></script>\n");
    page("mqspec: brokers by requirements", "", &body)
}

/// How many cases came out how, for each broker and version.
fn summary(body: &mut String, columns: &[Column], present: &[&(Protocol, &str, &str)]) {
    body.push_str("<table class=\"summary\"><thead><tr><th>Broker</th>");
    for (_, _, title) in present {
        body.push_str(&format!("<th>{title}</th>"));
    }
    body.push_str("</tr></thead><tbody>\n");
    for column in columns {
        let announced: Vec<_> = column
            .document
            .brokers
            .iter()
            .flat_map(|broker| &broker.says)
            .map(|line| escape(line))
            .collect();
        body.push_str(&format!(
            "<tr><th title=\"{}\">{}</th>",
            announced.join("&#10;"),
            escape(&column.name)
        ));
        for (_, version, _) in present {
            let of_version = |case: &&Case| is_of(case, version);
            let cases: Vec<_> = sections()
                .flat_map(|section| section.cases)
                .filter(of_version)
                .map(|case| Shown::of(column.cases.get(case.id)))
                .filter(|shown| *shown != Shown::NotAsked)
                .collect();
            if cases.is_empty() {
                body.push_str("<td class=\"absent\">not asked</td>");
                continue;
            }
            // Left out as a whole: the broker does not offer this version.
            if cases.iter().all(|shown| *shown == Shown::NotApplicable) {
                body.push_str("<td class=\"absent\">not offered</td>");
                continue;
            }
            body.push_str("<td><div class=\"bar\">");
            let mut words = Vec::new();
            for shown in Shown::ALL {
                let count = cases.iter().filter(|other| **other == shown).count();
                if count > 0 {
                    body.push_str(&format!(
                        "<i class=\"{}\" style=\"flex-grow:{count}\"></i>",
                        shown.class()
                    ));
                    words.push(format!(
                        "<b class=\"{}\">{count} {}</b>",
                        shown.class(),
                        shown.mark()
                    ));
                }
            }
            body.push_str(&format!("</div>{}</td>", words.join(" ")));
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody></table>\n");
}

fn row(body: &mut String, case: &Case, columns: &[Column]) {
    let shown: Vec<_> = columns
        .iter()
        .map(|column| Shown::of(column.cases.get(case.id)))
        .collect();
    let harmless =
        |shown: &Shown| matches!(shown, Shown::Pass | Shown::NotApplicable | Shown::NotAsked);
    body.push_str(&format!(
        "<tr{}><th><a href=\"{}\">{}</a><small>{}</small></th><td class=\"level\">{}</td>",
        if shown.iter().all(harmless) {
            " class=\"equal\""
        } else {
            ""
        },
        file(case.id),
        escape(case.title),
        escape(case.id),
        case.level,
    ));
    for (at, (column, shown)) in columns.iter().zip(&shown).enumerate() {
        let known = column
            .cases
            .get(case.id)
            .is_some_and(|report| report.status == "known");
        body.push_str(&format!(
            "<td><a class=\"cell {}{}\" href=\"{}#{at}\" title=\"{}: {}\">{}</a></td>",
            shown.class(),
            if known { " known" } else { "" },
            file(case.id),
            escape(&column.name),
            shown.words(),
            shown.mark(),
        ));
    }
    body.push_str("</tr>\n");
}

/// What a case asks, and what each broker did.
pub(super) fn case(case: &Case, columns: &[Column]) -> String {
    let mut body = format!(
        "<header><p><a href=\"../index.html\">Brokers by requirements</a></p>\
         <h1>{}</h1>\n<p><code>{}</code></p></header>\n<main class=\"case\">\n\
         <dl><dt>Rule</dt><dd>{} {}</dd>",
        escape(case.title),
        escape(case.id),
        case.level,
        escape(case.rule)
    );
    for requirement in texts(case) {
        body.push_str(&format!(
            "<dt>Requires</dt><dd>{} {} <small>(section {})</small></dd>",
            requirement.level,
            escape(requirement.text),
            escape(requirement.section)
        ));
    }
    body.push_str(&format!(
        "<dt>Ask again</dt><dd><code>{}</code></dd></dl>\n",
        escape(&again::command(case.id, &again::Options::default(), "URL"))
    ));
    for (at, column) in columns.iter().enumerate() {
        let report = column.cases.get(case.id);
        let shown = Shown::of(report);
        body.push_str(&format!(
            "<section id=\"{at}\"><h2><i class=\"cell {}\">{}</i> {} <small>{}</small></h2>",
            shown.class(),
            shown.mark(),
            escape(&column.name),
            shown.words()
        ));
        let Some(report) = report else {
            body.push_str("</section>\n");
            continue;
        };
        body.push_str("<dl>");
        for (name, text) in [
            ("Expected", &report.expected),
            ("Seen", &report.seen),
            ("Because", &report.because),
            ("Known", &report.note),
        ] {
            if let Some(text) = text {
                body.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", escape(text)));
            }
        }
        body.push_str("</dl>");
        transcript(&mut body, &report.transcript);
        body.push_str("</section>\n");
    }
    body.push_str("</main>\n");
    page(&format!("{}: mqspec", case.id), "../", &body)
}

fn transcript(body: &mut String, events: &[Event]) {
    if events.is_empty() {
        return;
    }
    body.push_str("<ol class=\"transcript\">");
    for event in events {
        let class = match event.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
            Direction::Note => "note",
        };
        body.push_str(&format!(
            "<li class=\"{class}\"><time>{} ms</time> <b>#{} {}</b> ",
            event.milliseconds,
            event.connection,
            escape(event.direction.arrow())
        ));
        let text = escape(&event.text.join("; "));
        if event.length == 0 {
            body.push_str(&format!("{text}</li>"));
            continue;
        }
        body.push_str(&format!(
            "<details><summary>{text} <small>{} bytes</small></summary><pre>",
            event.length
        ));
        for (row, (hex, printable)) in dump_rows(&event.bytes).enumerate() {
            body.push_str(&format!(
                "{:04x}  {hex:<47}  {}\n",
                row * 16,
                escape(&printable)
            ));
        }
        body.push_str("</pre></details></li>");
    }
    body.push_str("</ol>");
}
