//! What the specifications require, and how many cases ask about it.

use requirements::{Requirement, Specification};

use crate::case::Case;
use crate::selection::Selected;
use crate::unasked::Unasked;

/// A requirement, and the number of cases that name it.
pub(crate) struct Asked {
    pub(crate) requirement: Requirement,
    pub(crate) cases: usize,
    /// Why no case of any protocol asks about it.
    pub(crate) because: Option<String>,
}

/// The specification whose requirements the rule of a case names, told by what its id
/// begins with. MQTT 3.1 numbers no requirements.
pub(crate) fn specification(case: &Case) -> Option<Specification> {
    Some(match case.id.split('/').next()? {
        "mqtt5" => Specification::Mqtt5_0,
        "mqtt311" => Specification::Mqtt3_1_1,
        "amqp" => Specification::Amqp0_9_1,
        "stomp12" | "stomp11" | "stomp10" => Specification::Stomp,
        _ => return None,
    })
}

/// The requirements that the case names, where its rules are such.
pub(crate) fn texts(case: &Case) -> Vec<Requirement> {
    let Some(specification) = specification(case) else {
        return Vec::new();
    };
    let known = requirements::list(specification);
    case.rules()
        .filter_map(|rule| known.iter().find(|known| known.identifier == rule).copied())
        .collect()
}

/// The requirements of each specification that one of the cases is about, if they are
/// listed.
pub(crate) fn asked(selected: &[Selected]) -> Vec<(Specification, Vec<Asked>)> {
    let unasked = Unasked::read();
    let rules: Vec<_> = selected
        .iter()
        .flat_map(|(_, cases)| cases)
        .filter_map(|case| Some((specification(case)?, case)))
        .flat_map(|(specification, case)| case.rules().map(move |rule| (specification, rule)))
        .collect();
    Specification::ALL
        .into_iter()
        .filter(|specification| rules.iter().any(|(about, _)| about == specification))
        .map(|specification| {
            let count = |requirement: Requirement| Asked {
                requirement,
                because: unasked.because(&requirement).map(String::from),
                cases: rules
                    .iter()
                    .filter(|rule| **rule == (specification, requirement.identifier))
                    .count(),
            };
            let requirements = requirements::list(specification);
            (specification, requirements.into_iter().map(count).collect())
        })
        .filter(|(_, asked): &(_, Vec<_>)| !asked.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Level, sections};

    fn is_section(rule: &str) -> bool {
        rule.split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    }

    #[test]
    fn a_rule_of_stomp_is_a_requirement_of_its_version() {
        let requirements = requirements::list(Specification::Stomp);
        for case in sections().flat_map(|section| section.cases) {
            if specification(case) != Some(Specification::Stomp) {
                continue;
            }
            let version = |id: &'static str| id.split('/').next();
            for rule in case.rules() {
                assert!(
                    version(rule) == version(case.id)
                        && requirements
                            .iter()
                            .any(|requirement| requirement.identifier == rule),
                    "{}: there is no requirement {rule}",
                    case.id,
                );
            }
        }
    }

    /// How strongly a requirement is meant, for what a case may be called.
    fn strength(level: requirements::Level) -> Level {
        match level.as_str() {
            "MUST" | "MUST NOT" => Level::Must,
            "SHOULD" | "SHOULD NOT" => Level::Should,
            _ => Level::May,
        }
    }

    #[test]
    fn no_case_asks_for_more_than_its_rule() {
        for case in sections().flat_map(|section| section.cases) {
            let Some(specification) = specification(case) else {
                continue;
            };
            let requirements = requirements::list(specification);
            let levels: Option<Vec<Level>> = case
                .rules()
                .map(|rule| {
                    let found = requirements.iter().find(|known| known.identifier == rule);
                    found.map(|known| strength(known.level))
                })
                .collect();
            // What is a definition has no level of its own.
            if let Some(strongest) = levels.and_then(|levels| levels.into_iter().min()) {
                assert!(
                    case.level >= strongest,
                    "{} is {}, and its rule {strongest}",
                    case.id,
                    case.level,
                );
            }
        }
    }

    #[test]
    fn a_case_counts_for_each_requirement_that_it_names() {
        let section = sections()
            .find(|section| {
                section
                    .cases
                    .iter()
                    .any(|case| case.id == "amqp/frame/end-octet")
            })
            .expect("there is such a case");
        let case = section
            .cases
            .iter()
            .filter(|case| case.id == "amqp/frame/end-octet");
        let asked = asked(&[(section, case.collect())]);
        let [(Specification::Amqp0_9_1, asked)] = &asked[..] else {
            panic!("one specification is asked about");
        };
        let counted: Vec<_> = asked
            .iter()
            .filter(|row| row.cases > 0)
            .map(|row| (row.requirement.identifier, row.cases))
            .collect();
        assert_eq!(
            counted,
            [
                ("section 4.2.3 / frame-end", 1),
                ("section 4.2.3 / type and end are checked", 1)
            ]
        );
    }

    /// What the specification defines without a rule: a method, or a field of one, by the
    /// names that its path has.
    fn is_definition(path: &str) -> bool {
        let mut names = path.splitn(3, " / ");
        let (class, method) = (names.next().unwrap_or(""), names.next().unwrap_or(""));
        let field = names.next().map(|field| field.replace('-', "_"));
        amqp_codec::method::METHODS.iter().any(|info| {
            info.name == format!("{class}.{method}")
                && field
                    .as_ref()
                    .is_none_or(|field| info.fields.iter().any(|known| known.name == field))
        })
    }

    #[test]
    fn a_rule_of_amqp_is_a_requirement_or_what_is_defined() {
        let requirements = requirements::list(Specification::Amqp0_9_1);
        let other = [
            "capability ",
            "constant ",
            "constants ",
            "domain ",
            "errata ",
            "extension ",
            "erratum ",
        ];
        for case in sections().flat_map(|section| section.cases) {
            if specification(case) != Some(Specification::Amqp0_9_1) {
                continue;
            }
            for rule in case.rules() {
                assert!(
                    requirements
                        .iter()
                        .any(|requirement| requirement.identifier == rule)
                        || rule.strip_prefix("section ").is_some_and(is_section)
                        || is_definition(rule)
                        || other.iter().any(|kind| rule.starts_with(kind)),
                    "{}: there is no {rule}",
                    case.id,
                );
            }
        }
    }

    #[test]
    fn a_rule_of_mqtt_is_a_requirement_or_a_section() {
        for case in sections().flat_map(|section| section.cases) {
            let Some(specification @ (Specification::Mqtt5_0 | Specification::Mqtt3_1_1)) =
                specification(case)
            else {
                continue;
            };
            for rule in case.rules() {
                assert!(
                    is_section(rule)
                        || requirements::list(specification)
                            .iter()
                            .any(|requirement| requirement.identifier == rule),
                    "{}: {} has no requirement {rule}",
                    case.id,
                    specification,
                );
            }
        }
    }
}
