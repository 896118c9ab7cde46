//! Packing of operands into the layouts that [`super::micro`] describes.

use super::micro::Micro;
use super::operand::Operand;
#[cfg(target_arch = "x86_64")]
use super::transpose::{self, Source, Target};
use crate::element::Element;
use crate::isa::{Isa, Loop, vectorised};
use crate::with_element;
use std::ops::Range;

/// `rows` of A [m, k] over the values `depth` of k into rows at `to`, `stride` bytes apart.
///
/// # Safety
/// The ranges lie in the operand, and `to` holds as many rows of `pad_k` values.
pub unsafe fn rows(
    isa: Isa,
    micro: &Micro,
    (to, stride): (*mut u8, usize),
    x: Operand,
    rows: Range<usize>,
    depth: Range<usize>,
) {
    // SAFETY: the caller's ranges.
    let at = unsafe { x.element(rows.start, depth.start) };
    let (rows, k) = (rows.len(), depth.len());
    let padded = micro.pad_k(k);
    // SAFETY: the caller's ranges and room; a function is called where the processor has its features.
    with_element!(x.dtype, T => unsafe {
        let at = at.cast::<T>();
        #[cfg(target_arch = "x86_64")]
        if x.transposed {
            let source = Source { at, ld: x.ld, rows, k };
            let target = Target { at: to.cast(), ld: stride / 4, units: padded / micro.unit() };
            match (isa, micro.pair) {
                (Isa::Portable, _) | (Isa::Avx2, true) => {}
                (Isa::Avx2, false) => return transpose::along_i_256(target, source),
                (_, false) => return transpose::along_i_512::<T, false>(target, source),
                (_, true) => return transpose::along_i_512::<T, true>(target, source),
            }
        }
        match (micro.pair, x.transposed) {
            (false, false) => vectorised(isa, RowsF32 { to, stride, at, ld: x.ld, step: 1, rows, k }),
            (false, true) => vectorised(isa, RowsF32 { to, stride, at, ld: 1, step: x.ld, rows, k }),
            (true, false) => vectorised(isa, RowsBf16 { to, stride, at, ld: x.ld, step: 1, rows, k, padded }),
            (true, true) => vectorised(isa, RowsBf16 { to, stride, at, ld: 1, step: x.ld, rows, k, padded }),
        }
    });
}

struct RowsF32<T> {
    to: *mut u8,
    stride: usize,
    at: *const T,
    ld: usize,
    step: usize,
    rows: usize,
    k: usize,
}

impl<T: Element> Loop for RowsF32<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // SAFETY: `rows` has the ranges and the room.
        unsafe {
            if self.step == 1 {
                for i in 0..self.rows {
                    let to = self.to.add(i * self.stride).cast::<f32>();
                    let at = self.at.add(i * self.ld);
                    for p in 0..self.k {
                        *to.add(p) = (*at.add(p)).load();
                    }
                }
            } else {
                for i in 0..self.rows {
                    let to = self.to.add(i * self.stride).cast::<f32>();
                    for p in 0..self.k {
                        *to.add(p) = (*self.at.add(i * self.ld + p * self.step)).load();
                    }
                }
            }
        }
    }
}

struct RowsBf16<T> {
    to: *mut u8,
    stride: usize,
    at: *const T,
    ld: usize,
    step: usize,
    rows: usize,
    k: usize,
    padded: usize,
}

/// Copies `bytes` bytes a cache line at a time, as a call would take as long as a short row.
///
/// # Safety
/// Both hold the bytes, and do not overlap.
#[inline(always)]
pub unsafe fn copy(to: *mut u8, from: *const u8, bytes: usize) {
    let whole = bytes / 64 * 64;
    for at in (0..whole).step_by(64) {
        // SAFETY: the caller's bytes.
        unsafe { *to.add(at).cast::<[u8; 64]>() = *from.add(at).cast::<[u8; 64]>() };
    }
    for at in whole..bytes {
        // SAFETY: as above.
        unsafe { *to.add(at) = *from.add(at) };
    }
}

impl<T: Element> Loop for RowsBf16<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // SAFETY: `rows` has the ranges, and room for padded rows.
        unsafe {
            for i in 0..self.rows {
                let to = self.to.add(i * self.stride).cast::<u16>();
                if self.step == 1 && T::IS_BF16 {
                    copy(to.cast(), self.at.add(i * self.ld).cast(), 2 * self.k);
                } else if self.step == 1 {
                    let at = self.at.add(i * self.ld);
                    for p in 0..self.k {
                        *to.add(p) = (*at.add(p)).to_bf16();
                    }
                } else {
                    for p in 0..self.k {
                        *to.add(p) = (*self.at.add(i * self.ld + p * self.step)).to_bf16();
                    }
                }
                for p in self.k..self.padded {
                    *to.add(p) = 0;
                }
            }
        }
    }
}

/// Columns `cols` of B [k, n] over the values `depth` of k into panels at `to`, one after the other. `x` is indexed
/// (column, k): a linear layer's weight [n, k] is not `transposed`.
///
/// # Safety
/// The ranges lie in the operand and `to` holds `pad_n(cols) · column_bytes(k)` bytes.
pub unsafe fn panels(
    isa: Isa,
    micro: &Micro,
    to: *mut u8,
    x: Operand,
    cols: Range<usize>,
    depth: Range<usize>,
) {
    let (col, cols, k) = (cols.start, cols.len(), depth.len());
    if k == 0 {
        return;
    }
    let padded = micro.pad_k(k);
    let bytes = micro.column_bytes(k);
    // SAFETY: the caller's ranges.
    let at = unsafe { x.element(col, depth.start) };
    if x.transposed {
        let ld = x.ld;
        // SAFETY: the caller's ranges and room; a function is called where the processor has its features.
        with_element!(x.dtype, T => unsafe {
            let at = at.cast::<T>();
            let across = Across { to, at, ld, cols, k, padded, micro };
            #[cfg(target_arch = "x86_64")]
            if T::IS_BF16 && micro.pair && isa >= Isa::Avx512 {
                return across_512(across);
            }
            vectorised(isa, across);
        });
        return;
    }
    let mut done = 0;
    while done < cols {
        let width = micro.panel(cols - done);
        let filled = width.min(cols - done);
        // SAFETY: as above, for the columns of one panel.
        unsafe {
            let to = to.add(done * bytes);
            let at = x.element(col + done, depth.start);
            let ld = x.ld;
            with_element!(x.dtype, T => {
                let at = at.cast::<T>();
                #[cfg(target_arch = "x86_64")]
                let transposed = {
                    let source = Source { at, ld, rows: filled, k };
                    let target = Target { at: to.cast(), ld: width, units: padded / micro.unit() };
                    match (isa, micro.pair) {
                        (Isa::Portable, _) | (Isa::Avx2, true) => false,
                        (Isa::Avx2, false) => {
                            transpose::along_k_256(target, source);
                            true
                        }
                        (_, false) => {
                            transpose::along_k_512::<T, false>(target, source);
                            true
                        }
                        (_, true) => {
                            // Pairs are moved, not converted.
                            if T::IS_BF16 {
                                transpose::along_k_512::<T, true>(target, source);
                            }
                            T::IS_BF16
                        }
                    }
                };
                #[cfg(not(target_arch = "x86_64"))]
                let transposed = false;
                if transposed {
                } else if micro.pair {
                    vectorised(isa, PanelBf16 { to: to.cast(), at, ld, width, filled, k, padded });
                } else {
                    vectorised(isa, PanelF32 { to: to.cast(), at, ld, width, filled, k });
                }
            });
        }
        done += width;
    }
}

/// Panels of an operand whose neighbouring columns are neighbours in memory: row after row over all panels, so that
/// memory is read in long runs. The operand holds `cols` columns of `k` values, and there is room for their panels.
struct Across<'a, T> {
    to: *mut u8,
    at: *const T,
    ld: usize,
    cols: usize,
    k: usize,
    padded: usize,
    micro: &'a Micro,
}

impl<T: Element> Loop for Across<'_, T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let unit = self.micro.unit();
        let bytes = self.micro.column_bytes(self.k);
        for u in 0..self.padded / unit {
            let mut col = 0;
            while col < self.cols {
                let width = self.micro.panel(self.cols - col);
                let filled = width.min(self.cols - col);
                // SAFETY: rows of the operand that exist; the caller's room for panels.
                unsafe {
                    let to = self.to.add(col * bytes + width * u * 4);
                    let row = |p: usize| if p < self.k { Some(self.at.add(p * self.ld + col)) } else { None };
                    if unit == 1 {
                        let to = to.cast::<f32>();
                        let at = self.at.add(u * self.ld + col);
                        for j in 0..filled {
                            *to.add(j) = (*at.add(j)).load();
                        }
                        for j in filled..width {
                            *to.add(j) = 0.0;
                        }
                    } else {
                        let to = to.cast::<[u16; 2]>();
                        match (row(2 * u), row(2 * u + 1)) {
                            (Some(even), Some(odd)) => {
                                for j in 0..filled {
                                    *to.add(j) = [(*even.add(j)).to_bf16(), (*odd.add(j)).to_bf16()];
                                }
                            }
                            (Some(even), None) => {
                                for j in 0..filled {
                                    *to.add(j) = [(*even.add(j)).to_bf16(), 0];
                                }
                            }
                            _ => to.write_bytes(0, filled),
                        }
                        to.add(filled).write_bytes(0, width - filled);
                    }
                }
                col += width;
            }
        }
    }
}

/// [`Across`] of bf16: two rows become one of pairs.
///
/// # Safety
/// As for [`Across`], on a processor with the features; the elements are bf16.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn across_512<T: Element>(x: Across<'_, T>) {
    use std::arch::x86_64::*;
    /// Pairs of rows ahead that are fetched: a row may be a page away from the one before it.
    const AHEAD: usize = 8;
    let order = |first: i16| {
        let mut index = [0i16; 32];
        for (at, index) in index.iter_mut().enumerate() {
            *index = first + (at / 2) as i16 + if at % 2 == 1 { 32 } else { 0 };
        }
        // SAFETY: as many bytes.
        unsafe { std::mem::transmute::<[i16; 32], __m512i>(index) }
    };
    let (low, high) = (order(0), order(16));
    let bytes = x.micro.column_bytes(x.k);
    let at = x.at.cast::<u16>();
    for u in 0..x.padded / 2 {
        let mut col = 0;
        while col < x.cols {
            let width = x.micro.panel(x.cols - col);
            let filled = width.min(x.cols - col);
            let mask = ((1u64 << filled) - 1) as __mmask32;
            // SAFETY: as in `Across`; the processor has the instructions. Prefetching touches nothing.
            unsafe {
                let row = |p: usize| {
                    if p < x.k {
                        _mm512_maskz_loadu_epi16(mask, at.add(p * x.ld + col).cast())
                    } else {
                        _mm512_setzero_si512()
                    }
                };
                if 2 * (u + AHEAD) + 1 < x.k {
                    let ahead = at.wrapping_add(2 * (u + AHEAD) * x.ld + col);
                    _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(x.ld).cast());
                }
                let (even, odd) = (row(2 * u), row(2 * u + 1));
                let to = x.to.add(col * bytes + width * u * 4);
                _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi16(even, low, odd));
                if width > 16 {
                    _mm512_storeu_si512(to.add(64).cast(), _mm512_permutex2var_epi16(even, high, odd));
                }
            }
            col += width;
        }
    }
}

struct PanelF32<T> {
    to: *mut f32,
    at: *const T,
    ld: usize,
    width: usize,
    filled: usize,
    k: usize,
}

impl<T: Element> Loop for PanelF32<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // SAFETY: `panels` has the columns, and room for a panel of k values.
        unsafe {
            for p in 0..self.k {
                let to = self.to.add(p * self.width);
                for j in 0..self.filled {
                    *to.add(j) = (*self.at.add(j * self.ld + p)).load();
                }
                for j in self.filled..self.width {
                    *to.add(j) = 0.0;
                }
            }
        }
    }
}

struct PanelBf16<T> {
    to: *mut [u16; 2],
    at: *const T,
    ld: usize,
    width: usize,
    filled: usize,
    k: usize,
    padded: usize,
}

impl<T: Element> Loop for PanelBf16<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for p in 0..self.padded / 2 {
            for j in 0..self.width {
                let value = |p: usize| {
                    if p < self.k && j < self.filled {
                        // SAFETY: an element of the operand.
                        unsafe { (*self.at.add(j * self.ld + p)).to_bf16() }
                    } else {
                        0
                    }
                };
                // SAFETY: the caller's room for the panel.
                unsafe { *self.to.add(p * self.width + j) = [value(2 * p), value(2 * p + 1)] };
            }
        }
    }
}
