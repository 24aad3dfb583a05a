//! Names that the broker makes up.

use alloc::string::String;

/// Makes names that nothing else has, as long as each maker has a number of its own.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    seed: u64,
    maker: u64,
    last: u64,
}

impl Names {
    pub(crate) fn new(seed: u64, maker: u64) -> Self {
        Self {
            seed,
            maker,
            last: 0,
        }
    }

    /// A maker that has made so many names before.
    pub(crate) fn after(seed: u64, maker: u64, last: u64) -> Self {
        Self { seed, maker, last }
    }

    /// How many names were made.
    pub(crate) fn count(&self) -> u64 {
        self.last
    }

    /// The next name. Its counter is mixed with the seed, so that who does not know the
    /// seed cannot tell it.
    pub(crate) fn next(&mut self, prefix: &str) -> String {
        self.last += 1;
        let Self { seed, maker, last } = *self;
        let high = mix(seed ^ mix(last) ^ maker.rotate_left(32));
        let low = mix(high ^ seed.rotate_left(32)) as u32;
        // The numbers themselves keep two names apart whatever the mixing does.
        alloc::format!("{prefix}{high:016x}{low:08x}{maker:x}-{last:x}")
    }
}

/// Another seed, for names after those that were made until then.
pub(crate) fn reseed(seed: u64, then: u64) -> u64 {
    mix(seed ^ mix(then))
}

/// A fixed mixing of 64 bits (the finalizer of splitmix64).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
