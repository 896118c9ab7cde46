//! What a product knows about a format: codes of a run of values, what they stand for, and what they are multiplied by.

use super::lanes::{Lanes, Levels, MOST, STEP};
use crate::quantized::levels::{DYNAMIC, NF4};
use crate::quantized::{BLOCK, GROUP, Int8, Nf4, ONE_OVER_127};

/// Rows of weights in blocks: a value is what its code stands for, times the scale of its block. What codes stand for are numbers that
/// bf16 holds, or that are rounded to it once for the whole format.
///
/// A format of its own needs `codes`, `values`, `scales` and the order of the values; the products, for any number of rows on any
/// processor, are the same for all.
pub trait Blocks: Copy + Sync {
    /// Values of a block: a multiple of those in a step, or a part of them.
    const VALUES: usize;
    /// Bits of a code: a step has 8 · STEP / BITS values.
    const BITS: usize;
    /// Values that are in another order among themselves only.
    const GROUP: usize = 1;
    /// Whether a block has a number besides that is added to each of its values.
    const OFFSETS: bool = false;
    /// Bytes from the codes of a step to those of the next, for asking for them ahead.
    const STEP_BYTES: usize = 32;

    /// The value, of those of a group, that `values` has at place `i`; where two go together (`pairs`) they are neighbours.
    fn value_at(i: usize, pairs: bool) -> usize {
        let _ = pairs;
        i
    }

    /// Where a row begins, which need not exist.
    fn start(self, row: usize) -> *const u8;

    /// The codes of a step from value `at` of a row on, which begins at `start`. Beyond the row they are of anything finite.
    ///
    /// # Safety
    /// The matrix has the row, and `at` is a multiple of the values of a step, in one of its blocks; the processor has the
    /// instructions of the lanes.
    unsafe fn codes<L: Lanes>(self, row: usize, start: *const u8, at: usize) -> L::Row;

    /// What four bytes of codes stand for, in each lane: the first 32 / BITS values, or half as many pairs.
    ///
    /// # Safety
    /// The processor has the instructions of the lanes.
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8];

    /// Writes the scales of the first blocks of the rows of all lanes, and their offsets where the format has them.
    ///
    /// # Safety
    /// The matrix has rows and blocks, and there is room; the processor has the instructions of the lanes.
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales);
}

/// Rows in lanes, and where they begin.
#[derive(Clone, Copy)]
pub struct Starts {
    pub rows: [usize; MOST],
    pub at: [*const u8; MOST],
}

/// Where scales go: lanes beside each other, blocks `stride` apart.
#[derive(Clone, Copy)]
pub struct Scales {
    pub scales: *mut f32,
    pub offsets: *mut f32,
    pub stride: usize,
}

/// NF4 of which every row is whole blocks of `k` values.
#[derive(Clone, Copy)]
pub struct Nf4Blocks {
    pub w: Nf4,
    pub k: usize,
}

impl Levels for Nf4Blocks {
    const LEVELS: [f32; 16] = NF4;
}

impl Blocks for Nf4Blocks {
    const VALUES: usize = BLOCK;
    const BITS: usize = 4;
    const GROUP: usize = 8;

    /// Pairs are the same half of the bytes of neighbouring words.
    #[inline(always)]
    fn value_at(i: usize, pairs: bool) -> usize {
        if pairs { i % 2 * 4 + i / 2 } else { i }
    }

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.w.codes.of::<u8>().wrapping_add(row * self.k / 2)
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
        // SAFETY: the caller's block: 64 codes.
        unsafe { L::row(start.add(at / 2)) }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        // SAFETY: the caller's processor.
        unsafe { L::nibbles::<Self>(codes) }
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
        for lane in 0..L::LANES {
            let first = side.rows[lane] * (self.k / BLOCK);
            let mut block = 0;
            while block < blocks {
                // Blocks of one group, as `Nf4::scale` has them.
                let end = blocks.min((first + block) / GROUP * GROUP + GROUP - first);
                // SAFETY: the caller's blocks and room.
                unsafe {
                    let groups = self.w.groups.of::<f32>();
                    let (mean, factor) = (*groups, *groups.add(1 + (first + block) / GROUP));
                    let levels = self.w.scales.of::<u8>().add(first);
                    for block in block..end {
                        let level = DYNAMIC[usize::from(*levels.add(block))];
                        to.scales.add(block * to.stride + lane).write(level * factor + mean);
                    }
                }
                block = end;
            }
        }
    }
}

/// NF4 of rows in which blocks begin and end anywhere: its values, one after the other.
#[derive(Clone, Copy)]
pub struct Nf4Values {
    pub w: Nf4,
    pub k: usize,
}

impl Blocks for Nf4Values {
    const VALUES: usize = 64;
    const BITS: usize = 32;

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.w.codes.of::<u8>().wrapping_add(row * self.k / 2)
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, row: usize, _start: *const u8, at: usize) -> L::Row {
        let mut values = [0f32; STEP / 4];
        for (p, value) in (at..self.k).zip(&mut values) {
            let i = row * self.k + p;
            // SAFETY: an element of the row.
            unsafe {
                let byte = *self.w.codes.of::<u8>().add(i / 2);
                let code = if i.is_multiple_of(2) { byte >> 4 } else { byte & 15 };
                *value = NF4[usize::from(code)] * self.w.scale(i / BLOCK);
            }
        }
        // SAFETY: as many bytes.
        unsafe { L::row(values.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        [codes; 8]
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, _side: &Starts, blocks: usize, to: Scales) {
        for block in 0..blocks {
            for lane in 0..L::LANES {
                // SAFETY: the caller's room.
                unsafe { to.scales.add(block * to.stride + lane).write(1.0) };
            }
        }
    }
}

impl Blocks for Int8 {
    const VALUES: usize = 64;
    const BITS: usize = 8;

    #[inline(always)]
    fn start(self, row: usize) -> *const u8 {
        self.codes.of::<u8>().wrapping_add(row * self.cols)
    }

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, _row: usize, start: *const u8, at: usize) -> L::Row {
        // SAFETY: codes of the row.
        unsafe {
            let codes = start.wrapping_add(at);
            if at + STEP <= self.cols {
                return L::row(codes);
            }
            let mut some = [0u8; STEP];
            for (p, code) in (at..self.cols).zip(&mut some) {
                *code = *codes.add(p - at);
            }
            L::row(some.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn values<L: Lanes>(codes: L::Codes) -> [L::Codes; 8] {
        // SAFETY: the caller's processor.
        unsafe { L::bytes(codes) }
    }

    #[inline(always)]
    unsafe fn scales<L: Lanes>(self, side: &Starts, blocks: usize, to: Scales) {
        for lane in 0..L::LANES {
            // SAFETY: the caller's rows and room.
            unsafe {
                let scale = *self.scales.of::<f32>().add(side.rows[lane]) * ONE_OVER_127;
                for block in 0..blocks {
                    to.scales.add(block * to.stride + lane).write(scale);
                }
            }
        }
    }
}
