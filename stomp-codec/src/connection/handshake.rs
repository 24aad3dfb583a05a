//! What CONNECT and CONNECTED agree on (1.1 and 1.2, "Connecting").

use alloc::string::String;

use crate::{Command, ConnectionError, Frame, Version};

/// The version for the session: the highest that both sides have ("Protocol
/// Negotiation").
///
/// # Errors
///
/// None in common. STOMP without `accept-version`: that frame came with 1.1,
/// where the header is required.
// keeps: stomp12/protocol-negotiation/missing-accept-version,
// keeps: stomp11/protocol-negotiation/missing-accept-version,
// keeps: stomp12/protocol-negotiation/highest-common, stomp11/protocol-negotiation/highest-common,
// keeps: stomp12/protocol-negotiation/no-common-version,
// keeps: stomp11/protocol-negotiation/no-common-version
pub(crate) fn negotiate(
    frame: &Frame<'_>,
    supported: &[Version],
) -> Result<Version, ConnectionError> {
    const ACCEPT_VERSION: &str = "accept-version";
    let best = match frame.header(ACCEPT_VERSION) {
        None if frame.command() == Command::Stomp => {
            return Err(ConnectionError::MissingHeader {
                command: Command::Stomp,
                header: ACCEPT_VERSION,
            });
        }
        // "It means that the client only supports version 1.0".
        None => Some(Version::V1_0).filter(|v| supported.contains(v)),
        Some(list) => list
            .split(',')
            .filter_map(|name| name.trim_matches(' ').parse().ok())
            .filter(|version| supported.contains(version))
            .max(),
    };
    best.ok_or(ConnectionError::NoCommonVersion)
}

/// Versions, the oldest first, as `accept-version` and `version` list them.
// keeps: stomp12/protocol-negotiation/accept-version-list,
// keeps: stomp11/protocol-negotiation/accept-version-list
pub(crate) fn version_list(versions: &[Version], separator: &str) -> String {
    let mut list = String::new();
    for version in Version::ALL {
        if versions.contains(&version) {
            if !list.is_empty() {
                list.push_str(separator);
            }
            list.push_str(version.as_str());
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use Version::{V1_0, V1_1, V1_2};

    // shows: stomp12/protocol-negotiation/missing-accept-version,
    // shows: stomp11/protocol-negotiation/missing-accept-version,
    // shows: stomp12/protocol-negotiation/highest-common,
    // shows: stomp11/protocol-negotiation/highest-common
    #[test]
    fn the_highest_common_version_is_chosen() {
        let all = &Version::ALL[..];
        let table: &[(Option<&str>, &[Version], Option<Version>)] = &[
            (None, all, Some(V1_0)),
            (None, &[V1_1, V1_2], None),
            (Some("1.2"), all, Some(V1_2)),
            (Some("1.0,1.1,2.0"), all, Some(V1_1)),
            (Some("1.2,1.1,1.0"), &[V1_1, V1_0], Some(V1_1)),
            (Some("1.0, 1.1"), all, Some(V1_1)),
            (Some("9.9"), all, None),
            (Some(""), all, None),
            (Some("1.20"), all, None),
            (Some("1"), all, None),
        ];
        for (list, supported, expected) in table {
            let pair = list.map(|list| [("accept-version", list)]);
            let headers = pair.as_ref().map_or(&[][..], |pair| &pair[..]);
            let frame = Frame::new(V1_2, Command::Connect, headers, b"");
            let found = negotiate(&frame, supported);
            assert_eq!(found.ok(), *expected, "{list:?}");
        }
        let stomp = Frame::new(V1_2, Command::Stomp, &[], b"");
        assert!(negotiate(&stomp, all).is_err());
    }

    #[test]
    fn versions_are_listed_in_order() {
        assert_eq!(version_list(&[V1_2, V1_0], ","), "1.0,1.2");
        assert_eq!(version_list(&[], ","), "");
    }
}
