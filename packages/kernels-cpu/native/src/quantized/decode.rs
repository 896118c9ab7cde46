//! From codes to numbers.

use std::ops::Range;

use super::levels::NF4;
use super::{BLOCK, Int8, Matrix, Nf4, ONE_OVER_127, gguf};
use crate::element::Element;
use crate::isa::{Isa, Loop, vectorised};
use crate::pool::Pool;
use crate::row;

/// The values of a whole block.
#[inline(always)]
fn block(to: &mut [f32; BLOCK], codes: &[u8; BLOCK / 2], scale: f32) {
    for (pair, byte) in to.as_chunks_mut::<2>().0.iter_mut().zip(codes) {
        *pair = [NF4[usize::from(byte >> 4)] * scale, NF4[usize::from(byte & 15)] * scale];
    }
}

/// Calls `$block` for whole blocks among `$range`, which are elements, and looks up the others one by one. `$w` holds the elements
/// and `$y` has room for them.
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
                $block(&mut values, &*w.codes.of::<[u8; BLOCK / 2]>().add(b), scale);
                row::store(&mut *to.cast::<[E; BLOCK]>(), &values);
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
        // SAFETY: whoever made this says that the elements and the room are there.
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
    /// The processor has the features.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn look_up(low: __m256, high: __m256, codes: __m256i) -> __m256 {
        let (a, b) = (_mm256_permutevar8x32_ps(low, codes), _mm256_permutevar8x32_ps(high, codes));
        _mm256_blendv_ps(a, b, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(codes)))
    }

    /// [`block`] in vectors of eight.
    ///
    /// # Safety
    /// The processor has the features.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn block_avx2(to: &mut [f32; BLOCK], codes: &[u8; BLOCK / 2], scale: f32) {
        // SAFETY: eight codes of the block are read for sixteen values of it, and sixteen levels.
        unsafe {
            let (low, high) = (_mm256_loadu_ps(NF4.as_ptr()), _mm256_loadu_ps(NF4.as_ptr().add(8)));
            let scale = _mm256_set1_ps(scale);
            for (i, to) in to.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.as_ptr().add(8 * i).cast()));
                let even = _mm256_mul_ps(look_up(low, high, _mm256_srli_epi32::<4>(bytes)), scale);
                let odd = _mm256_mul_ps(look_up(low, high, bytes), scale);
                let (a, b) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
                _mm256_storeu_ps(to.as_mut_ptr(), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.as_mut_ptr().add(8), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }

    /// [`block`] in vectors of sixteen.
    ///
    /// # Safety
    /// The processor has the features.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn block_512(to: &mut [f32; BLOCK], codes: &[u8; BLOCK / 2], scale: f32) {
        // SAFETY: sixteen codes of the block are read for 32 values of it, and sixteen levels.
        unsafe {
            let levels = _mm512_loadu_ps(NF4.as_ptr());
            let scale = _mm512_set1_ps(scale);
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            for (i, to) in to.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().add(16 * i).cast()));
                let even = _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(bytes), levels);
                let odd = _mm512_permutexvar_ps(bytes, levels);
                let (even, odd) = (_mm512_mul_ps(even, scale), _mm512_mul_ps(odd, scale));
                _mm512_storeu_ps(to.as_mut_ptr(), _mm512_permutex2var_ps(even, first, odd));
                _mm512_storeu_ps(to.as_mut_ptr().add(16), _mm512_permutex2var_ps(even, second, odd));
            }
        }
    }

    /// # Safety
    /// As for [`super::nf4`], on a processor with the features.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn elements_avx2<E: Element>(w: Nf4, y: *mut E, range: Range<usize>) {
        // SAFETY: the caller's elements and room.
        unsafe { values!(block_avx2, w, y, range) }
    }

    /// # Safety
    /// As for [`super::nf4`], on a processor with the features.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub unsafe fn elements_512<E: Element>(w: Nf4, y: *mut E, range: Range<usize>) {
        // SAFETY: the caller's elements and room.
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
    // SAFETY: the caller's elements and room; a function is called where the processor has its features.
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

struct Row<'a, E> {
    y: &'a mut [E],
    codes: &'a [i8],
    scale: f32,
}

impl<E: Element> Loop for Row<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for (y, code) in self.y.iter_mut().zip(self.codes) {
            *y = E::store(f32::from(*code) * self.scale * ONE_OVER_127);
        }
    }
}

/// y [cols] = the values of row r.
///
/// # Safety
/// `w` has the row and y room for it; the processor has `isa`.
pub unsafe fn int8<E: Element>(isa: Isa, w: Int8, y: *mut E, r: usize) {
    // SAFETY: the caller's row and room, and instruction set.
    unsafe {
        let (codes, scale) = w.row(r);
        vectorised(isa, Row { y: std::slice::from_raw_parts_mut(y, w.cols), codes, scale });
    }
}

/// y [rows, cols] = the values of `w`.
///
/// # Safety
/// y holds the elements and the parts of `w` what their lengths say; the processor has `isa`.
pub unsafe fn dequantize<E: Element>(pool: &Pool, isa: Isa, w: Matrix, y: *mut E) {
    let y = Target(y);
    match w {
        // SAFETY: y has room for the elements of the range, and other threads have others.
        Matrix::Nf4(w) => pool.ranges(w.n, 128 * BLOCK, |range| unsafe {
            nf4(isa, w, y.at(range.start), range);
        }),
        Matrix::Int8(w) if w.cols == 0 => {}
        Matrix::Int8(w) => pool.ranges(w.rows, row::grain(w.cols), |range| {
            for r in range {
                // SAFETY: y has room for the row, and other threads have others.
                unsafe { int8(isa, w, y.at(r * w.cols), r) };
            }
        }),
        // SAFETY: y has room for the rows of the range, and other threads have others.
        Matrix::Gguf(w) => pool.ranges(w.rows, row::grain(w.cols), |range| unsafe {
            gguf::decode(isa, w, y.at(range.start * w.cols), range);
        }),
    }
}

/// Where every part of a job writes its own elements.
struct Target<E>(*mut E);

// SAFETY: an address; whoever writes there answers for what other threads do.
unsafe impl<E> Sync for Target<E> {}

impl<E> Target<E> {
    /// # Safety
    /// The target has more than `index` elements.
    unsafe fn at(&self, index: usize) -> *mut E {
        // SAFETY: the caller's.
        unsafe { self.0.add(index) }
    }
}
