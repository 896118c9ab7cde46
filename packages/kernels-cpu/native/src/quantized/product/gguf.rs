//! Blocks of GGUF files in products. Those of four bits and of eight are multiplied as they lie; five and six bits, which lie in two places,
//! become whole numbers of eight in registers.

use super::blocks::{Blocks, Scales, Starts};
use super::lanes::{Bits, Lanes, Levels};
use crate::quantized::gguf::{Block, Gguf, IQ4_NL, Iq4Nl, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};

/// 0 … 15, and the same less eight.
const fn whole(least: i32) -> [f32; 16] {
    let mut levels = [0.0; 16];
    let mut i = 0;
    while i < 16 {
        levels[i] = (i as i32 + least) as f32;
        i += 1;
    }
    levels
}

/// The value of 32, whose halves of bytes are 0 to 15 (low) and 16 to 31, that stands at place `i` in a look-up by `Lanes::nibbles`.
#[inline(always)]
fn nibble_at(i: usize, pairs: bool) -> usize {
    let (word, within) = (i / 8 * 4, i % 8);
    let (byte, low) =
        if pairs { (within / 4 + within % 2 * 2, within / 2 % 2) } else { (within / 2, within % 2) };
    word + byte + if low == 0 { 16 } else { 0 }
}

/// The levels of IQ4_NL, which bf16 holds.
const fn uneven() -> [f32; 16] {
    let mut levels = [0.0; 16];
    let mut i = 0;
    while i < 16 {
        levels[i] = IQ4_NL[i] as f32;
        i += 1;
    }
    levels
}

/// Q4_0, Q4_1 and IQ4_NL: blocks of 32 values, of which a step has two.
macro_rules! nibbles {
    ($name:ident of $block:ident, levels $levels:expr, codes at $codes:literal) => {
        #[derive(Clone, Copy)]
        pub struct $name(pub Gguf);

        impl Levels for $name {
            const LEVELS: [f32; 16] = $levels;
        }

        impl Blocks for $name {
            const VALUES: usize = $block::SIZE;
            const BITS: usize = 4;
            const GROUP: usize = 32;
            const OFFSETS: bool = $block::OFFSETS;
            const STEP_BYTES: usize = 2 * $block::BYTES;

            #[inline(always)]
            fn value_at(i: usize, pairs: bool) -> usize {
                nibble_at(i, pairs)
            }

            #[inline(always)]
            fn start(self, row: usize) -> *const u8 {
                self.0.start(row)
            }

            #[inline(always)]
            unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
                let first = start.wrapping_add(at / $block::SIZE * $block::BYTES + $codes);
                let second = (at + $block::SIZE < self.0.cols).then_some(first.wrapping_add($block::BYTES));
                // SAFETY: blocks of the row, and the caller's processor.
                unsafe { L::row_of(first, second) }
            }

            #[inline(always)]
            unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
                // SAFETY: the caller's processor.
                unsafe { L::nibbles::<Self>(codes) }
            }

            #[inline(always)]
            unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
                // SAFETY: the caller's blocks and room.
                unsafe { heads::<L, $block>(side, blocks, to) }
            }
        }
    };
}

nibbles!(Q4_0Rows of Q4_0, levels whole(-8), codes at 2);
nibbles!(Q4_1Rows of Q4_1, levels whole(0), codes at 4);
nibbles!(Iq4NlRows of Iq4Nl, levels uneven(), codes at 2);

/// Q5_0 and Q5_1: the codes of blocks of four bits, and the fifth bits of all 32 in one word.
macro_rules! fives {
    ($name:ident of $block:ident, less $less:literal, bits at $bits:literal) => {
        #[derive(Clone, Copy)]
        pub struct $name(pub Gguf);

        impl Blocks for $name {
            const VALUES: usize = $block::SIZE;
            const BITS: usize = 8;
            const OFFSETS: bool = $block::OFFSETS;
            const STEP_BYTES: usize = $block::BYTES;

            #[inline(always)]
            fn start(self, row: usize) -> *const u8 {
                self.0.start(row)
            }

            #[inline(always)]
            unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
                let bits = start.wrapping_add(at / $block::SIZE * $block::BYTES + $bits);
                // SAFETY: a block of the row, and the caller's processor.
                unsafe { L::row_of_fives(bits.add(4), bits, $less) }
            }

            #[inline(always)]
            unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
                // SAFETY: the caller's processor.
                unsafe { L::bytes(codes) }
            }

            #[inline(always)]
            unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
                // SAFETY: the caller's blocks and room.
                unsafe { heads::<L, $block>(side, blocks, to) }
            }
        }
    };
}

fives!(Q5_0Rows of Q5_0, less 16, bits at 2);
fives!(Q5_1Rows of Q5_1, less 0, bits at 4);

/// Scales, and offsets, that lie in front of each block as f16.
///
/// # Safety
/// As for [`Blocks::scales`].
#[inline(always)]
unsafe fn heads<L: Lanes, B: Block>(side: &Starts, blocks: usize, to: Scales) {
    for block in 0..blocks {
        let at = |lane: usize| side.at[lane].wrapping_add(block * B::BYTES);
        // SAFETY: the caller's blocks and room.
        unsafe {
            if B::OFFSETS {
                let [scales, offsets] = L::pairs_of_halves(at);
                L::store(to.scales.add(block * to.stride), scales);
                L::store(to.offsets.add(block * to.stride), offsets);
            } else {
                L::store(to.scales.add(block * to.stride), L::halves(at));
            }
        }
    }
}

/// Q8_0.
#[derive(Clone, Copy)]
pub struct Q8_0Rows(pub Gguf);

impl Blocks for Q8_0Rows {
    const VALUES: usize = Q8_0::SIZE;
    const BITS: usize = 8;
    const STEP_BYTES: usize = Q8_0::BYTES;

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.0.start(row)
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
        // SAFETY: a block of the row, and the caller's processor.
        unsafe { L::row(start.wrapping_add(at / Q8_0::SIZE * Q8_0::BYTES + 2)) }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        // SAFETY: the caller's processor.
        unsafe { L::bytes(codes) }
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
        // SAFETY: the caller's blocks and room.
        unsafe { heads::<L, Q8_0>(side, blocks, to) }
    }
}

/// Q4_K: in each 32 bytes the low halves are one group and the high ones the next.
#[derive(Clone, Copy)]
pub struct Q4KRows(pub Gguf);

impl Levels for Q4KRows {
    const LEVELS: [f32; 16] = whole(0);
}

impl Blocks for Q4KRows {
    const VALUES: usize = Q4K::GROUP;
    const BITS: usize = 4;
    const GROUP: usize = 32;
    const OFFSETS: bool = true;
    const STEP_BYTES: usize = Q4K::BYTES / 4;

    #[inline(always)]
    fn value_at(i: usize, pairs: bool) -> usize {
        nibble_at(i, pairs)
    }

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.0.start(row)
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
        let within = at % Q4K::SIZE / 64 * 32;
        // SAFETY: 32 bytes of the block, and the caller's processor.
        unsafe { L::row_of_halves(start.add(at / Q4K::SIZE * Q4K::BYTES + 16 + within)) }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        // SAFETY: the caller's processor.
        unsafe { L::nibbles::<Self>(codes) }
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
        // SAFETY: the caller's blocks and room.
        unsafe { k_heads::<L, Q4K>(side, blocks, to) }
    }
}

/// Scales and offsets of Q4_K and Q5_K, in all lanes what `k_scales` does: both factors, then six bits of each number in three words.
///
/// # Safety
/// As for [`Blocks::scales`].
#[inline(always)]
unsafe fn k_heads<L: Lanes, B: Block>(side: &Starts, blocks: usize, to: Scales) {
    let stride = to.stride;
    for block in 0..blocks / 8 {
        // SAFETY: the caller's blocks and room.
        unsafe {
            let words = L::turned(|lane| L::row(side.at[lane].add(block * B::BYTES)));
            let [d, least] = L::both_halves(words[0]);
            let least = L::add_scaled(L::zero(), least, L::same(-1.0));
            let sixteen = L::same(16.0);
            for (part, (factor, to)) in [(d, to.scales), (least, to.offsets)].into_iter().enumerate() {
                let (low, high) = (words[1 + part], words[3]);
                for i in 0..8 {
                    let byte = 8 * (i as u32 % 4);
                    let number = if i < 4 {
                        L::field(low, byte, 63)
                    } else {
                        let above = L::field(low, byte + 6, 3);
                        L::add_scaled(L::field(high, byte + 4 * part as u32, 15), above, sixteen)
                    };
                    let at = to.add((8 * block + i) * stride);
                    L::store(at, L::add_scaled(L::zero(), number, factor));
                }
            }
        }
    }
}

/// Q5_K: the codes of Q4_K, and the fifth bits of 32 of them in one bit of 32 bytes.
#[derive(Clone, Copy)]
pub struct Q5KRows(pub Gguf);

impl Blocks for Q5KRows {
    const VALUES: usize = Q5K::GROUP;
    const BITS: usize = 8;
    const OFFSETS: bool = true;
    const STEP_BYTES: usize = Q5K::BYTES / 8;

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.0.start(row)
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
        let (block, at) = (start.wrapping_add(at / Q5K::SIZE * Q5K::BYTES), at % Q5K::SIZE);
        // SAFETY: bytes of the block, and the caller's processor.
        unsafe {
            let low = Bits { at: block.add(48 + at / 64 * 32), shift: at / 32 % 2 * 4, mask: 15 };
            L::row_of_parts(low, Bits { at: block.add(16), shift: at / 32, mask: 1 }, 0)
        }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        // SAFETY: the caller's processor.
        unsafe { L::bytes(codes) }
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
        // SAFETY: the caller's blocks and room.
        unsafe { k_heads::<L, Q5K>(side, blocks, to) }
    }
}

/// Q6_K: four bits of a code in one place and two in another; scales of eight bits behind them, and what those are multiplied by.
#[derive(Clone, Copy)]
pub struct Q6KRows(pub Gguf);

impl Blocks for Q6KRows {
    const VALUES: usize = Q6K::GROUP;
    const BITS: usize = 8;
    const STEP_BYTES: usize = Q6K::BYTES.div_ceil(8);

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.0.start(row)
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
        let (block, at) = (start.wrapping_add(at / Q6K::SIZE * Q6K::BYTES), at % Q6K::SIZE);
        let (half, within) = (at / 128, at / 32 % 4);
        // SAFETY: bytes of the block, and the caller's processor.
        unsafe {
            let low = Bits { at: block.add(half * 64 + within % 2 * 32), shift: within / 2 * 4, mask: 15 };
            L::row_of_parts(low, Bits { at: block.add(128 + half * 32), shift: within * 2, mask: 3 }, 32)
        }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        // SAFETY: the caller's processor.
        unsafe { L::bytes(codes) }
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
        let groups = Q6K::SIZE / Q6K::GROUP;
        for block in 0..blocks / groups {
            let at = |lane: usize| side.at[lane].wrapping_add(block * Q6K::BYTES + 192);
            // SAFETY: the caller's blocks and room.
            unsafe {
                let words = L::turned(|lane| L::row_of(at(lane), None));
                let factor = L::halves(|lane| at(lane).wrapping_add(16));
                for group in 0..groups {
                    let (word, byte) = (words[group / 4], 8 * (group as u32 % 4));
                    // The highest of the eight bits of a signed number counts -128.
                    let sign = L::field(word, byte + 7, 1);
                    let number = L::add_scaled(L::field(word, byte, 127), sign, L::same(-128.0));
                    let scale = L::add_scaled(L::zero(), number, factor);
                    L::store(to.scales.add((block * groups + group) * to.stride), scale);
                }
            }
        }
    }
}
