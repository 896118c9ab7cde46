//! Rows of x as whole numbers, with a scale for each block of k.

use super::BLOCK;
use super::micro::Micro8;
use crate::dtype::FloatDType;
use crate::element::Element;
use crate::gemm::ahead::{Region, Use};
use crate::gemm::micro::MAX_ROWS;
use crate::isa::{Isa, Loop, vectorised};
use crate::memory::Ptr;
use crate::pool::{Pool, Scratch, scratch};
use crate::quantized::ONE_OVER_127;
use crate::row;
use crate::with_element;
use std::ops::Range;

/// Adding and taking away 1.5 · 2^23 rounds to the nearest whole number, ties to even.
const ROUND: f32 = 12_582_912.0;
/// Blocks of which no magnitude is larger count as zeros: 127 divided by it would not be finite, or nearly so.
const LEAST: f32 = 1e-35;

/// Codes of rows, as a kernel multiplies them.
pub struct Codes {
    codes: Scratch<u8>,
    scales: Scratch<f32>,
    starts: Scratch<i32>,
    /// Bytes of a code.
    size: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Blocks of a row.
    pub blocks: usize,
}

// SAFETY: only read while tasks run.
unsafe impl Sync for Codes {}

impl Codes {
    /// The codes of x [m, k], times `factors` [k] where that is not null.
    ///
    /// # Safety
    /// `x` and `factors` hold the elements; the processor has `isa`.
    pub unsafe fn of(
        pool: &Pool,
        isa: Isa,
        micro: &Micro8,
        (x, dtype): (*const u8, FloatDType),
        factors: *const f32,
        (m, k): (usize, usize),
    ) -> Self {
        let size = 4 / micro.values;
        // An odd number of cache lines, so that rows fall into different sets.
        let stride = ((4 * micro.units(k)).div_ceil(64) | 1) * 64;
        let blocks = k.div_ceil(BLOCK);
        // Kernels read the lines of whole tiles.
        let mut codes = scratch::<u8>((m + MAX_ROWS) * stride);
        let mut scales = scratch::<f32>(m * blocks);
        let mut starts = scratch::<i32>(m * blocks);
        let (to, to_scales, to_starts) = (Ptr::to(&mut codes), Ptr::to(&mut scales), Ptr::to(&mut starts));
        let given = Given { x, factors };
        pool.ranges(m, row::grain(k), |range| {
            let Given { x, factors } = *given.get();
            // SAFETY: the caller's elements; other threads have other rows.
            with_element!(dtype, E => unsafe {
                let part = Part {
                    x: x.cast::<E>().add(range.start * k),
                    factors,
                    codes: to.of::<u8>().add(range.start * stride),
                    stride,
                    scales: to_scales.elements(range.start * blocks..range.end * blocks),
                    starts: to_starts.elements(range.start * blocks..range.end * blocks),
                    k,
                    offset: if micro.unsigned { -128 } else { 0 },
                };
                #[cfg(target_arch = "x86_64")]
                if size == 1 && isa >= Isa::Avx512 {
                    return x86::run(part);
                }
                if size == 1 {
                    vectorised(isa, Bytes(part));
                } else {
                    vectorised(isa, Words(part));
                }
            });
        });
        Self { codes, scales, starts, size, stride, blocks }
    }

    /// Where the code of a value is.
    pub fn at(&self, row: usize, value: usize) -> *const u8 {
        self.codes.as_ptr().wrapping_add(row * self.stride + value * self.size)
    }

    pub fn scale(&self, row: usize, block: usize) -> *const f32 {
        self.scales.as_ptr().wrapping_add(row * self.blocks + block)
    }

    pub fn start(&self, row: usize, block: usize) -> *const i32 {
        self.starts.as_ptr().wrapping_add(row * self.blocks + block)
    }

    /// Where the codes of these blocks are.
    pub fn region(&self, rows: Range<usize>, blocks: Range<usize>) -> Region {
        let at = self.at(rows.start, blocks.start * BLOCK);
        Region::of(at, self.stride, (rows.len(), blocks.len() * BLOCK * self.size), Use::Read)
    }
}

#[derive(Clone, Copy)]
struct Given {
    x: *const u8,
    factors: *const f32,
}

// SAFETY: only read.
unsafe impl Sync for Given {}

impl Given {
    fn get(&self) -> &Self {
        self
    }
}

/// Rows that one thread takes.
struct Part<'a, E> {
    x: *const E,
    factors: *const f32,
    codes: *mut u8,
    stride: usize,
    scales: &'a mut [f32],
    starts: &'a mut [i32],
    k: usize,
    /// What a sum over codes of w starts with for each code of x: kernels of unsigned codes have 128 added to each of w.
    offset: i32,
}

/// To codes of one byte, and of two.
struct Bytes<'a, E>(Part<'a, E>);
struct Words<'a, E>(Part<'a, E>);

impl<E: Element> Loop for Bytes<'_, E> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // SAFETY: whoever made the part says that it is there.
        unsafe { run::<E, i8>(self.0) }
    }
}

impl<E: Element> Loop for Words<'_, E> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // SAFETY: as above.
        unsafe { run::<E, i16>(self.0) }
    }
}

/// A whole number as a kernel reads it.
trait Code: Copy {
    fn of(number: i32) -> Self;
}

impl Code for i8 {
    #[inline(always)]
    fn of(number: i32) -> Self {
        number as Self
    }
}

impl Code for i16 {
    #[inline(always)]
    fn of(number: i32) -> Self {
        number as Self
    }
}

/// # Safety
/// The part's addresses hold its rows.
#[inline(always)]
unsafe fn run<E: Element, C: Code>(part: Part<'_, E>) {
    let Part { x, factors, codes, stride, scales, starts, k, offset } = part;
    let blocks = k.div_ceil(BLOCK);
    for (r, (scales, starts)) in
        scales.chunks_mut(blocks.max(1)).zip(starts.chunks_mut(blocks.max(1))).enumerate()
    {
        for (b, (scale, start)) in scales.iter_mut().zip(starts).enumerate() {
            let (at, len) = (b * BLOCK, BLOCK.min(k - b * BLOCK));
            let mut values = [0f32; BLOCK];
            // SAFETY: values of the row, factors of as many, and room for their codes, which rows have in whole units of four bytes.
            unsafe {
                let from = x.add(r * k + at);
                let to = codes.add(r * stride).cast::<C>().add(at);
                if len == BLOCK {
                    row::load_at(&mut values, from);
                    if !factors.is_null() {
                        times(&mut values, &*factors.add(at).cast::<[f32; BLOCK]>());
                    }
                    let (found, sum) = block(&values, &mut *to.cast::<[C; BLOCK]>());
                    (*scale, *start) = (found, offset * sum);
                } else {
                    row::load_at(&mut values[..len], from);
                    if !factors.is_null() {
                        for (i, value) in values[..len].iter_mut().enumerate() {
                            *value *= *factors.add(at + i);
                        }
                    }
                    let mut room = [C::of(0); BLOCK];
                    let (found, sum) = block(&values, &mut room);
                    (*scale, *start) = (found, offset * sum);
                    let whole = len.next_multiple_of(4 / size_of::<C>());
                    for (i, code) in room[..whole].iter().enumerate() {
                        to.add(i).write_unaligned(*code);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn times(values: &mut [f32; BLOCK], factors: &[f32; BLOCK]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}

/// Codes of a block, its scale, and the sum of the codes. A NaN or an infinity makes the scale NaN.
#[inline(always)]
fn block<C: Code>(values: &[f32; BLOCK], to: &mut [C; BLOCK]) -> (f32, i32) {
    // Magnitudes are ordered as their bits are, and what is not finite comes behind all that is.
    let mut lanes = [0i32; 16];
    for values in values.as_chunks::<16>().0 {
        for (lane, value) in lanes.iter_mut().zip(values) {
            let bits = (value.to_bits() & 0x7fff_ffff) as i32;
            *lane = if bits > *lane { bits } else { *lane };
        }
    }
    let most = f32::from_bits(lanes.iter().fold(0, |a, b| if *b > a { *b } else { a }) as u32);
    let factor = if most > LEAST && most.is_finite() { 127.0 / most } else { 0.0 };
    let mut sums = [0i32; 16];
    for (values, to) in values.as_chunks::<16>().0.iter().zip(to.as_chunks_mut::<16>().0) {
        for ((value, to), sum) in values.iter().zip(to).zip(&mut sums) {
            // What is not finite has no code.
            let value = if factor == 0.0 { 0.0 } else { *value * factor };
            let code = (value + ROUND).to_bits() as i32 - ROUND.to_bits() as i32;
            *sum += code;
            *to = C::of(code);
        }
    }
    let scale = if most <= LEAST { 0.0 } else { most * ONE_OVER_127 };
    (if most.is_finite() { scale } else { f32::NAN }, sums.iter().sum())
}

/// Codes of one byte with AVX-512.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, LEAST, Part};
    use crate::element::Element;
    use crate::gemm::dot::load;
    use crate::quantized::ONE_OVER_127;
    use std::arch::x86_64::*;

    const VECTORS: usize = BLOCK / 16;

    /// # Safety
    /// As for [`super::run`], on a processor with the features.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub unsafe fn run<E: Element>(part: Part<'_, E>) {
        let Part { x, factors, codes, stride, scales, starts, k, offset } = part;
        let blocks = k.div_ceil(BLOCK);
        for (i, (scale, start)) in scales.iter_mut().zip(starts).enumerate() {
            let (r, at) = (i / blocks, i % blocks * BLOCK);
            let len = BLOCK.min(k - at);
            // SAFETY: values of the row, factors of as many, and room for their codes in whole units of four bytes, of which a mask covers
            // no more.
            unsafe {
                let (from, to) = (x.add(r * k + at), codes.add(r * stride + at));
                let mut values = [_mm512_setzero_ps(); VECTORS];
                let mut most = _mm512_setzero_si512();
                for (v, value) in values.iter_mut().enumerate() {
                    let left = len.saturating_sub(16 * v);
                    let mask: __mmask16 = if left >= 16 { !0 } else { (1 << left) - 1 };
                    *value = load(from.wrapping_add(16 * v), mask);
                    if !factors.is_null() {
                        let factors = _mm512_maskz_loadu_ps(mask, factors.wrapping_add(at + 16 * v));
                        *value = _mm512_mul_ps(*value, factors);
                    }
                    // Magnitudes are ordered as their bits are, and what is not finite comes behind all that is.
                    let bits = _mm512_and_si512(_mm512_castps_si512(*value), _mm512_set1_epi32(0x7fff_ffff));
                    most = _mm512_max_epi32(most, bits);
                }
                let most = f32::from_bits(_mm512_reduce_max_epi32(most) as u32);
                let has_codes = most > LEAST && most.is_finite();
                let factor = _mm512_set1_ps(if has_codes { 127.0 / most } else { 0.0 });
                let mut numbers = [_mm512_setzero_si512(); VECTORS];
                for (number, value) in numbers.iter_mut().zip(&values) {
                    if has_codes {
                        *number = _mm512_cvtps_epi32(_mm512_mul_ps(*value, factor));
                    }
                }
                let [a, b, c, d] = numbers;
                let sum = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
                // Each of the four parts of a register has four codes of each vector.
                let bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
                let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
                let bytes = _mm512_permutexvar_epi32(order, bytes);
                let whole = len.next_multiple_of(4);
                let mask: __mmask64 = if whole == 64 { !0 } else { (1 << whole) - 1 };
                _mm512_mask_storeu_epi8(to.cast(), mask, bytes);
                *start = offset * _mm512_reduce_add_epi32(sum);
                *scale = match most {
                    most if !most.is_finite() => f32::NAN,
                    most if has_codes => most * ONE_OVER_127,
                    _ => 0.0,
                };
            }
        }
    }
}
