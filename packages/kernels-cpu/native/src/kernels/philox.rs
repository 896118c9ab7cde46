//! Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

/// Blocks made at once.
pub const WIDTH: usize = 32;

/// A stream of words that is a function of its key.
#[derive(Clone, Copy, Debug)]
pub struct Philox {
    key: [u32; 2],
    stream: u32,
}

#[inline(always)]
fn wide(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

impl Philox {
    /// `seed` is below 2^53.
    pub fn new(seed: u64, stream: u32) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], stream }
    }

    /// The four words of the blocks `first` to `first + WIDTH`, word by word: element i has word i mod 4 of block
    /// i div 4.
    #[inline(always)]
    pub fn blocks(self, first: u32) -> [[u32; WIDTH]; 4] {
        let (mut c0, mut c1) = ([0; WIDTH], [0; WIDTH]);
        let (mut c2, mut c3) = ([self.stream; WIDTH], [0; WIDTH]);
        for (i, c) in c0.iter_mut().enumerate() {
            *c = first.wrapping_add(i as u32);
        }
        let [mut k0, mut k1] = self.key;
        for _ in 0..10 {
            for i in 0..WIDTH {
                let (high0, low0) = wide(0xd251_1f53, c0[i]);
                let (high1, low1) = wide(0xcd9e_8d57, c2[i]);
                (c0[i], c1[i], c2[i], c3[i]) = (high1 ^ c1[i] ^ k0, low1, high0 ^ c3[i] ^ k1, low0);
            }
            k0 = k0.wrapping_add(0x9e37_79b9);
            k1 = k1.wrapping_add(0xbb67_ae85);
        }
        [c0, c1, c2, c3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One block with all four counter words free, to meet the published vectors.
    fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
        let [mut c0, mut c1, mut c2, mut c3] = counter;
        let [mut k0, mut k1] = key;
        for _ in 0..10 {
            let (high0, low0) = wide(0xd251_1f53, c0);
            let (high1, low1) = wide(0xcd9e_8d57, c2);
            (c0, c1, c2, c3) = (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0);
            k0 = k0.wrapping_add(0x9e37_79b9);
            k1 = k1.wrapping_add(0xbb67_ae85);
        }
        [c0, c1, c2, c3]
    }

    #[test]
    fn gives_the_published_vectors() {
        // kat_vectors of Random123: philox4x32 10.
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let words = Philox::new(0, 0).blocks(0);
        assert_eq!([words[0][0], words[1][0], words[2][0], words[3][0]], block([0; 4], [0; 2]));
        let words = Philox::new(0x12_3456_789a_bcde, 7).blocks(1000);
        let expected = block([1005, 0, 7, 0], [0x789a_bcde, 0x0012_3456]);
        assert_eq!([words[0][5], words[1][5], words[2][5], words[3][5]], expected);
    }
}
