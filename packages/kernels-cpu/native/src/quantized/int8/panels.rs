//! Codes of w in panels: columns of y side by side, packed values of neighbouring k in four bytes each.

use super::micro::Micro8;
use crate::isa::{Isa, Loop, vectorised};
use crate::quantized::Int8;
use std::ops::Range;

/// Columns `cols` of op(w) over k into panels at `to`: columns of y are rows of w when `by_rows`.
///
/// # Safety
/// w holds the columns, and `to` room for `pad_n(cols)` columns of `units(k)` packed values; the processor has `isa`.
pub unsafe fn pack(
    isa: Isa,
    micro: &Micro8,
    to: *mut u8,
    w: &Int8,
    cols: Range<usize>,
    k: usize,
    by_rows: bool,
) {
    let column = 4 * micro.units(k);
    let codes = w.codes.of::<u8>().cast_const();
    let mut done = 0;
    while done < cols.len() {
        let width = micro.panel(cols.len() - done);
        let filled = width.min(cols.len() - done);
        let first = cols.start + done;
        // SAFETY: the caller's columns and room.
        unsafe {
            let at = codes.add(if by_rows { first * w.cols } else { first });
            let panel = Panel { to: to.add(done * column), at, ld: w.cols, width, filled, k };
            #[cfg(target_arch = "x86_64")]
            if isa >= Isa::Avx512 && micro.values == 4 && micro.lane == 16 {
                if by_rows {
                    x86::down(&panel);
                } else {
                    x86::across(&panel);
                }
                done += width;
                continue;
            }
            let flip = if micro.unsigned { 0x80 } else { 0 };
            match (micro.values, by_rows) {
                (4, true) => vectorised(isa, Quads::<true>(panel, flip)),
                (4, false) => vectorised(isa, Quads::<false>(panel, flip)),
                (_, true) => vectorised(isa, Pairs::<true>(panel)),
                (_, false) => vectorised(isa, Pairs::<false>(panel)),
            }
        }
        done += width;
    }
}

/// A panel of `width` columns, of which `filled` exist, over k: its first code, and the distance of rows of w.
struct Panel {
    to: *mut u8,
    at: *const u8,
    ld: usize,
    width: usize,
    filled: usize,
    k: usize,
}

impl Panel {
    /// The code of value `p` of column `j`.
    ///
    /// # Safety
    /// They exist.
    #[inline(always)]
    unsafe fn code<const BY_ROWS: bool>(&self, j: usize, p: usize) -> u8 {
        let (row, col) = if BY_ROWS { (j, p) } else { (p, j) };
        // SAFETY: the caller's code.
        unsafe { *self.at.add(row * self.ld + col) }
    }
}

/// Four codes of one byte, with their upper bit changed by `1`.
struct Quads<const BY_ROWS: bool>(Panel, u8);

impl<const BY_ROWS: bool> Loop for Quads<BY_ROWS> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Self(panel, flip) = self;
        for u in 0..panel.k.div_ceil(4) {
            let there = (panel.k - 4 * u).min(4);
            // SAFETY: the panel's columns and room.
            unsafe {
                let to = panel.to.add(4 * u * panel.width).cast::<[u8; 4]>();
                if there == 4 {
                    for j in 0..panel.filled {
                        *to.add(j) = [
                            panel.code::<BY_ROWS>(j, 4 * u) ^ flip,
                            panel.code::<BY_ROWS>(j, 4 * u + 1) ^ flip,
                            panel.code::<BY_ROWS>(j, 4 * u + 2) ^ flip,
                            panel.code::<BY_ROWS>(j, 4 * u + 3) ^ flip,
                        ];
                    }
                } else {
                    for j in 0..panel.filled {
                        let mut quad = [0; 4];
                        for (i, code) in quad[..there].iter_mut().enumerate() {
                            *code = panel.code::<BY_ROWS>(j, 4 * u + i) ^ flip;
                        }
                        *to.add(j) = quad;
                    }
                }
                to.add(panel.filled).write_bytes(0, panel.width - panel.filled);
            }
        }
    }
}

/// Two codes of two bytes.
struct Pairs<const BY_ROWS: bool>(Panel);

impl<const BY_ROWS: bool> Loop for Pairs<BY_ROWS> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Self(panel) = self;
        for u in 0..panel.k.div_ceil(2) {
            let has_odd = 2 * u + 1 < panel.k;
            // SAFETY: the panel's columns and room.
            unsafe {
                let to = panel.to.add(4 * u * panel.width).cast::<[i16; 2]>();
                let code = |j: usize, p: usize| i16::from(panel.code::<BY_ROWS>(j, p) as i8);
                if has_odd {
                    for j in 0..panel.filled {
                        *to.add(j) = [code(j, 2 * u), code(j, 2 * u + 1)];
                    }
                } else {
                    for j in 0..panel.filled {
                        *to.add(j) = [code(j, 2 * u), 0];
                    }
                }
                to.add(panel.filled).write_bytes(0, panel.width - panel.filled);
            }
        }
    }
}

/// Panels of unsigned codes with AVX-512. What is missing is packed as 0.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Panel;
    use crate::gemm::transpose::transpose_16;
    use std::arch::x86_64::*;

    /// Columns of y are rows of w: squares of 16 x 16 packed values are turned.
    ///
    /// # Safety
    /// As for [`super::pack`], of a processor with the features.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub unsafe fn down(panel: &Panel) {
        let &Panel { to, at, ld, width, filled, k } = panel;
        let units = k.div_ceil(4);
        let flip = _mm512_set1_epi8(-128);
        for col in (0..filled).step_by(16) {
            let rows = (filled - col).min(16);
            for u in (0..units).step_by(16) {
                let valid = (k - 4 * u).min(64);
                let mask: __mmask64 = if valid == 64 { !0 } else { (1 << valid) - 1 };
                let mut block = [_mm512_setzero_si512(); 16];
                // SAFETY: `valid` codes of each of `rows` rows, and room for the units of the panel. Prefetching touches nothing.
                unsafe {
                    for (r, vector) in block.iter_mut().enumerate().take(rows) {
                        let at = at.add((col + r) * ld + 4 * u);
                        // The same place 16 rows on: what comes from memory is there when its turn comes.
                        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(16 * ld).cast());
                        *vector = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, at.cast()), flip);
                    }
                    let block = transpose_16(block);
                    let to = to.add(4 * (u * width + col));
                    for (c, vector) in block.iter().enumerate().take(units - u) {
                        _mm512_storeu_si512(to.add(4 * c * width).cast(), *vector);
                    }
                }
            }
        }
        if filled <= width - 16 {
            for u in 0..units {
                // SAFETY: the second half of the panel.
                unsafe {
                    let to = to.add(4 * (u * width + width - 16));
                    _mm512_storeu_si512(to.cast(), _mm512_setzero_si512());
                }
            }
        }
    }

    /// Values of k are rows of w: four rows become one of packed values.
    ///
    /// # Safety
    /// As for [`down`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub unsafe fn across(panel: &Panel) {
        /// Packed values ahead that are fetched: a row may be a page away from the one before it.
        const AHEAD: usize = 4;
        let &Panel { to, at, ld, width, filled, k } = panel;
        let flip = _mm256_set1_epi8(-128);
        let mask: __mmask32 = if filled == 32 { !0 } else { (1 << filled) - 1 };
        for u in 0..k.div_ceil(4) {
            // SAFETY: `filled` codes of each row that exists, and room for the units of the panel. Prefetching touches nothing.
            unsafe {
                let row = |p: usize| {
                    let at = at.wrapping_add(p * ld);
                    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(4 * AHEAD * ld).cast());
                    if p < k {
                        _mm256_xor_si256(_mm256_maskz_loadu_epi8(mask, at.cast()), flip)
                    } else {
                        _mm256_setzero_si256()
                    }
                };
                let (a, b, c, d) = (row(4 * u), row(4 * u + 1), row(4 * u + 2), row(4 * u + 3));
                let (ab, cd) = (_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d));
                let (ab_high, cd_high) = (_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d));
                // Columns 0-3 and 16-19, then 4-7 and 20-23, and so on.
                let parts = [
                    _mm256_unpacklo_epi16(ab, cd),
                    _mm256_unpackhi_epi16(ab, cd),
                    _mm256_unpacklo_epi16(ab_high, cd_high),
                    _mm256_unpackhi_epi16(ab_high, cd_high),
                ];
                let to = to.add(4 * u * width).cast::<__m256i>();
                _mm256_storeu_si256(to, _mm256_permute2x128_si256::<0x20>(parts[0], parts[1]));
                _mm256_storeu_si256(to.add(1), _mm256_permute2x128_si256::<0x20>(parts[2], parts[3]));
                if width > 16 {
                    _mm256_storeu_si256(to.add(2), _mm256_permute2x128_si256::<0x31>(parts[0], parts[1]));
                    _mm256_storeu_si256(to.add(3), _mm256_permute2x128_si256::<0x31>(parts[2], parts[3]));
                }
            }
        }
    }
}
