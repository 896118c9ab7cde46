//! From codes to numbers.

use std::ops::Range;

use super::levels::NF4;
use super::{BLOCK, Int8, Matrix, Nf4, ONE_OVER_127};
use crate::element::Element;
use crate::isa::{Isa, Loop, vectorised};
use crate::pool::Pool;
use crate::row;

/// The values of a whole block.
#[inline(always)]
unsafe fn block(to: &mut [f32; BLOCK], codes: *const u8, scale: f32) {
    for (i, pair) in to.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let byte = unsafe { *codes.add(i) };
        *pair = [NF4[usize::from(byte >> 4)] * scale, NF4[usize::from(byte & 15)] * scale];
    }
}

/// Calls `$block` for whole blocks among `$range`, which are elements, and looks up the others one by one.
macro_rules! values {
    ($block:path, $w:expr, $y:expr, $range:expr) => {{
        let (w, y, range): (Nf4, _, Range<usize>) = ($w, $y, $range);
        let mut at = range.start;
        let mut values = [0.0f32; BLOCK];
        while at < range.end {
            let b = at / BLOCK;
            let scale = w.scale(b);
            let to = y.add(at - range.start);
            if at == b * BLOCK && at + BLOCK <= range.end {
                $block(&mut values, w.codes.of::<u8>().add(at / 2), scale);
                row::store(to, &values);
                at += BLOCK;
            } else {
                let end = ((b + 1) * BLOCK).min(range.end);
                for i in at..end {
                    let byte = *w.codes.of::<u8>().add(i / 2);
                    let code = if i % 2 == 0 { byte >> 4 } else { byte & 15 };
                    to.add(i - at).write(E::store(NF4[usize::from(code)] * scale));
                }
                at = end;
            }
        }
    }};
}

struct Elements<E> {
    w: Nf4,
    y: *mut E,
    range: Range<usize>,
}

impl<E: Element> Loop for Elements<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        unsafe { values!(block, self.w, self.y, self.range) }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::*;

    /// Levels of eight codes; bits above the fourth are ignored.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub unsafe fn look_up(low: __m256, high: __m256, codes: __m256i) -> __m256 {
        let (a, b) = (_mm256_permutevar8x32_ps(low, codes), _mm256_permutevar8x32_ps(high, codes));
        _mm256_blendv_ps(a, b, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(codes)))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn block_avx2(to: &mut [f32; BLOCK], codes: *const u8, scale: f32) {
        unsafe {
            let (low, high) = (_mm256_loadu_ps(NF4.as_ptr()), _mm256_loadu_ps(NF4.as_ptr().add(8)));
            let scale = _mm256_set1_ps(scale);
            for (i, to) in to.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.add(8 * i).cast()));
                let even = _mm256_mul_ps(look_up(low, high, _mm256_srli_epi32::<4>(bytes)), scale);
                let odd = _mm256_mul_ps(look_up(low, high, bytes), scale);
                let (a, b) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
                _mm256_storeu_ps(to.as_mut_ptr(), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.as_mut_ptr().add(8), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn block_512(to: &mut [f32; BLOCK], codes: *const u8, scale: f32) {
        unsafe {
            let levels = _mm512_loadu_ps(NF4.as_ptr());
            let scale = _mm512_set1_ps(scale);
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            for (i, to) in to.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.add(16 * i).cast()));
                let even = _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(bytes), levels);
                let odd = _mm512_permutexvar_ps(bytes, levels);
                let (even, odd) = (_mm512_mul_ps(even, scale), _mm512_mul_ps(odd, scale));
                _mm512_storeu_ps(to.as_mut_ptr(), _mm512_permutex2var_ps(even, first, odd));
                _mm512_storeu_ps(to.as_mut_ptr().add(16), _mm512_permutex2var_ps(even, second, odd));
            }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn elements_avx2<E: Element>(w: Nf4, y: *mut E, range: Range<usize>) {
        unsafe { values!(block_avx2, w, y, range) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub unsafe fn elements_512<E: Element>(w: Nf4, y: *mut E, range: Range<usize>) {
        unsafe { values!(block_512, w, y, range) }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::look_up;

/// y = the values of some elements, the first of them at y.
///
/// # Safety
/// `w` holds the elements and y has room for them; the processor has `isa`.
pub unsafe fn nf4<E: Element>(isa: Isa, w: Nf4, y: *mut E, range: Range<usize>) {
    unsafe {
        #[cfg(target_arch = "x86_64")]
        match isa {
            Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => return x86::elements_512(w, y, range),
            Isa::Avx2 => return x86::elements_avx2(w, y, range),
            Isa::Portable => {}
        }
        vectorised(isa, Elements { w, y, range });
    }
}

struct Row<E> {
    y: *mut E,
    codes: *const i8,
    scale: f32,
    cols: usize,
}

impl<E: Element> Loop for Row<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for i in 0..self.cols {
            let value = f32::from(unsafe { *self.codes.add(i) }) * self.scale * ONE_OVER_127;
            unsafe { self.y.add(i).write(E::store(value)) };
        }
    }
}

/// y [cols] = the values of row r.
///
/// # Safety
/// `w` has the row and y room for it; the processor has `isa`.
pub unsafe fn int8<E: Element>(isa: Isa, w: Int8, y: *mut E, r: usize) {
    unsafe {
        let (codes, scale) = (w.codes.of::<i8>().add(r * w.cols), *w.scales.of::<f32>().add(r));
        vectorised(isa, Row { y, codes, scale, cols: w.cols });
    }
}

/// y [rows, cols] = the values of `w`.
///
/// # Safety
/// y holds the elements and the parts of `w` what their lengths say; the processor has `isa`.
pub unsafe fn dequantize<E: Element>(pool: &Pool, isa: Isa, w: Matrix, y: crate::device::Ptr) {
    match w {
        Matrix::Nf4(w) => pool.ranges(w.n, 128 * BLOCK, |range| unsafe {
            nf4::<E>(isa, w, y.of::<E>().add(range.start), range);
        }),
        Matrix::Int8(w) => pool.ranges(w.rows, row::grain(w.cols), |range| {
            for r in range {
                unsafe { int8::<E>(isa, w, y.of::<E>().add(r * w.cols), r) };
            }
        }),
    }
}
