//! Micro-kernels: C [rows, cols] (+)= A [rows, k] · B [k, cols] on packed operands, the tile of C in registers.
//!
//! A: each row contiguous, rows any number of bytes apart, so that a matrix of the right type is read where it lies.
//! B: panels of `nr` columns (the last one may be of `lane` columns), each panel [k, columns].
//! An element of either is an f32, or with `pair` two bf16 of neighbouring k (the layout of `vdpbf16ps` and `tdpbf16ps`).

#[cfg(target_arch = "x86_64")]
pub mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
pub mod avx512bf16;
mod portable;

use std::marker::PhantomData;

use super::ahead::Ahead;
use crate::dtype::FloatDType;
use crate::isa::Isa;

/// Most values of k in a block of f32.
const DEPTH_F32: usize = 384;
/// Rows of the tallest micro-kernel: buffers of rows are padded to a multiple.
pub const MAX_ROWS: usize = 32;
/// Products that a tile adds up.
pub const MOST_FACTORS: usize = 2;

/// What a tile of C is a sum over: rows of A `stride` bytes apart and a panel of B, `k` packed elements (pairs when
/// `pair`) of each.
#[derive(Clone, Copy)]
pub struct Terms {
    pub k: usize,
    pub a: *const u8,
    pub stride: usize,
    pub b: *const u8,
}

/// C (+)= the sum of the terms, one after the other, asking for what is ahead meanwhile. `ldc` in f32.
///
/// # Safety
/// A tile of R rows and V vectors: every term has R rows and a panel of V vectors, of `k` packed elements each, and `c` R rows of V
/// vectors; the processor has the instructions.
pub type Tile = unsafe fn(terms: &[Terms], c: *mut f32, ldc: usize, accumulate: bool, ahead: &mut Ahead);

/// Operands of a block: `k` values of rows of A, `stride` bytes apart, and of packed columns of B, whose panels are
/// `column_bytes` apart for each column.
#[derive(Clone, Copy)]
pub struct Factors {
    pub k: usize,
    pub a: *const u8,
    pub stride: usize,
    pub b: *const u8,
    pub column_bytes: usize,
}

/// The micro-kernels of one instruction set for one kind of packed element.
pub struct Micro {
    /// Packed elements are pairs of bf16, not f32.
    pub pair: bool,
    /// Most rows of a tile.
    pub mr: usize,
    /// Columns of a full panel of B.
    pub nr: usize,
    /// Columns of a narrow panel, half of `nr`.
    pub lane: usize,
    /// Most values of k in a block.
    pub depth: usize,
    /// The depth of a block is padded with zeros to a multiple of this many values.
    pub k_step: usize,
    /// The kernel computes `mr` rows whatever it is asked for: buffers hold that many and tiles start at multiples.
    pub whole_rows: bool,
    /// What begins and ends a [`Session`].
    enter: Option<unsafe fn()>,
    leave: Option<unsafe fn()>,
    /// By rows - 1, for full and for narrow panels.
    wide: &'static [Tile],
    narrow: &'static [Tile],
}

impl Micro {
    /// The kernels for operands of `dtype`. bf16 is multiplied as such where the processor can, all else as f32.
    pub fn of(isa: Isa, dtype: FloatDType) -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        match (isa, dtype) {
            (Isa::Amx, FloatDType::Bf16) => return &amx::MICRO,
            (Isa::Avx512Bf16, FloatDType::Bf16) => return &avx512bf16::MICRO,
            (Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx, _) => return &avx512::MICRO,
            (Isa::Avx2, _) => return &avx2::MICRO,
            (Isa::Portable, _) => {}
        }
        let _ = (isa, dtype);
        &portable::MICRO
    }

    /// Values of k in a packed element.
    pub fn unit(&self) -> usize {
        if self.pair { 2 } else { 1 }
    }

    /// Type of the values.
    pub fn dtype(&self) -> FloatDType {
        if self.pair { FloatDType::Bf16 } else { FloatDType::F32 }
    }

    /// Bytes of a packed value.
    pub fn value_bytes(&self) -> usize {
        if self.pair { 2 } else { 4 }
    }

    pub fn pad_k(&self, k: usize) -> usize {
        k.next_multiple_of(self.k_step)
    }

    /// Columns of the panel that starts with `left` columns to go.
    pub fn panel(&self, left: usize) -> usize {
        if left <= self.lane { self.lane } else { self.nr }
    }

    /// Columns of `n` with the padding of the last panel.
    pub fn pad_n(&self, n: usize) -> usize {
        n / self.nr * self.nr + if n.is_multiple_of(self.nr) { 0 } else { self.panel(n % self.nr) }
    }

    /// Rows of each tile when `rows` rows are cut evenly.
    pub fn tile_rows(&self, rows: usize) -> usize {
        if self.whole_rows { self.mr } else { rows.div_ceil(rows.div_ceil(self.mr).max(1)).max(1) }
    }

    /// Bytes of packed B of one column over `k` values.
    pub fn column_bytes(&self, k: usize) -> usize {
        self.pad_k(k) * self.value_bytes()
    }

    /// What this thread holds while it computes blocks: once for a whole task, as it may take longer than a tile.
    ///
    /// # Safety
    /// The processor has the instruction set of `self`, and the thread is in no other session.
    #[must_use = "blocks are computed while it is held"]
    pub unsafe fn session(&self) -> Session {
        if let Some(enter) = self.enter {
            // SAFETY: the caller's instruction set, and its thread is in no session.
            unsafe { enter() };
        }
        Session { leave: self.leave, of_this_thread: PhantomData }
    }

    /// C [rows, cols] (+)= the sum of A · B over `factors`, at most [`MOST_FACTORS`]; `cols` columns of packed B, that
    /// is `pad_n` of them.
    ///
    /// # Safety
    /// Every `a` holds `rows` rows of `k` values and `c` as many rows of `ldc` f32 (both padded to `mr` rows when
    /// `whole_rows`, and rows of A to `pad_k` values); every `b` holds the panels of `cols` columns; the thread is in a
    /// [`Session`] of `self`.
    #[inline]
    pub unsafe fn block(
        &self,
        rows: usize,
        cols: usize,
        factors: &[Factors],
        c: *mut f32,
        ldc: usize,
        accumulate: bool,
    ) {
        // SAFETY: the caller's.
        unsafe { self.block_with(rows, cols, factors, c, ldc, accumulate, &mut Ahead::nothing()) };
    }

    /// [`Self::block`], asking for what is ahead meanwhile.
    ///
    /// # Safety
    /// As for [`Self::block`].
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "those of `block`")]
    pub unsafe fn block_with(
        &self,
        rows: usize,
        cols: usize,
        factors: &[Factors],
        c: *mut f32,
        ldc: usize,
        accumulate: bool,
        ahead: &mut Ahead,
    ) {
        let step = self.tile_rows(rows);
        let mut terms = [Terms { k: 0, a: std::ptr::null(), stride: 0, b: std::ptr::null() }; MOST_FACTORS];
        let terms = &mut terms[..factors.len()];
        let mut row = 0;
        while row < rows {
            let count = step.min(rows - row);
            let mut col = 0;
            while col < cols {
                let width = self.panel(cols - col);
                let tiles = if width == self.nr { self.wide } else { self.narrow };
                for (term, factor) in terms.iter_mut().zip(factors) {
                    *term = Terms {
                        k: self.pad_k(factor.k) / self.unit(),
                        a: factor.a.wrapping_add(row * factor.stride),
                        stride: factor.stride,
                        b: factor.b.wrapping_add(col * factor.column_bytes),
                    };
                }
                // SAFETY: `count` rows of a and c, and the columns of one panel, which the caller has.
                unsafe { tiles[count - 1](terms, c.add(row * ldc + col), ldc, accumulate, ahead) };
                col += width;
            }
            row += step;
        }
    }
}

/// The state of a thread that computes blocks of one [`Micro`], given back when dropped.
pub struct Session {
    leave: Option<unsafe fn()>,
    of_this_thread: PhantomData<*const ()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(leave) = self.leave {
            // SAFETY: the thread is in the state that `enter` made.
            unsafe { leave() };
        }
    }
}

/// `n` in pieces of `pace`.
#[inline(always)]
pub(crate) fn paces(n: usize, pace: usize) -> impl Iterator<Item = usize> {
    (0..n).step_by(pace).map(move |from| pace.min(n - from))
}

/// The tiles of 1, 2, … rows of a kernel `tile::<ROWS, VECTORS>`.
macro_rules! tiles {
    ($tile:ident, $vectors:literal, $($rows:literal)*) => { &[$($tile::<$rows, $vectors>),*] };
}
pub(crate) use tiles;
