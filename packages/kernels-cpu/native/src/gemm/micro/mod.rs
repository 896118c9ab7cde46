//! Micro-kernels: C [rows, cols] (+)= A [rows, k] · B [k, cols] on packed operands, the tile of C in registers.
//!
//! Packed A: each row contiguous, rows [`ROW_BYTES`] apart, so that every row is reached by a constant displacement.
//! Packed B: panels of `nr` columns (the last one may be of `lane` columns), each panel [k, columns].
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

use crate::dtype::FloatDType;
use crate::isa::Isa;
use std::ops::Range;

/// Distance of packed rows of A. An odd number of cache lines: rows of one panel fall into different sets.
pub const ROW_BYTES: usize = 1600;
/// Largest depth of a block in f32.
pub const DEPTH_F32: usize = 384;
/// Largest depth of a block in bf16.
pub const DEPTH_BF16: usize = 768;
/// Bytes of a packed row behind the deepest block.
pub const SLACK_BYTES: usize = 64;
const _: () = assert!(2 * DEPTH_BF16 + SLACK_BYTES <= ROW_BYTES && 4 * DEPTH_F32 + SLACK_BYTES <= ROW_BYTES);
/// Rows of the tallest micro-kernel: buffers of rows are padded to a multiple.
pub const MAX_ROWS: usize = 32;
/// Columns of the widest micro-kernel.
pub const MAX_COLS: usize = 32;

/// `k` counts packed elements (pairs when `pair`). `ldc` in f32.
pub type Tile = unsafe fn(k: usize, a: *const u8, b: *const u8, c: *mut f32, ldc: usize, accumulate: bool);

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
    /// The depth of a block is padded with zeros to a multiple of this many values.
    pub k_step: usize,
    /// The kernel computes `mr` rows whatever it is asked for: buffers hold that many and tiles start at multiples.
    pub whole_rows: bool,
    /// Called before the first tile of a block and after its last.
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

    /// Most values of k in one block.
    pub fn depth(&self) -> usize {
        if self.pair { DEPTH_BF16 } else { DEPTH_F32 }
    }

    /// Values of k in a packed element.
    pub fn unit(&self) -> usize {
        if self.pair { 2 } else { 1 }
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

    /// Rows of each block, at most `most`, when `rows` rows are cut into blocks of whole tiles.
    pub fn block_rows(&self, rows: usize, most: usize) -> usize {
        let tiles = rows.div_ceil(self.mr).max(1);
        let blocks = tiles.div_ceil(most / self.mr);
        tiles.div_ceil(blocks) * self.mr
    }

    /// Bytes of packed B of one column over `k` values.
    pub fn column_bytes(&self, k: usize) -> usize {
        self.pad_k(k) * self.value_bytes()
    }

    /// C [rows, cols] (+)= A · B over one block of depth `k`; `cols` columns of packed B, that is `pad_n` of them.
    /// Panels of B are `panel_stride` bytes apart per column.
    ///
    /// # Safety
    /// `a` holds `rows` packed rows and `c` as many rows of `ldc` f32 (both padded to `mr` when `whole_rows`); `b` holds
    /// the panels of `cols` columns; the processor has the instruction set of `self`.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "three operands, each with its place and stride")]
    pub unsafe fn block(
        &self,
        rows: usize,
        cols: usize,
        k: usize,
        a: *const u8,
        b: *const u8,
        column_stride: usize,
        c: *mut f32,
        ldc: usize,
        accumulate: bool,
    ) {
        unsafe { self.block_of(rows, cols, 0..k, a, b, column_stride, c, ldc, accumulate) };
    }

    /// [`Self::block`] over a part of the packed depth that starts at a multiple of `k_step`.
    ///
    /// # Safety
    /// As for [`Self::block`].
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "three operands, each with its place and stride")]
    pub unsafe fn block_of(
        &self,
        rows: usize,
        cols: usize,
        depth: Range<usize>,
        a: *const u8,
        b: *const u8,
        column_stride: usize,
        c: *mut f32,
        ldc: usize,
        accumulate: bool,
    ) {
        let skip = depth.start / self.unit() * 4;
        let units = self.pad_k(depth.len()) / self.unit();
        let step = self.tile_rows(rows);
        if let Some(enter) = self.enter {
            unsafe { enter() };
        }
        let mut row = 0;
        while row < rows {
            let count = step.min(rows - row);
            let mut col = 0;
            while col < cols {
                let width = self.panel(cols - col);
                let tiles = if width == self.nr { self.wide } else { self.narrow };
                unsafe {
                    tiles[count - 1](
                        units,
                        a.add(row * ROW_BYTES + skip),
                        b.add(col * column_stride + width * skip),
                        c.add(row * ldc + col),
                        ldc,
                        accumulate,
                    );
                }
                col += width;
            }
            row += step;
        }
        if let Some(leave) = self.leave {
            unsafe { leave() };
        }
    }
}

/// The tiles of 1, 2, … rows of a kernel `tile::<ROWS, VECTORS>`.
macro_rules! tiles {
    ($tile:ident, $vectors:literal, $($rows:literal)*) => { &[$($tile::<$rows, $vectors>),*] };
}
pub(crate) use tiles;
