//! Who does what in MQTT: ours and nine others, on the same bytes.

mod build;
mod connections;
mod ours;
mod packets;
mod peer;
mod peers;

use benches::Group;

/// Everything that is measured.
pub(crate) fn groups() -> Vec<Group> {
    let mut groups = packets::groups();
    groups.extend(connections::groups());
    groups
}
