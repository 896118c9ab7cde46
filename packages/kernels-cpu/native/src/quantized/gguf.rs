//! Weights in the blocks of a GGUF file, as they lie there: rows of whole blocks, each with scales of its own. `checkpoint/blocks/` of
//! `@ift/core` gives the layouts. A value is a whole number times a scale, exact in f32, plus or minus one number more, which rounds:
//! the values are those of ggml bit for bit, with fused operations and without. Over 400 lines: one table for each
//! layout, read best beside each other.

use std::marker::PhantomData;
use std::ops::Range;

use crate::element::{Element, F16};
use crate::isa::{Isa, Loop, vectorised};
use crate::memory::Ptr;
use crate::row;

/// Types of blocks that are multiplied as they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
    Iq4Nl,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
        Self::Iq4Nl,
    ];

    /// The type that has this number in GGUF files.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    pub const fn number(self) -> u32 {
        match self {
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::Iq4Nl => 20,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_k",
            Self::Q5K => "q5_k",
            Self::Q6K => "q6_k",
            Self::Iq4Nl => "iq4_nl",
        }
    }

    /// Values of a block, and its bytes.
    pub const fn sizes(self) -> (usize, usize) {
        match self {
            Self::Q4_0 | Self::Iq4Nl => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }
}

/// A matrix [rows, cols] of blocks.
#[derive(Clone, Copy)]
pub struct Gguf {
    pub kind: Kind,
    pub rows: usize,
    pub cols: usize,
    pub codes: Ptr,
}

impl Gguf {
    /// Bytes of a row.
    pub fn stride(&self) -> usize {
        let (size, bytes) = self.kind.sizes();
        self.cols / size * bytes
    }

    /// Where a row begins, which need not exist.
    pub fn start(&self, row: usize) -> *const u8 {
        self.codes.of::<u8>().wrapping_add(row * self.stride())
    }
}

/// What the numbers of IQ4_NL stand for.
pub const IQ4_NL: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The half at an address.
///
/// # Safety
/// Two bytes lie there.
#[inline(always)]
pub unsafe fn half(at: *const u8) -> f32 {
    // SAFETY: the caller's bytes.
    F16(u16::from_le(unsafe { at.cast::<u16>().read_unaligned() })).load()
}

/// What a block says: whole numbers in order, and for each `GROUP` of them what they are multiplied by and what is added.
pub trait Block: Copy + Send + Sync + 'static {
    const SIZE: usize;
    const BYTES: usize;
    /// Values that share a scale.
    const GROUP: usize;
    /// Whether something is added.
    const OFFSETS: bool;

    /// Writes 32 whole numbers from number `at` on, a multiple of 32.
    ///
    /// # Safety
    /// The block is there.
    unsafe fn numbers(block: *const u8, at: usize, to: &mut [i8; 32]);

    /// What the numbers of a group are multiplied by, and what is added to the products.
    ///
    /// # Safety
    /// The block is there and has the group.
    unsafe fn scale(block: *const u8, group: usize) -> (f32, f32);
}

macro_rules! block {
    ($name:ident: $size:literal in $bytes:literal, groups of $group:literal, offsets $offsets:literal,
     numbers($block:ident, $at:ident, $to:ident) $numbers:block
     scale($from:ident, $of:ident) $scale:block) => {
        #[derive(Clone, Copy)]
        pub struct $name;

        impl Block for $name {
            const SIZE: usize = $size;
            const BYTES: usize = $bytes;
            const GROUP: usize = $group;
            const OFFSETS: bool = $offsets;

            #[inline(always)]
            unsafe fn numbers($block: *const u8, $at: usize, $to: &mut [i8; 32]) {
                // SAFETY: bytes of the caller's block.
                unsafe { $numbers }
            }

            #[inline(always)]
            unsafe fn scale($from: *const u8, $of: usize) -> (f32, f32) {
                // SAFETY: bytes of the caller's block.
                unsafe { $scale }
            }
        }
    };
}

block! {
    Q4_0: 32 in 18, groups of 32, offsets false,
    numbers(block, _at, to) {
        let q = block.add(2).cast::<[u8; 16]>().read();
        for i in 0..16 {
            to[i] = (q[i] & 15) as i8 - 8;
            to[i + 16] = (q[i] >> 4) as i8 - 8;
        }
    }
    scale(block, _group) { (half(block), 0.0) }
}

block! {
    Q4_1: 32 in 20, groups of 32, offsets true,
    numbers(block, _at, to) {
        let q = block.add(4).cast::<[u8; 16]>().read();
        for i in 0..16 {
            to[i] = (q[i] & 15) as i8;
            to[i + 16] = (q[i] >> 4) as i8;
        }
    }
    scale(block, _group) { (half(block), half(block.add(2))) }
}

/// The fifth bits of 32 numbers in order: each as 16 or 0.
#[inline(always)]
fn fifths(bits: u32, i: usize) -> u8 {
    ((bits >> i & 1) << 4) as u8
}

block! {
    Q5_0: 32 in 22, groups of 32, offsets false,
    numbers(block, _at, to) {
        let bits = u32::from_le(block.add(2).cast::<u32>().read_unaligned());
        let q = block.add(6).cast::<[u8; 16]>().read();
        for i in 0..16 {
            to[i] = (q[i] & 15 | fifths(bits, i)) as i8 - 16;
            to[i + 16] = (q[i] >> 4 | fifths(bits, i + 16)) as i8 - 16;
        }
    }
    scale(block, _group) { (half(block), 0.0) }
}

block! {
    Q5_1: 32 in 24, groups of 32, offsets true,
    numbers(block, _at, to) {
        let bits = u32::from_le(block.add(4).cast::<u32>().read_unaligned());
        let q = block.add(8).cast::<[u8; 16]>().read();
        for i in 0..16 {
            to[i] = (q[i] & 15 | fifths(bits, i)) as i8;
            to[i + 16] = (q[i] >> 4 | fifths(bits, i + 16)) as i8;
        }
    }
    scale(block, _group) { (half(block), half(block.add(2))) }
}

block! {
    Q8_0: 32 in 34, groups of 32, offsets false,
    numbers(block, _at, to) { *to = block.add(2).cast::<[i8; 32]>().read() }
    scale(block, _group) { (half(block), 0.0) }
}

block! {
    Q4K: 256 in 144, groups of 32, offsets true,
    numbers(block, at, to) {
        let q = block.add(16 + at / 64 * 32).cast::<[u8; 32]>().read();
        let shift = at / 32 % 2 * 4;
        for i in 0..32 {
            to[i] = (q[i] >> shift & 15) as i8;
        }
    }
    scale(block, group) {
        let (scales, offsets) = k_scales(block);
        (scales[group], offsets[group])
    }
}

block! {
    Q5K: 256 in 176, groups of 32, offsets true,
    numbers(block, at, to) {
        let q = block.add(48 + at / 64 * 32).cast::<[u8; 32]>().read();
        let high = block.add(16).cast::<[u8; 32]>().read();
        let (shift, bit) = (at / 32 % 2 * 4, at / 32);
        for i in 0..32 {
            to[i] = (q[i] >> shift & 15 | (high[i] >> bit & 1) << 4) as i8;
        }
    }
    scale(block, group) {
        let (scales, offsets) = k_scales(block);
        (scales[group], offsets[group])
    }
}

block! {
    Q6K: 256 in 210, groups of 16, offsets false,
    numbers(block, at, to) {
        let (half, within) = (at / 128, at / 32 % 4);
        let low = block.add(half * 64 + within % 2 * 32).cast::<[u8; 32]>().read();
        let high = block.add(128 + half * 32).cast::<[u8; 32]>().read();
        let (shift, high_shift) = (within / 2 * 4, within * 2);
        for i in 0..32 {
            to[i] = (low[i] >> shift & 15 | (high[i] >> high_shift & 3) << 4) as i8 - 32;
        }
    }
    scale(block, group) {
        (half(block.add(208)) * f32::from(*block.add(192 + group).cast::<i8>()), 0.0)
    }
}

block! {
    Iq4Nl: 32 in 18, groups of 32, offsets false,
    numbers(block, _at, to) {
        let q = block.add(2).cast::<[u8; 16]>().read();
        for i in 0..16 {
            to[i] = IQ4_NL[usize::from(q[i] & 15)];
            to[i + 16] = IQ4_NL[usize::from(q[i] >> 4)];
        }
    }
    scale(block, _group) { (half(block), 0.0) }
}

/// What the numbers of each group of Q4_K or Q5_K are multiplied by, and what is added: six bits of each in twelve bytes, those from group 4
/// on in two places.
///
/// # Safety
/// The block is there.
#[inline(always)]
pub unsafe fn k_scales(block: *const u8) -> ([f32; 8], [f32; 8]) {
    // SAFETY: bytes of the caller's block.
    let (d, least, packed) =
        unsafe { (half(block), half(block.add(2)), block.add(4).cast::<[[u8; 4]; 3]>().read()) };
    let [a, b, c] = packed.map(u32::from_le_bytes);
    let word = |low: u32, high: u32| {
        let (low, high) = (low.to_le_bytes(), high.to_le_bytes());
        [low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]]
    };
    let scales = word(a & 0x3f3f_3f3f, c & 0x0f0f_0f0f | (a >> 6 & 0x0303_0303) << 4);
    let mins = word(b & 0x3f3f_3f3f, c >> 4 & 0x0f0f_0f0f | (b >> 6 & 0x0303_0303) << 4);
    let (mut to_scales, mut to_offsets) = ([0.0; 8], [0.0; 8]);
    for i in 0..8 {
        to_scales[i] = d * f32::from(scales[i]);
        to_offsets[i] = -(least * f32::from(mins[i]));
    }
    (to_scales, to_offsets)
}

/// Evaluates an expression with `$block` as the [`Block`] of a kind.
macro_rules! with_block {
    ($kind:expr, $block:ident => $body:expr) => {
        match $kind {
            $crate::quantized::gguf::Kind::Q4_0 => {
                type $block = $crate::quantized::gguf::Q4_0;
                $body
            }
            $crate::quantized::gguf::Kind::Q4_1 => {
                type $block = $crate::quantized::gguf::Q4_1;
                $body
            }
            $crate::quantized::gguf::Kind::Q5_0 => {
                type $block = $crate::quantized::gguf::Q5_0;
                $body
            }
            $crate::quantized::gguf::Kind::Q5_1 => {
                type $block = $crate::quantized::gguf::Q5_1;
                $body
            }
            $crate::quantized::gguf::Kind::Q8_0 => {
                type $block = $crate::quantized::gguf::Q8_0;
                $body
            }
            $crate::quantized::gguf::Kind::Q4K => {
                type $block = $crate::quantized::gguf::Q4K;
                $body
            }
            $crate::quantized::gguf::Kind::Q5K => {
                type $block = $crate::quantized::gguf::Q5K;
                $body
            }
            $crate::quantized::gguf::Kind::Q6K => {
                type $block = $crate::quantized::gguf::Q6K;
                $body
            }
            $crate::quantized::gguf::Kind::Iq4Nl => {
                type $block = $crate::quantized::gguf::Iq4Nl;
                $body
            }
        }
    };
}
/// Values of rows.
struct Decoded<B, E> {
    w: Gguf,
    y: *mut E,
    rows: Range<usize>,
    block: PhantomData<B>,
}

impl<B: Block, E: Element> Loop for Decoded<B, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Self { w, rows, .. } = self;
        let mut to = self.y;
        let (mut numbers, mut values) = ([0i8; 32], [0f32; 32]);
        for row in rows {
            let mut block = w.start(row);
            for _ in 0..w.cols / B::SIZE {
                for at in (0..B::SIZE).step_by(32) {
                    // SAFETY: a block of the row, and room for its values, as whoever made this says.
                    unsafe {
                        B::numbers(block, at, &mut numbers);
                        let first = B::scale(block, at / B::GROUP);
                        let second = if B::GROUP < 32 { B::scale(block, at / B::GROUP + 1) } else { first };
                        let halves = numbers.as_chunks::<16>().0.iter().zip(values.as_chunks_mut::<16>().0);
                        for ((numbers, values), (scale, offset)) in halves.zip([first, second]) {
                            for i in 0..16 {
                                let value = f32::from(numbers[i]) * scale;
                                values[i] = if B::OFFSETS { value + offset } else { value };
                            }
                        }
                        row::store(&mut *to.cast::<[E; 32]>(), &values);
                        to = to.add(32);
                    }
                }
                block = block.wrapping_add(B::BYTES);
            }
        }
    }
}

/// y = the values of some rows, the first of them at y.
///
/// # Safety
/// `w` holds the rows and y has room for them; the processor has `isa`.
pub unsafe fn decode<E: Element>(isa: Isa, w: Gguf, y: *mut E, rows: Range<usize>) {
    // SAFETY: the caller's rows and room, and instruction set.
    with_block!(w.kind, B => unsafe {
        vectorised(isa, Decoded::<B, E> { w, y, rows, block: PhantomData });
    });
}
