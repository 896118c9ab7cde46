//! Blocks of GGUF files in products. Those of four bits and of eight are multiplied as they lie; others are taken out of their form a few
//! rows at a time, to whole numbers of eight bits.

use super::blocks::{Blocks, Scales, Starts};
use super::lanes::{Lanes, Levels};
use crate::isa::Isa;
use crate::quantized::gguf::{Block, Gguf, Q4_0, Q4_1, Q4K, Q8_0, expand, expanded, expanded_scales};

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

/// Q4_0 and Q4_1: blocks of 32 values, of which a step has two.
macro_rules! nibbles {
    ($name:ident of $block:ident, levels from $least:literal, codes at $codes:literal) => {
        #[derive(Clone, Copy)]
        pub struct $name(pub Gguf);

        impl Levels for $name {
            const LEVELS: [f32; 16] = whole($least);
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

nibbles!(Q4_0Rows of Q4_0, levels from -8, codes at 2);
nibbles!(Q4_1Rows of Q4_1, levels from 0, codes at 4);

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
        let stride = to.stride;
        for block in 0..blocks / 8 {
            // SAFETY: the caller's blocks and room.
            unsafe {
                // What `k_scales` does, in all lanes: both factors, then six bits of each number in three words.
                let words = L::turned(|lane| L::row(side.at[lane].add(block * Q4K::BYTES)));
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
}

/// Eight numbers of each lane, to lanes beside each other and numbers `stride` apart.
///
/// # Safety
/// The numbers lie there, and there is room for them; the processor has the instructions of the lanes.
#[inline(always)]
unsafe fn turn<L: Lanes>(to: *mut f32, stride: usize, of: impl Fn(usize) -> *const f32) {
    // SAFETY: the caller's numbers, room and processor.
    unsafe {
        let turned = L::turned(|lane| L::row(of(lane).cast()));
        for (i, values) in turned.into_iter().enumerate() {
            L::store_packed(to.add(i * stride).cast(), values);
        }
    }
}

/// Kinds with a scale for each `GROUP` values, through whole numbers of eight bits; those of 32 have offsets, if only of nothing.
#[derive(Clone, Copy)]
pub struct Expanded<const GROUP: usize> {
    pub w: Gguf,
    pub isa: Isa,
}

impl<const GROUP: usize> Blocks for Expanded<GROUP> {
    const VALUES: usize = GROUP;
    const BITS: usize = 8;
    const OFFSETS: bool = GROUP == 32;

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.w.start(row)
    }

    #[inline(always)]
    fn expanded(self) -> usize {
        expanded(self.w.cols, GROUP).next_multiple_of(64)
    }

    #[inline(always)]
    unsafe fn expand(self, row: usize, to: *mut u8) {
        // SAFETY: the caller's row and room; the instruction set of the context.
        unsafe { expand(self.isa, self.w, row, to) }
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
        // SAFETY: an expanded row, and the caller's processor.
        unsafe { L::row(start.wrapping_add(at)) }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        // SAFETY: the caller's processor.
        unsafe { L::bytes(codes) }
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
        let (groups, start) = (self.w.cols / GROUP, expanded_scales(self.w.cols));
        let of = |lane: usize, part: usize, block: usize| {
            side.at[lane].wrapping_add(start).cast::<f32>().wrapping_add(part * groups + block)
        };
        for (part, to_part) in [to.scales, to.offsets].into_iter().enumerate() {
            if part == 1 && !Self::OFFSETS {
                break;
            }
            // SAFETY: an expanded row, and the caller's room.
            unsafe {
                let whole = blocks / 8 * 8;
                for block in (0..whole).step_by(8) {
                    turn::<L>(to_part.add(block * to.stride), to.stride, |lane| of(lane, part, block));
                }
                for block in whole..blocks {
                    for lane in 0..L::LANES {
                        to_part.add(block * to.stride + lane).write(*of(lane, part, block));
                    }
                }
            }
        }
    }
}
