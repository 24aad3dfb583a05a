//! The map as a document in Markdown: one table of what the crate keeps, one of what it
//! leaves to others, for each specification.

use std::fmt::Write as _;

use crate::map::{Entry, Map};
use crate::{Keeper, Requirement};

const INTRODUCTION: &str = "\
What the specifications require: which place of this crate keeps it, which test shows it,
and what is left to those who use the crate.

Generated from the markers in the code and the tests; a test sees that it agrees with them, and
that what a codec or a connection can keep has a place and a test.
`connection::f` is in the module `connection`; `tests/delivery::f` is the test `f` in
`tests/delivery.rs`; a file of data is named with the number of rows that are about it.
";

impl Map {
    /// The map as a document: for each specification the requirements that the crate
    /// keeps, with places and tests, and those that it leaves to others.
    #[must_use]
    pub fn render(&self) -> String {
        let rows: Vec<_> = self.requirements.iter().zip(&self.entries).collect();
        let mut out = String::from(INTRODUCTION);
        for rows in rows.chunk_by(|(a, _), (b, _)| a.specification == b.specification) {
            specification(&mut out, rows);
        }
        out
    }
}

// Writing to a String does not fail.

/// Never without rows.
fn specification(out: &mut String, rows: &[(&Requirement, &Entry)]) {
    let specification = rows[0].0.specification;
    let counts: Vec<_> = Keeper::ALL
        .iter()
        .map(|&keeper| {
            let is_its = |row: &&(&Requirement, &Entry)| row.0.keeper == keeper;
            (keeper, rows.iter().filter(is_its).count())
        })
        .filter(|(_, count)| *count > 0)
        .map(|(keeper, count)| format!("{keeper} {count}"))
        .collect();
    let _ = write!(
        out,
        "\n# {specification}\n\n{} requirements, by who can keep them: {}.\n\n\
         | requirement | place and test |\n|---|---|\n",
        rows.len(),
        counts.join(", "),
    );
    let (kept, left): (Vec<_>, Vec<_>) = rows.iter().partition(|(requirement, entry)| {
        requirement.keeper.is_codec_crate() || !entry.keeps.is_empty() || !entry.shows.is_empty()
    });
    for (requirement, entry) in kept {
        let _ = writeln!(
            out,
            "| {} | {} |",
            required(requirement),
            places(requirement, entry)
        );
    }
    let _ = write!(
        out,
        "\n## {specification}: left to others\n\n\
         | requirement | who can keep it |\n|---|---|\n",
    );
    for (requirement, _) in left {
        let _ = writeln!(
            out,
            "| {} | {} |",
            required(requirement),
            requirement.keeper
        );
    }
}

fn required(requirement: &Requirement) -> String {
    let Requirement {
        identifier,
        section,
        level,
        text,
        ..
    } = requirement;
    format!("**{identifier}** ({section}, {level}): {text}")
}

/// Place and test share a column: two of them would be as wide as the longest of each.
fn places(requirement: &Requirement, entry: &Entry) -> String {
    let keeps: Vec<_> = entry
        .keeps
        .iter()
        .map(|place| format!("`{place}`"))
        .collect();
    let shows: Vec<_> = entry
        .shows
        .iter()
        .map(|(test, rows)| match rows {
            0 => format!("`{test}`"),
            1 => format!("`{test}` (1 row)"),
            _ => format!("`{test}` ({rows} rows)"),
        })
        .collect();
    let parts = [
        (!keeps.is_empty()).then(|| format!("kept by {}", keeps.join(", "))),
        (!shows.is_empty()).then(|| format!("shown by {}", shows.join(", "))),
        requirement
            .not_shown
            .map(|reason| format!("no test: {reason}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("<br>")
}
