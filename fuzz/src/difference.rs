//! Codecs of other people as oracles: where they and we differ, the difference stands on a
//! list with its reason, or it is a finding.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

/// What a codec makes of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is more to come.
    Incomplete,
    /// They break this rule.
    Refused(String),
    /// They are a frame or packet of this kind, and mean this. What a codec does not know
    /// or keep is left out of the meaning by both.
    Accepted(&'static str, String),
}

/// A difference that is known.
#[derive(Debug)]
pub struct Difference {
    /// The other codec; empty for all of them.
    pub peer: &'static str,
    /// How our verdict begins.
    pub ours: &'static str,
    /// How theirs begins.
    pub theirs: &'static str,
    /// Who is right, and by which section.
    pub why: &'static str,
}

impl Verdict {
    /// In a line: `incomplete`, `refuses RULE` or `accepts KIND MEANING`.
    fn line(&self) -> String {
        match self {
            Self::Incomplete => String::from("incomplete"),
            Self::Refused(rule) => format!("refuses {rule}"),
            Self::Accepted(kind, meaning) => format!("accepts {kind} {meaning}"),
        }
    }
}

/// Compares with each peer, and panics at a difference that is not on the list. What we refuse
/// is refused for good if a single peer refuses it too; if none does, each has to be on the list.
///
/// With the variable `MQ_FUZZ_DIFFERENCES` the kinds of differences that are not on it are
/// appended to the file that it names instead, once each, so that a list can be made of them.
pub fn compare(ours: &Verdict, peers: &[(&str, Verdict)], known: &[Difference]) {
    let refuses = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_));
    if refuses(ours) && peers.iter().any(|(_, theirs)| refuses(theirs)) {
        return;
    }
    for (peer, theirs) in peers {
        compare_one(peer, ours, theirs, known);
    }
}

fn compare_one(peer: &str, ours: &Verdict, theirs: &Verdict, known: &[Difference]) {
    if ours == theirs {
        return;
    }
    let (ours, theirs) = (ours.line(), theirs.line());
    let is_known = known.iter().any(|it| {
        [peer, ""].contains(&it.peer) && ours.starts_with(it.ours) && theirs.starts_with(it.theirs)
    });
    if is_known {
        return;
    }
    if let Some(file) = std::env::var_os("MQ_FUZZ_DIFFERENCES") {
        return collect(Path::new(&file), peer, &ours, &theirs);
    }
    let mut text = format!("{peer} differs:\n  ours   {ours}\n  theirs {theirs}\n");
    // Writing to a string cannot fail.
    let _ = write!(text, "and that is not on the list of this target");
    panic!("{text}");
}

/// Appends a difference of a kind that has not been seen, without what the input means.
fn collect(file: &Path, peer: &str, ours: &str, theirs: &str) {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let kind = |verdict: &str| {
        let words = verdict.split([' ', '(', '{', '"']).take(2);
        words.collect::<Vec<_>>().join(" ")
    };
    let line = format!("{peer}\t{}\t{}", kind(ours), kind(theirs));
    if SEEN
        .lock()
        .expect("nobody panics with it")
        .insert(line.clone())
    {
        let mut out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .expect("writable");
        writeln!(out, "{line}\t{ours}\t{theirs}").expect("writable");
    }
}
