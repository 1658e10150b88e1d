//! Random numbers for `init = { random = .. }`, addressed by position.

#[derive(Clone, Copy)]
pub(super) struct Random {
    key: u64,
}

impl Random {
    pub fn new(seed: u64, stream: &str) -> Self {
        let hash = stream
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { key: mix(seed) ^ hash }
    }

    pub const fn bits(self, index: u64) -> u64 {
        mix(self.key.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64")]
    pub fn uniform(self, index: u64) -> f64 {
        (self.bits(index) >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum of twelve 32-bit numbers fits an f64")]
    pub fn normal(self, index: u64) -> f64 {
        let sum: u64 = (0..6)
            .map(|part| {
                let bits = mix(self.bits(index) ^ part);
                (bits >> 32) + (bits & 0xffff_ffff)
            })
            .sum();
        sum as f64 / (1_u64 << 32) as f64 - 6.0
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
