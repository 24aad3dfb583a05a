//! `mqspec baseline`: an expectation file made from a report, with the reasons
//! left to be filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::report::document::{Broker, CaseReport, Document};
use crate::selection::{Selector, all_cases};

/// Prints the expectation file that accepts what is in the report. What the
/// same words were seen for is one entry, where a glob names those cases and no
/// other that was asked.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn baseline(out: &mut impl Write, document: &Document) -> io::Result<()> {
    writeln!(
        out,
        "# What this broker is known to do otherwise than the specification asks. Look into each\n\
         # entry, and write into its reason which rule is broken, with the bytes: a file with an\n\
         # empty reason is not accepted.\nbroker = {}",
        string(&names(&document.brokers))
    )?;
    // A case with another verdict must not be named by a glob.
    let mut verdicts = BTreeMap::<&str, BTreeSet<(&str, String)>>::new();
    for case in &document.cases {
        verdicts.entry(&case.id).or_default().insert(key(case));
    }
    let mut open: Vec<&CaseReport> = Vec::new();
    for case in &document.cases {
        let wanted = matches!(case.verdict.as_str(), "fail" | "crash" | "inconclusive")
            || case.verdict == "not-applicable" && !case.accepted;
        if wanted && !open.iter().any(|known| known.id == case.id) {
            open.push(case);
        }
    }
    while let Some(&first) = open.first() {
        let wanted = key(first);
        let alike = |id: &str| {
            verdicts
                .get(id)
                .is_some_and(|keys| keys.len() == 1 && keys.contains(&wanted))
        };
        let pattern = globs(&first.id)
            .into_iter()
            .find(|glob| {
                let selector = Selector::from(glob.as_str());
                let named: Vec<_> = all_cases()
                    .filter(|case| selector.selects(case.id))
                    .collect();
                // One case is better named by its id.
                named.len() > 1 && named.iter().all(|case| alike(case.id))
            })
            .unwrap_or_else(|| first.id.clone());
        let selector = Selector::from(pattern.as_str());
        entry(out, &pattern, first)?;
        open.retain(|case| !selector.selects(&case.id));
    }
    Ok(())
}

/// What has to be the same for cases to share an entry.
fn key(case: &CaseReport) -> (&str, String) {
    (&case.verdict, seen(case))
}

/// The globs that may name the case and others, the widest first: its rule in
/// every version, its question in every version, its rule.
fn globs(id: &str) -> Vec<String> {
    let parts: Vec<&str> = id.splitn(3, '/').collect();
    let [version, rule, question] = parts[..] else {
        return Vec::new();
    };
    let protocol = version.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut globs = Vec::new();
    if protocol != version {
        globs.push(format!("{protocol}*/{rule}/*"));
        globs.push(format!("{protocol}*/{rule}/{question}"));
        globs.push(format!("{protocol}*/*/{question}"));
    }
    globs.push(format!("{version}/{rule}/*"));
    globs
}

/// What an entry wants to be seen: the words before the bytes, which differ from
/// run to run.
fn seen(case: &CaseReport) -> String {
    let text = case.seen.as_deref().or(case.because.as_deref());
    let text = text.unwrap_or_default();
    if case.verdict == "inconclusive" {
        // The step, and not what came instead of it.
        return text.split(':').next().unwrap_or_default().into();
    }
    let end = text.find(['[', '"']).unwrap_or(text.len());
    // So do times.
    let is_time = |word: &&str| word.contains('.') && word.parse::<f64>().is_ok();
    let words = text[..end].split(' ').take_while(|word| !is_time(word));
    words.collect::<Vec<_>>().join(" ").trim().into()
}

fn entry(out: &mut impl Write, pattern: &str, case: &CaseReport) -> io::Result<()> {
    writeln!(out, "\n# {} {}: {}", case.level, case.rule, case.title)?;
    for (name, text) in [
        ("expected", &case.expected),
        ("seen", &case.seen),
        ("because", &case.because),
    ] {
        if let Some(text) = text {
            writeln!(out, "# {name} {}", text.escape_debug())?;
        }
    }
    writeln!(
        out,
        "[[case]]\ncase = {}\nverdict = {}",
        string(pattern),
        string(&case.verdict)
    )?;
    let seen = seen(case);
    if !seen.is_empty() && case.verdict != "not-applicable" {
        writeln!(out, "seen = {}", string(&seen))?;
    }
    if case.verdicts.len() > 1 && case.verdicts.contains_key("pass") {
        writeln!(out, "varies = true")?;
    }
    writeln!(out, "reason = \"\"")
}

fn names(brokers: &[Broker]) -> String {
    let mut names = BTreeSet::new();
    for broker in brokers {
        match (&broker.product, &broker.version) {
            (Some(product), Some(version)) => names.insert(format!("{product} {version}")),
            (Some(product), None) => names.insert(product.clone()),
            _ => names.insert(broker.target.clone()),
        };
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// A string as TOML writes it.
fn string(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}
