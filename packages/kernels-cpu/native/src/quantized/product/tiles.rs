//! The loops of a product. Each element is a sum over blocks of k: what codes of a block stand for times x, one packed value after the
//! other, times the scale of the block. That is its order whatever goes along, so a row has the same bits in any company.

#![expect(
    clippy::needless_range_loop,
    reason = "what takes a closure is not inlined into a function of other features"
)]

use std::ops::Range;

use super::blocks::{Blocks, Scales, Starts};
use super::lanes::{By, Lanes, MOST, STEP};
use crate::gemm::ahead::Ahead;
use crate::pool::scratch;

/// Rows of w whose products with few rows are kept at a time.
pub const STRIP: usize = 64;
/// Vectors of rows of w in a panel.
pub const VECTORS: usize = 2;

/// Values in a packed one.
pub const fn unit<L: Lanes>() -> usize {
    if L::PAIRS { 2 } else { 1 }
}

/// Packed values that four bytes of codes become.
const fn per_code<L: Lanes, D: Blocks>() -> usize {
    32 / D::BITS / unit::<L>()
}

/// Packed values of a block.
pub const fn units<L: Lanes, D: Blocks>() -> usize {
    D::VALUES / unit::<L>()
}

/// Values of a step.
pub const fn step_values<D: Blocks>() -> usize {
    8 * STEP / D::BITS
}

/// Blocks of a row of `k` values, whole steps of them: those beyond the row multiply by nothing.
pub const fn blocks_of<D: Blocks>(k: usize) -> usize {
    let step = step_values::<D>();
    k.next_multiple_of(if step > D::VALUES { step } else { D::VALUES }) / D::VALUES
}

/// Numbers that a vector of rows takes for the scales of so many blocks, and for their offsets.
const fn scale_parts<D: Blocks>() -> usize {
    if D::OFFSETS { 2 } else { 1 }
}

/// Rows of w in lanes. Those beyond the last row repeat it.
#[derive(Clone, Copy)]
struct Side<D> {
    w: D,
    starts: Starts,
}

impl<D: Blocks> Side<D> {
    /// # Safety
    /// The rows up to `last` exist.
    #[inline(always)]
    unsafe fn of<L: Lanes>(w: D, first: usize, last: usize) -> Self {
        let mut starts = Starts { rows: [last; MOST], at: [std::ptr::null(); MOST] };
        for lane in 0..L::LANES {
            let row = (first + lane).min(last);
            starts.rows[lane] = row;
            starts.at[lane] = w.start(row);
        }
        Self { w, starts }
    }

    /// The codes of a step from value `at` on: [8][four bytes of each row].
    ///
    /// # Safety
    /// `at` is in the rows; the processor has the instructions.
    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, at: usize) -> [L::Codes; 8] {
        let Starts { rows, at: starts } = &self.starts;
        // SAFETY: the caller's rows and processor.
        unsafe { L::turned(|lane| self.w.codes::<L>(rows[lane], starts[lane], at)) }
    }

    /// Scales, and offsets, of the rows, for all blocks of `k` values.
    ///
    /// # Safety
    /// There is room for them; the processor has the instructions.
    #[inline(always)]
    unsafe fn scales<L: Lanes>(&self, k: usize, to: Scales) {
        let (there, all) = (k.div_ceil(D::VALUES), blocks_of::<D>(k));
        // SAFETY: the caller's room.
        unsafe {
            self.w.scales::<L>(&self.starts, there, to);
            for block in there..all {
                L::store(to.scales.add(block * to.stride), L::zero());
                if D::OFFSETS {
                    L::store(to.offsets.add(block * to.stride), L::zero());
                }
            }
        }
    }
}

/// c [M, STRIP] = the products of M rows of x with at most STRIP rows of w. What codes stand for stays in registers.
/// GROUPS · LANES rows of w go together, as long as there are as many: sums of one row of x wait for each other.
pub struct Few<D, const M: usize, const GROUPS: usize>(pub FewRows<D>);

/// What [`Few`] works on.
pub struct FewRows<D> {
    pub c: *mut f32,
    /// Rows of packed values, of k padded to blocks, so many apart.
    pub x: *const u32,
    pub ldx: usize,
    /// [M, blocks]: the sum of x over each block, where w has offsets.
    pub totals: *const f32,
    pub w: D,
    pub rows: Range<usize>,
    pub k: usize,
}

impl<D: Blocks, const M: usize, const GROUPS: usize> By for Few<D, M, GROUPS> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let FewRows { c, rows, k, .. } = &self.0;
        let mut scales = scratch::<f32>(scale_parts::<D>() * blocks_of::<D>(*k) * GROUPS * L::LANES);
        let scales = scales.as_mut_ptr();
        let mut first = rows.start;
        while first < rows.end {
            // SAFETY: rows of w, and room for their scales and products; x as whoever made this says.
            unsafe {
                let c = c.add(first - rows.start);
                if first + GROUPS * L::LANES <= rows.end {
                    groups::<L, D, M, GROUPS>(&self.0, first, c, scales);
                    first += GROUPS * L::LANES;
                } else {
                    groups::<L, D, M, 1>(&self.0, first, c, scales);
                    first += L::LANES;
                }
            }
        }
    }
}

/// c [M, STRIP] = the products of M rows of x with GROUPS · LANES rows of w from `first` on.
///
/// # Safety
/// As for [`Few`]; `scales` has room for those of the rows.
#[inline(always)]
unsafe fn groups<L: Lanes, D: Blocks, const M: usize, const GROUPS: usize>(
    few: &FewRows<D>,
    first: usize,
    c: *mut f32,
    scales: *mut f32,
) {
    let &FewRows { x, ldx, totals, w, ref rows, k, .. } = few;
    let blocks = blocks_of::<D>(k);
    let stride = GROUPS * L::LANES;
    let offsets = scales.wrapping_add(blocks * stride);
    let step = step_values::<D>();
    let per_code = 32 / D::BITS;
    // SAFETY: the caller's rows and room.
    unsafe {
        let mut sides = [Side::of::<L>(w, first, rows.end - 1); GROUPS];
        for g in 1..GROUPS {
            sides[g] = Side::of::<L>(w, first + g * L::LANES, rows.end - 1);
        }
        for g in 0..GROUPS {
            let at = g * L::LANES;
            let to = Scales { scales: scales.add(at), offsets: offsets.wrapping_add(at), stride };
            sides[g].scales::<L>(k, to);
        }
        let mut sums = [[L::zero(); M]; GROUPS];
        let mut parts = [[L::zero(); M]; GROUPS];
        let mut ahead = w.start(first + GROUPS * L::LANES);
        for at in (0..blocks * D::VALUES).step_by(step) {
            ahead = fetch(ahead, GROUPS * L::LANES * D::STEP_BYTES);
            let mut codes = [sides[0].codes::<L>(at); GROUPS];
            for g in 1..GROUPS {
                codes[g] = sides[g].codes::<L>(at);
            }
            let mut x = x.add(at / unit::<L>());
            for v in 0..8 {
                let mut values = [D::values::<L>(codes[0][v]); GROUPS];
                for g in 1..GROUPS {
                    values[g] = D::values::<L>(codes[g][v]);
                }
                for j in 0..per_code / unit::<L>() {
                    for i in 0..M {
                        let left = L::everywhere(x.add(i * ldx));
                        for g in 0..GROUPS {
                            parts[g][i] = L::add(parts[g][i], left, values[g][j]);
                        }
                    }
                    x = x.add(1);
                }
                // A block ends: in the middle of a step, or with one.
                let done = (v + 1) * per_code;
                let ends = if D::VALUES < step {
                    done.is_multiple_of(D::VALUES)
                } else {
                    v == 7 && (at + step).is_multiple_of(D::VALUES)
                };
                if ends {
                    let block = (at + done) / D::VALUES - 1;
                    let (scales, offsets) =
                        (scales.add(block * stride), offsets.wrapping_add(block * stride));
                    for g in 0..GROUPS {
                        let scale = L::load(scales.add(g * L::LANES));
                        for i in 0..M {
                            sums[g][i] = L::add_scaled(sums[g][i], parts[g][i], scale);
                            parts[g][i] = L::zero();
                        }
                        if D::OFFSETS {
                            let offset = L::load(offsets.add(g * L::LANES));
                            for i in 0..M {
                                let total = L::same(*totals.add(i * blocks + block));
                                sums[g][i] = L::add_scaled(sums[g][i], total, offset);
                            }
                        }
                    }
                }
            }
        }
        for g in 0..GROUPS {
            for i in 0..M {
                L::store(c.add(i * STRIP + g * L::LANES), sums[g][i]);
            }
        }
    }
}

/// Asks for so many bytes, which need not exist, for the second-level cache. Where they end.
#[inline(always)]
fn fetch(at: *const u8, bytes: usize) -> *const u8 {
    for line in (0..bytes).step_by(64) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint, which reads nothing.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(line).cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
    at.wrapping_add(bytes)
}

/// Rows of w that a panel has.
pub const fn panel_rows<L: Lanes>() -> usize {
    VECTORS * L::LANES
}

/// What rows of w stand for, in panels: to [panels][packed values of k padded][panel_rows], and scales, and offsets where there are any,
/// [panels][blocks][panel_rows].
pub struct Panels<D> {
    pub to: *mut u32,
    pub scales: *mut f32,
    pub offsets: *mut f32,
    pub w: D,
    pub rows: Range<usize>,
    pub k: usize,
}

impl<D: Blocks> By for Panels<D> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Self { to, scales, offsets, w, rows, k } = self;
        let blocks = blocks_of::<D>(k);
        let width = panel_rows::<L>();
        for (panel, first) in rows.clone().step_by(width).enumerate() {
            for v in 0..VECTORS {
                let first = first + v * L::LANES;
                // SAFETY: rows of w, and room for what they stand for.
                unsafe {
                    let side = Side::of::<L>(w, first, rows.end - 1);
                    let at = panel * blocks * width + v * L::LANES;
                    let to_scales =
                        Scales { scales: scales.add(at), offsets: offsets.wrapping_add(at), stride: width };
                    side.scales::<L>(k, to_scales);
                    let mut ahead = w.start(first + L::LANES);
                    let mut to = to.add(panel * blocks * units::<L, D>() * width + v * L::LANES);
                    for at in (0..blocks * D::VALUES).step_by(step_values::<D>()) {
                        ahead = fetch(ahead, L::LANES * D::STEP_BYTES);
                        let codes = side.codes::<L>(at);
                        for v in 0..8 {
                            let values = D::values::<L>(codes[v]);
                            for j in 0..per_code::<L, D>() {
                                L::store_packed(to, values[j]);
                                to = to.add(width);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// c [M, ldc] = the products of M rows of x with panels of w, which has offsets or has none.
pub struct Tile<'a, const M: usize, const OFFSETS: bool>(pub TileRows<'a>);

/// What [`Tile`] works on.
pub struct TileRows<'a> {
    pub c: *mut f32,
    pub ldc: usize,
    /// Rows of packed values, of k padded to blocks, so many apart.
    pub x: *const u32,
    pub ldx: usize,
    /// Sums of x over each block, rows so many apart, where w has offsets.
    pub totals: *const f32,
    pub ldt: usize,
    pub panels: *const u32,
    pub scales: *const f32,
    pub offsets: *const f32,
    pub count: usize,
    /// Blocks of a row, and packed values of each.
    pub blocks: usize,
    pub units: usize,
    pub ahead: &'a mut Ahead,
    /// Packed values between two lines that are asked for.
    pub pace: usize,
}

impl<const M: usize, const OFFSETS: bool> By for Tile<'_, M, OFFSETS> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let TileRows { c, ldc, x, ldx, totals, ldt, panels, scales, offsets, count, blocks, units, .. } =
            self.0;
        let TileRows { ahead, pace, .. } = self.0;
        let width = panel_rows::<L>();
        for panel in 0..count {
            // SAFETY: the panels, rows and room of whoever made this.
            unsafe {
                let c = c.add(panel * width);
                for i in 0..M {
                    for v in 0..VECTORS {
                        L::store(c.add(i * ldc + v * L::LANES), L::zero());
                    }
                }
                let mut w = panels.add(panel * blocks * units * width);
                for block in 0..blocks {
                    let parts = block_of::<L, M>(x.add(block * units), ldx, w, units, ahead, pace);
                    w = w.add(units * width);
                    let at = (panel * blocks + block) * width;
                    let scale = [L::load(scales.add(at)), L::load(scales.add(at + L::LANES))];
                    let mut offset = [L::zero(); VECTORS];
                    if OFFSETS {
                        offset = [L::load(offsets.add(at)), L::load(offsets.add(at + L::LANES))];
                    }
                    for i in 0..M {
                        let mut total = L::zero();
                        if OFFSETS {
                            total = L::same(*totals.add(i * ldt + block));
                        }
                        for v in 0..VECTORS {
                            let c = c.add(i * ldc + v * L::LANES);
                            let mut sum = L::add_scaled(L::load(c), parts[i][v], scale[v]);
                            if OFFSETS {
                                sum = L::add_scaled(sum, total, offset[v]);
                            }
                            L::store(c, sum);
                        }
                    }
                }
            }
        }
    }
}

/// The products of a block of M rows of x with a panel. By value, so that they are in registers until the end.
///
/// # Safety
/// Rows of x and the panel hold so many packed values; the processor has the instructions.
#[inline(always)]
unsafe fn block_of<L: Lanes, const M: usize>(
    mut x: *const u32,
    ldx: usize,
    mut w: *const u32,
    units: usize,
    ahead: &mut Ahead,
    pace: usize,
) -> [[L::Sums; VECTORS]; M] {
    // SAFETY: the caller's values and processor.
    unsafe {
        let mut parts = [[L::zero(); VECTORS]; M];
        for from in (0..units).step_by(pace) {
            ahead.ask();
            for _ in from..units.min(from + pace) {
                let right: [L::Codes; VECTORS] = [L::load_packed(w), L::load_packed(w.add(L::LANES))];
                let mut row = x;
                for i in 0..M {
                    let left = L::everywhere(row);
                    for v in 0..VECTORS {
                        parts[i][v] = L::add(parts[i][v], left, right[v]);
                    }
                    // The next row; past the last it is not read.
                    row = row.wrapping_add(ldx);
                }
                w = w.add(panel_rows::<L>());
                x = x.add(1);
            }
        }
        parts
    }
}
