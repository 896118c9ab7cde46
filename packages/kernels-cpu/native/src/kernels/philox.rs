//! Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

/// Blocks made at once.
pub const WIDTH: usize = 32;

/// A stream of words that is a function of its key.
#[derive(Clone, Copy, Debug)]
pub struct Philox {
    key: [u32; 2],
    stream: u32,
}

impl Philox {
    /// `seed` is below 2^53.
    pub fn new(seed: u64, stream: u32) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], stream }
    }

    /// The four words of the blocks `first` to `first + WIDTH`, word by word, each in the lower half of a lane twice as wide:
    /// that is what instructions multiply. The upper halves hold what is left of the products.
    #[inline(always)]
    fn lanes(self, first: u32) -> [[u64; WIDTH]; 4] {
        const LOWER: u64 = 0xffff_ffff;
        let (mut c0, mut c1) = ([0; WIDTH], [0; WIDTH]);
        let (mut c2, mut c3) = ([u64::from(self.stream); WIDTH], [0; WIDTH]);
        for (i, c) in c0.iter_mut().enumerate() {
            *c = u64::from(first.wrapping_add(i as u32));
        }
        let [mut k0, mut k1] = self.key;
        for _ in 0..10 {
            for i in 0..WIDTH {
                let (product0, product1) = ((c0[i] & LOWER) * 0xd251_1f53, (c2[i] & LOWER) * 0xcd9e_8d57);
                c0[i] = (product1 >> 32) ^ c1[i] ^ u64::from(k0);
                c2[i] = (product0 >> 32) ^ c3[i] ^ u64::from(k1);
                (c1[i], c3[i]) = (product1, product0);
            }
            k0 = k0.wrapping_add(0x9e37_79b9);
            k1 = k1.wrapping_add(0xbb67_ae85);
        }
        [c0, c1, c2, c3]
    }

    /// The four words of the blocks `first` to `first + WIDTH`, word by word.
    #[inline(always)]
    pub fn blocks(self, first: u32) -> [[u32; WIDTH]; 4] {
        self.lanes(first).map(|lanes| lanes.map(|lane| lane as u32))
    }

    /// The same words block by block: the order of the elements that they are for.
    #[inline(always)]
    pub fn words(self, first: u32) -> [u32; 4 * WIDTH] {
        let [c0, c1, c2, c3] = self.lanes(first);
        let mut words = [0; 4 * WIDTH];
        for (i, block) in words.chunks_exact_mut(4).enumerate() {
            block.copy_from_slice(&[c0[i] as u32, c1[i] as u32, c2[i] as u32, c3[i] as u32]);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(a: u32, b: u32) -> (u32, u32) {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    }

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
        assert_eq!(Philox::new(0x12_3456_789a_bcde, 7).words(1000)[20..24], expected);
    }
}
