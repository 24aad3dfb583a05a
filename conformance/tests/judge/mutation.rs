//! A broker that breaks one rule is noticed by the case of that rule: a man in
//! the middle breaks it, and every case that asks about it fails.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::broken::ROWS;
use crate::proxy::{BESIDE, Between, Protocol, through};
use crate::{figure, mqspec};

pub(crate) type Make = fn() -> Box<dyn Between>;

/// What is broken, over which protocol, and the cases that must notice: ids
/// with `*`, or `~` and a part of the title; `!` leaves out. Each case of each
/// row is one mutation.
pub(crate) type Row = (&'static str, Protocol, &'static [&'static str], Make);

/// The ids and titles of every case.
pub(crate) fn cases() -> Vec<(String, String)> {
    let list = mqspec(&["list", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    let text = |case: &serde_json::Value, key: &str| case[key].as_str().unwrap().to_string();
    list.as_array()
        .unwrap()
        .iter()
        .map(|case| (text(case, "id"), text(case, "title")))
        .collect()
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|&at| rest.is_char_boundary(at))
                .any(|at| glob(after, &rest[at..]))
        }),
    }
}

fn selects(selector: &str, (id, title): &(String, String)) -> bool {
    match selector.strip_prefix('~') {
        Some(part) => title.contains(part),
        None => glob(selector, id),
    }
}

/// The ids that the selectors of a row name.
pub(crate) fn selected<'a>(
    protocol: Protocol,
    selectors: &[&str],
    all: &'a [(String, String)],
) -> Vec<&'a str> {
    let without = |selector: &str| selector.strip_prefix('!').map(String::from);
    all.iter()
        .filter(|case| case.0.starts_with(protocol.of_cases()))
        .filter(|case| {
            let named = |selector: &&str| !selector.starts_with('!') && selects(selector, case);
            let left_out = |selector: &&str| {
                without(selector).is_some_and(|selector| selects(&selector, case))
            };
            selectors.iter().any(named) && !selectors.iter().any(left_out)
        })
        .map(|(id, _)| id.as_str())
        .collect()
}

/// What did not fail of the cases of a row, and how many there are.
fn unnoticed(row: &Row, all: &[(String, String)]) -> (usize, Vec<String>) {
    let (name, protocol, selectors, make) = row;
    let selected = selected(*protocol, selectors, all);
    if selected.is_empty() {
        return (0, vec![format!("{name}: selects no case")]);
    }
    let url = through(*protocol, *make);
    let (mut open, mut missed) = (selected.clone(), Vec::new());
    for windows in [SHORT, LONG] {
        missed = self::missed(name, &url, &open, windows, &[]);
        open = missed.iter().map(|(id, _)| *id).collect();
        if open.is_empty() {
            break;
        }
    }
    let missed = missed.into_iter().map(|(_, what)| what).collect();
    (selected.len(), missed)
}

/// The times by which a case judges a broker that breaks its rule: most of them fail because
/// they wait for what never comes.
const SHORT: [&str; 6] = ["--timeout", "1.5", "--silence", "0.3", "--deadline", "20"];

/// Those for a machine that has stood still: what was not noticed is asked once more.
pub(crate) const LONG: [&str; 6] = ["--timeout", "8", "--silence", "2", "--deadline", "100"];

/// Asks these cases of the broker that the row of this name is about, by these times and with
/// further arguments. Returns which did not fail, and what was seen instead.
pub(crate) fn missed<'a>(
    name: &str,
    url: &str,
    selected: &[&'a str],
    windows: [&str; 6],
    more: &[&str],
) -> Vec<(&'a str, String)> {
    let mut args = vec!["--no-preflight", "--jobs", "64", "--format", "json"];
    args.extend(BESIDE);
    args.extend(more);
    args.extend(windows);
    args.push(url);
    for id in selected {
        args.extend(["--case", id]);
    }
    let output = mqspec(&args);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{name}: {}", crate::stderr(&output)));
    let cases = value["cases"].as_array().unwrap();
    assert_eq!(cases.len(), selected.len(), "{name}: {selected:?}");
    selected
        .iter()
        .filter_map(|&id| {
            let case = cases.iter().find(|case| case["id"] == id)?;
            let [verdict, because] = ["verdict", "because"].map(|key| &case[key]);
            let what = format!("{name}: {id} {verdict}, {because}");
            (verdict != "fail").then_some((id, what))
        })
        .collect()
}

#[test]
fn a_rule_that_is_broken_is_noticed_by_its_case() {
    let all = cases();
    let next = Mutex::new(ROWS.iter().flat_map(|rows| rows.iter()));
    let found = Mutex::new((BTreeMap::<&str, (usize, usize)>::new(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some(row) = next.lock().unwrap().next() else {
                        break;
                    };
                    let (planted, missed) = unnoticed(row, &all);
                    let mut found = found.lock().unwrap();
                    let count = found.0.entry(row.1.of_cases()).or_default();
                    count.0 += planted.saturating_sub(missed.len());
                    count.1 += planted;
                    found.1.extend(missed);
                }
            });
        }
    });
    let (counts, missed) = found.into_inner().unwrap();
    for (protocol, (noticed, planted)) in &counts {
        figure(&format!(
            "{protocol}: {noticed} of {planted} mutations noticed"
        ));
    }
    assert!(missed.is_empty(), "{missed:#?}");
    let planted: usize = counts.values().map(|(_, planted)| planted).sum();
    assert!(planted >= 400, "{planted}");
}
