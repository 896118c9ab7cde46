//! Products of a few rows with a quantised matrix, which is read once and never written out: y = x · w^T of a decoding step.
//!
//! Each element is summed in lanes along k, then over the lanes, in an order that depends on k alone. Where the processor
//! multiplies bf16 and x is bf16, the levels of NF4 are rounded to bf16; what they are multiplied by is not.

use std::ops::Range;

use super::decode;
use super::{BLOCK, Matrix, ONE_OVER_127};
use crate::element::Element;
use crate::gemm::store::{Output, store};
use crate::isa::{Isa, Loop, mul_add, vectorised};
use crate::kernels::row;
use crate::pool::{Pool, scratch};

/// Rows of w whose products are kept at a time.
const STRIP: usize = 64;

/// How a product is computed, which also says how x lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Rows of w are written out in f32, one at a time, or taken as bytes; x is f32.
    Rows,
    /// Blocks of NF4 in vectors of so many; x is f32, even and odd elements apart.
    Vectors(usize),
    /// Blocks of NF4 by products of bf16; x is bf16, even and odd elements apart.
    Bf16Blocks,
    /// Bytes by products of bf16; x is as it was.
    Bf16Bytes,
}

impl Way {
    fn of(isa: Isa, w: Matrix, is_bf16: bool, k: usize) -> Self {
        let bf16 = is_bf16 && matches!(isa, Isa::Avx512Bf16 | Isa::Amx);
        match (w, isa) {
            (Matrix::Int8(_), _) if bf16 => Self::Bf16Bytes,
            (Matrix::Int8(_), _) | (_, Isa::Portable) => Self::Rows,
            _ if !k.is_multiple_of(BLOCK) => Self::Rows,
            _ if bf16 => Self::Bf16Blocks,
            (_, Isa::Avx2) => Self::Vectors(8),
            _ => Self::Vectors(16),
        }
    }
}

/// The bf16 elements of blocks, those with even numbers first.
fn part_blocks(to: &mut [u16], x: &[u16]) {
    for (to, x) in to.as_chunks_mut::<BLOCK>().0.iter_mut().zip(x.as_chunks::<BLOCK>().0) {
        for (i, pair) in x.as_chunks::<2>().0.iter().enumerate() {
            to[i] = pair[0];
            to[BLOCK / 2 + i] = pair[1];
        }
    }
}

/// The rows of x as f32, in the order that a kernel reads them.
struct Prepare<'a, E> {
    to: &'a mut [f32],
    x: *const E,
    /// In each run of twice this many elements those with even numbers come first; 0 leaves the order alone.
    lanes: usize,
}

impl<E: Element> Loop for Prepare<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Self { to, x, lanes } = self;
        if lanes == 0 {
            return unsafe { row::load(to, x) };
        }
        for (run, to) in to.chunks_exact_mut(2 * lanes).enumerate() {
            let x = unsafe { x.add(run * 2 * lanes) };
            for i in 0..lanes {
                to[i] = unsafe { x.add(2 * i).read() }.load();
                to[lanes + i] = unsafe { x.add(2 * i + 1).read() }.load();
            }
        }
    }
}

/// Some rows of w, and where their products with the rows of x go: c [m, cols].
#[derive(Clone, Copy)]
struct Side<'a> {
    c: *mut f32,
    ldc: usize,
    /// [m, k], where the way takes f32.
    x: &'a [f32],
    /// [m, k], where it takes bf16.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "no other processor multiplies bf16")
    )]
    bits: &'a [u16],
    m: usize,
    k: usize,
}

/// y [m, rows] (+)= x [m, k] · w^T (+ bias).
///
/// # Safety
/// x holds m · k elements, `out` the products, and the parts of `w` [rows, k] what their lengths say; the processor has
/// `isa`.
pub unsafe fn product<E: Element>(
    pool: &Pool,
    isa: Isa,
    out: &Output,
    x: *const E,
    w: Matrix,
    (m, rows, k): (usize, usize, usize),
) {
    let way = Way::of(isa, w, E::IS_BF16, k);
    let (is_parted, lanes) = match way {
        Way::Bf16Blocks => (true, 0),
        Way::Vectors(lanes) => (false, lanes),
        Way::Rows | Way::Bf16Bytes => (false, 0),
    };
    let floats = matches!(way, Way::Rows | Way::Vectors(_));
    let mut values = scratch::<f32>(if floats { m * k } else { 0 });
    let mut parted = scratch::<u16>(if is_parted { m * k } else { 0 });
    // SAFETY: the caller's; only a bf16 x is read as bits.
    let as_bits = unsafe { std::slice::from_raw_parts(x.cast::<u16>(), if floats { 0 } else { m * k }) };
    if floats {
        // SAFETY: the caller's.
        unsafe { vectorised(isa, Prepare { to: &mut values, x, lanes }) };
    } else if is_parted {
        part_blocks(&mut parted, as_bits);
    }
    let values = &*values;
    let bits = if is_parted { &*parted } else { as_bits };
    pool.ranges(rows, 16, |range| {
        let mut c = scratch::<f32>(STRIP * m);
        for first in range.clone().step_by(STRIP) {
            let strip = first..(first + STRIP).min(range.end);
            let side = Side { c: c.as_mut_ptr(), ldc: strip.len(), x: values, bits, m, k };
            // SAFETY: the caller's; ranges own disjoint parts of y.
            unsafe {
                strip_of(isa, way, side, w, strip.clone());
                store(isa, out, side.c, side.ldc, 0..m, strip);
            }
        }
    });
}

unsafe fn strip_of(isa: Isa, way: Way, side: Side<'_>, w: Matrix, rows: Range<usize>) {
    match w {
        #[cfg(target_arch = "x86_64")]
        Matrix::Nf4(w) if way == Way::Bf16Blocks => unsafe { x86::strip_bf16_blocks(side, w, rows) },
        #[cfg(target_arch = "x86_64")]
        Matrix::Int8(w) if way == Way::Bf16Bytes => unsafe { x86::strip_bf16_bytes(side, w, rows) },
        #[cfg(target_arch = "x86_64")]
        Matrix::Nf4(w) if way == Way::Vectors(16) => unsafe { x86::strip_512(side, w, rows) },
        #[cfg(target_arch = "x86_64")]
        Matrix::Nf4(w) if way == Way::Vectors(8) => unsafe { x86::strip_avx2(side, w, rows) },
        Matrix::Int8(w) if side.m == 1 => {
            for (at, r) in rows.enumerate() {
                unsafe {
                    let (codes, scale) = (w.codes.of::<i8>().add(r * w.cols), *w.scales.of::<f32>().add(r));
                    let codes = std::slice::from_raw_parts(codes, w.cols);
                    let sum = vectorised(isa, Bytes { x: side.x, codes });
                    side.c.add(at).write(sum * (scale * ONE_OVER_127));
                }
            }
        }
        _ => {
            let _ = way;
            let mut values = scratch::<f32>(side.k);
            for (at, r) in rows.enumerate() {
                unsafe {
                    match w {
                        Matrix::Nf4(w) => {
                            decode::nf4(isa, w, values.as_mut_ptr(), r * side.k..(r + 1) * side.k);
                        }
                        Matrix::Int8(w) => decode::int8(isa, w, values.as_mut_ptr(), r),
                    }
                    vectorised(isa, Dots { side, values: &values, at });
                }
            }
        }
    }
}

/// One row of w, written out, times every row of x.
struct Dots<'a> {
    side: Side<'a>,
    values: &'a [f32],
    at: usize,
}

impl Loop for Dots<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Side { c, ldc, x, m, k, .. } = self.side;
        for i in 0..m {
            let sum = row::dot::<FMA>(&x[i * k..(i + 1) * k], self.values);
            unsafe { c.add(i * ldc + self.at).write(sum) };
        }
    }
}

/// x · codes.
struct Bytes<'a> {
    x: &'a [f32],
    codes: &'a [i8],
}

impl Loop for Bytes<'_> {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) -> f32 {
        let mut sums = [0.0f32; 16];
        let (x, x_rest) = self.x.as_chunks::<16>();
        let (codes, codes_rest) = self.codes.as_chunks::<16>();
        for (x, codes) in x.iter().zip(codes) {
            let mut values = [0.0f32; 16];
            for (value, code) in values.iter_mut().zip(codes) {
                *value = f32::from(*code);
            }
            for i in 0..16 {
                sums[i] = mul_add::<FMA>(x[i], values[i], sums[i]);
            }
        }
        for ((sum, x), code) in sums.iter_mut().zip(x_rest).zip(codes_rest) {
            *sum = mul_add::<FMA>(*x, f32::from(*code), *sum);
        }
        row::sum(&sums)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use crate::element::f32_to_bf16;
    use crate::quantized::levels::NF4;
    use crate::quantized::{Int8, Nf4};
    use std::arch::x86_64::*;
    use std::mem::transmute;

    /// Calls `$tile` for one to eight rows of x at a time.
    macro_rules! each_row {
        ($tile:ident, $side:expr, $w:expr, $rows:expr) => {
            for (at, r) in $rows.enumerate() {
                for i in (0..$side.m).step_by(8) {
                    match ($side.m - i).min(8) {
                        1 => $tile::<1>($side, $w, r, at, i),
                        2 => $tile::<2>($side, $w, r, at, i),
                        3 => $tile::<3>($side, $w, r, at, i),
                        4 => $tile::<4>($side, $w, r, at, i),
                        5 => $tile::<5>($side, $w, r, at, i),
                        6 => $tile::<6>($side, $w, r, at, i),
                        7 => $tile::<7>($side, $w, r, at, i),
                        _ => $tile::<8>($side, $w, r, at, i),
                    }
                }
            }
        };
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub unsafe fn strip_512(side: Side<'_>, w: Nf4, rows: Range<usize>) {
        unsafe { each_row!(tile_512, side, w, rows) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn strip_avx2(side: Side<'_>, w: Nf4, rows: Range<usize>) {
        unsafe { each_row!(tile_avx2, side, w, rows) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    pub unsafe fn strip_bf16_blocks(side: Side<'_>, w: Nf4, rows: Range<usize>) {
        unsafe { each_row!(tile_bf16_blocks, side, w, rows) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    pub unsafe fn strip_bf16_bytes(side: Side<'_>, w: Int8, rows: Range<usize>) {
        unsafe { each_row!(tile_bf16_bytes, side, w, rows) }
    }

    /// Row r of w times R rows of x from row i on. A byte holds an even and an odd element: two look-ups of 32 words.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn tile_bf16_blocks<const R: usize>(side: Side<'_>, w: Nf4, r: usize, at: usize, i: usize) {
        unsafe {
            let k = side.k;
            let x = side.bits.as_ptr().add(i * k);
            // Twice the 16 levels: the fifth bit of an index is part of the other code.
            let table: [u16; 32] = std::array::from_fn(|j| f32_to_bf16(NF4[j % 16]));
            let levels = _mm512_loadu_si512(table.as_ptr().cast());
            let mut sums = [_mm512_setzero_ps(); R];
            let first = r * k / BLOCK;
            for b in 0..k / BLOCK {
                let scale = _mm512_set1_ps(w.scale(first + b));
                let codes = w.codes.of::<u8>().add((first + b) * (BLOCK / 2));
                let words = _mm512_cvtepu8_epi16(_mm256_loadu_si256(codes.cast()));
                let even = _mm512_permutexvar_epi16(_mm512_srli_epi16::<4>(words), levels);
                let odd = _mm512_permutexvar_epi16(words, levels);
                let (even, odd) = (transmute::<__m512i, __m512bh>(even), transmute::<__m512i, __m512bh>(odd));
                for (j, sum) in sums.iter_mut().enumerate() {
                    let x = x.add(j * k + b * BLOCK);
                    let first = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(x.cast()));
                    let second = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(x.add(32).cast()));
                    let part = _mm512_dpbf16_ps(_mm512_setzero_ps(), even, first);
                    *sum = _mm512_fmadd_ps(_mm512_dpbf16_ps(part, odd, second), scale, *sum);
                }
            }
            for (j, sum) in sums.iter().enumerate() {
                side.c.add((i + j) * side.ldc + at).write(_mm512_reduce_add_ps(*sum));
            }
        }
    }

    /// The same with bytes, which bf16 holds exactly.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn tile_bf16_bytes<const R: usize>(side: Side<'_>, w: Int8, r: usize, at: usize, i: usize) {
        unsafe {
            let k = side.k;
            let x = side.bits.as_ptr().add(i * k);
            let codes = w.codes.of::<i8>().add(r * k);
            let mut sums = [_mm512_setzero_ps(); R];
            let mut step = |p: usize, mask: __mmask32| {
                let bytes = _mm256_maskz_loadu_epi8(mask, codes.add(p));
                let low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes)));
                let high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256::<1>(bytes)));
                let values = _mm512_cvtne2ps_pbh(high, low);
                for (j, sum) in sums.iter_mut().enumerate() {
                    let x = _mm512_maskz_loadu_epi16(mask, x.add(j * k + p).cast());
                    *sum = _mm512_dpbf16_ps(*sum, values, transmute::<__m512i, __m512bh>(x));
                }
            };
            let whole = k / 32 * 32;
            for p in (0..whole).step_by(32) {
                step(p, !0);
            }
            if whole < k {
                step(whole, (1 << (k - whole)) - 1);
            }
            let scale = *w.scales.of::<f32>().add(r) * ONE_OVER_127;
            for (j, sum) in sums.iter().enumerate() {
                side.c.add((i + j) * side.ldc + at).write(_mm512_reduce_add_ps(*sum) * scale);
            }
        }
    }

    /// Row r of w times R rows of x from row i on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn tile_512<const R: usize>(side: Side<'_>, w: Nf4, r: usize, at: usize, i: usize) {
        unsafe {
            let k = side.k;
            let x = side.x.as_ptr().add(i * k);
            let levels = _mm512_loadu_ps(NF4.as_ptr());
            let mut even_sums = [_mm512_setzero_ps(); R];
            let mut odd_sums = [_mm512_setzero_ps(); R];
            let first = r * k / BLOCK;
            for b in 0..k / BLOCK {
                let scale = _mm512_set1_ps(w.scale(first + b));
                let codes = w.codes.of::<u8>().add((first + b) * (BLOCK / 2));
                for half in 0..2 {
                    let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.add(16 * half).cast()));
                    let even = _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(bytes), levels);
                    let odd = _mm512_permutexvar_ps(bytes, levels);
                    let (even, odd) = (_mm512_mul_ps(even, scale), _mm512_mul_ps(odd, scale));
                    let x = x.add(b * BLOCK + 32 * half);
                    for j in 0..R {
                        let x = x.add(j * k);
                        even_sums[j] = _mm512_fmadd_ps(even, _mm512_loadu_ps(x), even_sums[j]);
                        odd_sums[j] = _mm512_fmadd_ps(odd, _mm512_loadu_ps(x.add(16)), odd_sums[j]);
                    }
                }
            }
            for j in 0..R {
                let sum = _mm512_reduce_add_ps(_mm512_add_ps(even_sums[j], odd_sums[j]));
                side.c.add((i + j) * side.ldc + at).write(sum);
            }
        }
    }

    /// The same in vectors of eight.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn tile_avx2<const R: usize>(side: Side<'_>, w: Nf4, r: usize, at: usize, i: usize) {
        unsafe {
            let k = side.k;
            let x = side.x.as_ptr().add(i * k);
            let (low, high) = (_mm256_loadu_ps(NF4.as_ptr()), _mm256_loadu_ps(NF4.as_ptr().add(8)));
            let mut sums = [_mm256_setzero_ps(); R];
            let first = r * k / BLOCK;
            for b in 0..k / BLOCK {
                let scale = _mm256_set1_ps(w.scale(first + b));
                let codes = w.codes.of::<u8>().add((first + b) * (BLOCK / 2));
                for quarter in 0..4 {
                    let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.add(8 * quarter).cast()));
                    let even = decode::look_up(low, high, _mm256_srli_epi32::<4>(bytes));
                    let odd = decode::look_up(low, high, bytes);
                    let (even, odd) = (_mm256_mul_ps(even, scale), _mm256_mul_ps(odd, scale));
                    let x = x.add(b * BLOCK + 16 * quarter);
                    for (j, sum) in sums.iter_mut().enumerate() {
                        let x = x.add(j * k);
                        *sum = _mm256_fmadd_ps(even, _mm256_loadu_ps(x), *sum);
                        *sum = _mm256_fmadd_ps(odd, _mm256_loadu_ps(x.add(8)), *sum);
                    }
                }
            }
            for (j, sum) in sums.iter().enumerate() {
                let half = _mm_add_ps(_mm256_castps256_ps128(*sum), _mm256_extractf128_ps::<1>(*sum));
                let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
                let sum = _mm_add_ss(pair, _mm_movehdup_ps(pair));
                side.c.add((i + j) * side.ldc + at).write(_mm_cvtss_f32(sum));
            }
        }
    }
}
