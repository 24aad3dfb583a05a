//! Every statement of MQTT 5.0 and 3.1.1 that a codec or a connection can keep has a place
//! that keeps it and a test that shows it, and `requirements.md` says which.

use crate::support::{of_version, rows, versions};
use mqtt_codec::{ProtocolVersion, Rule};
use requirements::{Map, Specification};

const MALFORMED: &str = "tests/data/malformed.txt";

/// MQTT 3.1 numbers no statements.
const VERSIONS: [(ProtocolVersion, Specification); 2] = [
    (ProtocolVersion::V5_0, Specification::Mqtt5_0),
    (ProtocolVersion::V3_1_1, Specification::Mqtt3_1_1),
];

/// The name for the map of what is an identifier and not a section.
fn named(specification: Specification, statement: &str) -> Option<String> {
    statement
        .starts_with("MQTT-")
        .then(|| format!("{}{statement}", specification.prefix()))
}

#[test]
fn every_statement_has_a_place_and_a_test() {
    let mut map = Map::read(env!("CARGO_MANIFEST_DIR"), &VERSIONS.map(|(_, of)| of)).unwrap();
    for (version, specification) in VERSIONS {
        // A rule is kept where it is called by name.
        for rule in Rule::ALL {
            if let Some(name) = named(specification, rule.statement(version)) {
                map.keeps_where(&name, &format!("Rule::{rule:?}"));
            }
        }
        for row in rows(include_str!("../data/malformed.txt")) {
            if versions(row[0]).contains(&version)
                && let Some(name) = named(specification, of_version(row[3], version))
            {
                map.row_shows(&name, MALFORMED);
            }
        }
    }
    map.check("requirements.md");
}
