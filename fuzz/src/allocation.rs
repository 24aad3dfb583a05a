//! What is allocated for bytes of a peer is bounded by how many there are, whatever
//! lengths they claim.

/// Runs `work` on bytes of a peer, and sees that it allocates no more than `factor` bytes
/// for each of them, and some for the call itself.
pub fn bounded<O>(data: &[u8], factor: u64, work: impl FnOnce() -> O) -> O {
    let mut outcome = None;
    let allocated = allocation_counter::measure(|| outcome = Some(work()));
    let limit = CALL + factor * data.len() as u64;
    assert!(
        allocated.bytes_total <= limit,
        "{} bytes are allocated for {} of input; {limit} are allowed",
        allocated.bytes_total,
        data.len(),
    );
    outcome.expect("it was run")
}

/// What a call may allocate for itself: an error with its text, the first room of a list.
const CALL: u64 = 1024;
