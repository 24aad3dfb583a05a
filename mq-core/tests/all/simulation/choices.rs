//! Where what varies comes from: a seed, or the bytes of a fuzzer.

/// Choices, one after the other.
pub(crate) trait Choices {
    /// A number below `end`, which is 2^32 at the most.
    fn below(&mut self, end: u64) -> u64;

    /// One of these.
    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// Whether something happens that does so once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn byte(&mut self) -> u8 {
        self.below(1 << 8) as u8
    }
}

/// SplitMix64: the steps only have to vary.
pub(super) struct Random(pub(super) u64);

impl Choices for Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}
