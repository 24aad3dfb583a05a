//! The same bytes in reads of different sizes.

/// How a stream of bytes is cut into reads.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// One read has it all.
    Whole,
    /// A read for each byte.
    Bytes,
    /// Reads of sizes that follow from a number.
    Seeded(u8),
}

impl Cut {
    /// The three ways that every connection is tried with.
    pub fn all(seed: u8) -> [Cut; 3] {
        [Cut::Whole, Cut::Bytes, Cut::Seeded(seed)]
    }
}

/// Cuts `stream` and gives every read, after what was left of the ones
/// before, to `take`, until it says `false`. Returns what is left of a stream that was heard out.
pub fn feed(stream: &[u8], cut: Cut, mut take: impl FnMut(&mut &[u8]) -> bool) -> Vec<u8> {
    let mut state = match cut {
        Cut::Seeded(seed) => u32::from(seed) + 1,
        _ => 1,
    };
    let mut buffer = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let size = match cut {
            Cut::Whole => rest.len(),
            Cut::Bytes => 1,
            Cut::Seeded(_) => {
                // A linear congruential generator: the sizes only have to vary.
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (1 + (state >> 26) as usize).min(rest.len())
            }
        };
        let (read, later) = rest.split_at(size);
        rest = later;
        buffer.extend_from_slice(read);
        let mut input = buffer.as_slice();
        let go_on = take(&mut input);
        let taken = buffer.len() - input.len();
        buffer.drain(..taken);
        if !go_on {
            return Vec::new();
        }
    }
    buffer
}

/// What one conversation came to; equal however the bytes were cut.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Events, answers that were refused, and the error, in `Debug` form.
    pub events: Vec<String>,
    /// All that the connection wanted sent.
    pub sent: Vec<u8>,
    /// Bytes of an incomplete frame at the end. After an error it is nobody's
    /// business how much had been read by then.
    pub left: Vec<u8>,
    /// Whether the protocol was over.
    pub closed: bool,
}

/// Holds a conversation with each cutting of the same bytes and compares.
pub fn assert_the_cut_does_not_matter(seed: u8, mut converse: impl FnMut(Cut) -> Transcript) {
    let [whole, others @ ..] = Cut::all(seed);
    let expected = converse(whole);
    for cut in others {
        let got = converse(cut);
        assert_eq!(got, expected, "cut {cut:?}");
    }
}
