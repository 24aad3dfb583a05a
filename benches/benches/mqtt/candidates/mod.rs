//! Who does what in MQTT: ours and nine others, on the same bytes.

mod ours;
mod packets;
mod peer;
mod peers;

use benches::Group;

/// Everything that is measured.
pub(crate) fn groups() -> Vec<Group> {
    packets::groups()
}
