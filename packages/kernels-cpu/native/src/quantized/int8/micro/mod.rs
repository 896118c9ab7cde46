//! Micro-kernels: C [rows, cols] of f32 from codes, whole sums of each block of k in registers.
//!
//! A: codes of x, each row contiguous. B: panels of `nr` columns (the last one may be of `lane` columns), each [units, columns] of four
//! bytes: four codes of neighbouring k, or two where an instruction multiplies codes of 16 bits. x is signed; w is signed too, or with 128
//! added to each code where the instructions want unsigned bytes on one side: then a sum starts with -128 times the sum of the codes of x.
//!
//! No sum overflows: 64 products of 127 · 255 are below 2^21, and sums of two products of 16 bits are kept in 32.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
#[cfg(target_arch = "x86_64")]
mod avxvnni;
#[cfg(target_arch = "aarch64")]
mod dotprod;
mod portable;

use crate::gemm::ahead::Ahead;
use crate::isa::Isa;

/// What a tile is computed from.
pub struct Terms {
    /// Rows of codes, `stride` bytes apart.
    pub a: *const u8,
    pub stride: usize,
    /// Of the first row in the first block, and what its sums start with; those of the next row are `across` further on.
    pub scales: *const f32,
    pub starts: *const i32,
    pub across: usize,
    /// A panel.
    pub b: *const u8,
    pub blocks: usize,
    /// Packed values of k in all blocks; the last one may be shorter.
    pub units: usize,
    /// What columns of the finished tile are multiplied by, or null.
    pub factors: *const f32,
    /// The tile is added to what is there.
    pub accumulate: bool,
}

/// C (+)= the terms, asking for what is ahead meanwhile. `ldc` in f32.
///
/// # Safety
/// A tile of R rows and V vectors: the terms have R rows and a panel of V vectors, and `c` R rows of V vectors; the processor has the
/// instructions.
pub type Tile = unsafe fn(terms: &Terms, c: *mut f32, ldc: usize, ahead: &mut Ahead);

/// The micro-kernels of one instruction set.
pub struct Micro8 {
    pub name: &'static str,
    /// Codes in a packed value.
    pub values: usize,
    /// Codes of w have 128 added.
    pub unsigned: bool,
    /// Most rows of a tile.
    pub mr: usize,
    /// Columns of a full panel.
    pub nr: usize,
    /// Columns of a narrow panel, half of `nr`.
    pub lane: usize,
    /// By rows - 1, for full and for narrow panels.
    wide: &'static [Tile],
    narrow: &'static [Tile],
}

impl Micro8 {
    /// The fastest kernels among those of `isa`.
    pub fn of(isa: Isa) -> &'static Self {
        Self::all(isa).next().unwrap_or(&portable::MICRO)
    }

    /// The kernels that a processor with `isa` has, fastest first.
    pub fn all(isa: Isa) -> impl Iterator<Item = &'static Self> {
        #[cfg(target_arch = "x86_64")]
        let found = [
            (isa >= Isa::Avx512 && is_x86_feature_detected!("avx512vnni")).then_some(&avx512vnni::MICRO),
            (isa >= Isa::Avx2 && is_x86_feature_detected!("avxvnni")).then_some(&avxvnni::MICRO),
            (isa >= Isa::Avx2).then_some(&avx2::MICRO),
        ];
        #[cfg(target_arch = "aarch64")]
        let found = [std::arch::is_aarch64_feature_detected!("dotprod").then_some(&dotprod::MICRO)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let found: [Option<&'static Self>; 0] = [];
        let _ = isa;
        found.into_iter().flatten().chain([&portable::MICRO])
    }

    /// Packed values of k codes.
    pub fn units(&self, k: usize) -> usize {
        k.div_ceil(self.values)
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
        rows.div_ceil(rows.div_ceil(self.mr).max(1)).max(1)
    }

    /// The kernel for a tile.
    pub fn tile(&self, rows: usize, width: usize) -> Tile {
        if width == self.nr { self.wide[rows - 1] } else { self.narrow[rows - 1] }
    }
}

/// The kernel of an instruction set, of what its file defines: `WIDTH` lanes, `VALUES` codes in four bytes, the codes `Codes` and sums `Sums` of
/// a register, and `zero`, `load`, `everywhere`, `start_at`, `dot`, `add_scaled` and `store` on them.
macro_rules! kernel {
    ($(#[$feature:meta])*) => {
        /// # Safety
        /// As for [`super::Tile`].
        $(#[$feature])*
        unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
            terms: &super::Terms,
            c: *mut f32,
            ldc: usize,
            ahead: &mut crate::gemm::ahead::Ahead,
        ) {
            let per_block = crate::quantized::int8::BLOCK / VALUES;
            // SAFETY: the caller's rows, panel and tile.
            unsafe {
                let mut left = terms.a;
                let mut right = terms.b;
                let mut to_go = terms.units;
                let mut totals = [[zero(); VECTORS]; ROWS];
                for block in 0..terms.blocks {
                    let units = per_block.min(to_go);
                    to_go -= units;
                    let mut sums = [[start_at(0); VECTORS]; ROWS];
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = [start_at(*terms.starts.add(i * terms.across + block)); VECTORS];
                    }
                    let sums = add(sums, (left, terms.stride), right, units, ahead);
                    left = left.wrapping_add(4 * units);
                    right = right.wrapping_add(4 * VECTORS * WIDTH * units);
                    for (i, (total, sum)) in totals.iter_mut().zip(&sums).enumerate() {
                        let scale = *terms.scales.add(i * terms.across + block);
                        for (total, sum) in total.iter_mut().zip(sum) {
                            *total = add_scaled(*total, *sum, scale);
                        }
                    }
                }
                for (i, total) in totals.iter().enumerate() {
                    for (j, total) in total.iter().enumerate() {
                        let factors = if terms.factors.is_null() {
                            terms.factors
                        } else {
                            terms.factors.add(j * WIDTH)
                        };
                        store(c.add(i * ldc + j * WIDTH), *total, factors, terms.accumulate);
                    }
                }
            }
        }

        /// The sums and the products of a block. By value, so that they are in registers while it runs.
        ///
        /// # Safety
        /// Rows and a panel of `units` packed values.
        #[inline]
        $(#[$feature])*
        unsafe fn add<const ROWS: usize, const VECTORS: usize>(
            mut sums: [[Sums; VECTORS]; ROWS],
            (mut left, stride): (*const u8, usize),
            mut right: *const u8,
            units: usize,
            ahead: &mut crate::gemm::ahead::Ahead,
        ) -> [[Sums; VECTORS]; ROWS] {
            /// Packed values between two lines that are asked for.
            const PACE: usize = 4;
            // SAFETY: the caller's rows and panel.
            unsafe {
                for some in crate::gemm::micro::paces(units, PACE) {
                    ahead.ask();
                    for _ in 0..some {
                        let mut panel = [load(right); VECTORS];
                        for (j, panel) in panel.iter_mut().enumerate().skip(1) {
                            *panel = load(right.add(4 * j * WIDTH));
                        }
                        let mut row = left;
                        for sum in &mut sums {
                            let codes = everywhere(row);
                            for (sum, panel) in sum.iter_mut().zip(&panel) {
                                *sum = dot(*sum, *panel, codes);
                            }
                            // The next row; past the last it is not read.
                            row = row.wrapping_add(stride);
                        }
                        left = left.add(4);
                        right = right.add(4 * VECTORS * WIDTH);
                    }
                }
            }
            sums
        }
    };
}
pub(crate) use kernel;
