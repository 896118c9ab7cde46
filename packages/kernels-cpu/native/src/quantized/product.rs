//! Products with a quantised matrix, which is read in its few bits and never written out as a whole: y = x · w^T.
//!
//! Rows of w lie side by side in the lanes of registers. With few rows of x, what the codes stand for stays in registers and is
//! multiplied at once; with more, it is written to panels that stay in a cache while rows of x go by: one panel at a time as long as
//! reading weights is a large part of the work, then as many as the second-level cache holds. Either way each element is summed in one
//! order ([`tiles`]), which depends on k alone: a row has the same bits in any company and on any number of threads.
//!
//! Where the processor multiplies bf16 and x is bf16, the levels of NF4 are rounded to bf16; what they are multiplied by is not.

mod blocks;
mod gguf;
mod lanes;
mod rows;
mod tiles;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::marker::PhantomData;
use std::ops::Range;

use super::gguf::Kind;
use super::{BLOCK, Matrix};
use crate::element::Element;
use crate::gemm::ahead::{Ahead, Region, Use};
use crate::gemm::store::{Output, store};
#[cfg(target_arch = "x86_64")]
use crate::isa::Isa;
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use blocks::{Blocks, Nf4Blocks, Nf4Values};
use gguf::{Iq4NlRows, Q4_0Rows, Q4_1Rows, Q4KRows, Q5_0Rows, Q5_1Rows, Q5KRows, Q6KRows, Q8_0Rows};
use lanes::{By, Lanes, PICKED, Portable};
use rows::Rows;
use tiles::{FewRows, Panels, STRIP, TileRows, blocks_of, panel_rows};

/// Most bytes of the panels of a task: less than half of a second-level cache.
const PANEL_BYTES: usize = 400 << 10;
/// Most rows of w of a task.
const PANEL_ROWS: usize = 256;
/// Most rows of x to which panels are written one at a time.
const NEAR: usize = 64;
/// Most packed values between two lines that are asked for.
const PACE: usize = 4;
/// Least rows of x of a task of many: what its panels cost is a small part of it.
const LEAST: usize = 64;

/// y [m, rows] (+)= x [m, k] · w^T (+ bias).
///
/// # Safety
/// x holds m · k elements, `out` the products, and the parts of `w` [rows, k] what their lengths say; the processor has
/// the instruction set of the context.
pub unsafe fn product<E: Element>(
    context: &Context,
    out: &Output,
    x: *const E,
    w: Matrix,
    shape: (usize, usize, usize),
) {
    let k = shape.2;
    // SAFETY: the caller's operands; blocks are whole where they are taken for it, and bf16 is multiplied where x is bf16.
    unsafe {
        match w {
            Matrix::Nf4(w) if k.is_multiple_of(BLOCK) => by_lanes(context, out, x, Nf4Blocks { w, k }, shape),
            // The values themselves, which bf16 does not hold.
            Matrix::Nf4(w) => by_floats(context, out, x, Nf4Values { w, k }, shape),
            Matrix::Int8(w) => by_lanes(context, out, x, w, shape),
            Matrix::Gguf(w) => match w.kind {
                Kind::Q4_0 => by_lanes(context, out, x, Q4_0Rows(w), shape),
                Kind::Q4_1 => by_lanes(context, out, x, Q4_1Rows(w), shape),
                Kind::Q8_0 => by_lanes(context, out, x, Q8_0Rows(w), shape),
                Kind::Q4K => by_lanes(context, out, x, Q4KRows(w), shape),
                Kind::Q5_0 => by_lanes(context, out, x, Q5_0Rows(w), shape),
                Kind::Q5_1 => by_lanes(context, out, x, Q5_1Rows(w), shape),
                Kind::Q5K => by_lanes(context, out, x, Q5KRows(w), shape),
                Kind::Q6K => by_lanes(context, out, x, Q6KRows(w), shape),
                Kind::Iq4Nl => by_lanes(context, out, x, Iq4NlRows(w), shape),
            },
        }
    }
}

/// # Safety
/// As for [`product`], of whose matrix `w` is.
unsafe fn by_lanes<E: Element, D: Blocks>(
    context: &Context,
    out: &Output,
    x: *const E,
    w: D,
    shape: (usize, usize, usize),
) {
    // SAFETY: the caller's operands and processor.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if E::IS_BF16 && context.isa >= Isa::Avx512Bf16 {
            return multiply::<x86::Avx512Bf16, D, E>(context, out, x, w, shape);
        }
        by_floats(context, out, x, w, shape);
    }
}

/// # Safety
/// As for [`by_lanes`].
unsafe fn by_floats<E: Element, D: Blocks>(
    context: &Context,
    out: &Output,
    x: *const E,
    w: D,
    shape: (usize, usize, usize),
) {
    // SAFETY: the caller's operands and processor.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        match context.isa {
            Isa::Portable => {}
            Isa::Avx2 => return multiply::<x86::Avx2, D, E>(context, out, x, w, shape),
            Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => {
                return multiply::<x86::Avx512, D, E>(context, out, x, w, shape);
            }
        }
        multiply::<Portable, D, E>(context, out, x, w, shape);
    }
}

/// Rows of x as packed values in the order in which a format has them, zeros beyond k; and the sum of each block, where the format has
/// offsets.
struct Pack<D, E> {
    to: *mut u32,
    /// Packed values from one row to the next.
    ldx: usize,
    totals: *mut f32,
    x: *const E,
    rows: Range<usize>,
    k: usize,
    w: PhantomData<D>,
}

impl<D: Blocks, E: Element> By for Pack<D, E> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Self { to, ldx, totals, x, rows, k, .. } = self;
        let blocks = blocks_of::<D>(k);
        let padded = blocks * D::VALUES;
        let mut places = [0u16; PICKED];
        for (i, place) in places.iter_mut().enumerate() {
            *place = (i / D::GROUP * D::GROUP + D::value_at(i % D::GROUP, L::PAIRS)) as u16;
        }
        for row in rows {
            // SAFETY: rows of x and room for them, of whoever made this.
            unsafe {
                let x = std::slice::from_raw_parts(x.add(row * k), k);
                let packed = to.add(row * ldx);
                if L::PAIRS {
                    let to = std::slice::from_raw_parts_mut(packed.cast::<u16>(), padded);
                    let whole = if E::IS_BF16 { k / PICKED * PICKED } else { 0 };
                    for at in (0..whole).step_by(PICKED) {
                        L::pick(to.as_mut_ptr().add(at), x.as_ptr().add(at).cast(), &places);
                    }
                    arrange::<D, E, u16>(&mut to[whole..], &x[whole..], |x| x.to_bf16(), true);
                } else {
                    let to = std::slice::from_raw_parts_mut(packed, padded);
                    arrange::<D, E, u32>(to, x, |x| x.load().to_bits(), false);
                }
                if D::OFFSETS {
                    let totals = totals.add(row * blocks);
                    let mut values = [0f32; BLOCK];
                    // A vector of pairs, as they are packed.
                    let whole = if L::PAIRS && D::VALUES == PICKED { k / PICKED } else { 0 };
                    for block in 0..whole {
                        totals.add(block).write(L::total(packed.add(block * tiles::units::<L, D>())));
                    }
                    for block in whole..blocks {
                        let from = (block * D::VALUES).min(k);
                        let x = &x[from..(from + D::VALUES).min(k)];
                        let values = &mut values[..x.len()];
                        row::load(values, x);
                        totals.add(block).write(row::sum(values));
                    }
                }
            }
        }
    }
}

/// to = x in the order of a format, then zeros.
#[inline(always)]
fn arrange<D: Blocks, E: Element, T: Copy + Default>(
    to: &mut [T],
    x: &[E],
    of: impl Fn(E) -> T,
    pairs: bool,
) {
    let whole = x.len() / D::GROUP * D::GROUP;
    for (to, x) in to.chunks_exact_mut(D::GROUP).zip(x.chunks_exact(D::GROUP)) {
        for (i, to) in to.iter_mut().enumerate() {
            *to = of(x[D::value_at(i, pairs)]);
        }
    }
    to[whole..].fill(T::default());
    for (i, to) in to[whole..].iter_mut().enumerate() {
        let place = i / D::GROUP * D::GROUP + D::value_at(i % D::GROUP, pairs);
        if let Some(x) = x.get(whole + place) {
            *to = of(*x);
        }
    }
}

/// # Safety
/// As for [`product`], of whose matrix `w` is; the processor has the instructions of the lanes, which take pairs where x is bf16 alone.
unsafe fn multiply<L: Rows, D: Blocks, E: Element>(
    context: &Context,
    out: &Output,
    x: *const E,
    w: D,
    (m, rows, k): (usize, usize, usize),
) {
    if m == 0 || rows == 0 {
        return;
    }
    if m <= L::FEW {
        // SAFETY: the caller's.
        unsafe { few::<L, D, E>(context, out, x, w, (m, rows, k)) };
    } else {
        // SAFETY: as above.
        unsafe { many::<L, D, E>(context, out, x, w, (m, rows, k)) };
    }
}

/// # Safety
/// As for [`multiply`].
unsafe fn few<L: Rows, D: Blocks, E: Element>(
    context: &Context,
    out: &Output,
    x: *const E,
    w: D,
    (m, rows, k): (usize, usize, usize),
) {
    let blocks = blocks_of::<D>(k);
    let ldx = stride(blocks * tiles::units::<L, D>());
    let mut packed = scratch::<u32>(m * ldx);
    let mut totals = scratch::<f32>(if D::OFFSETS { m * blocks } else { 0 });
    let (to, sums) = (packed.as_mut_ptr(), totals.as_mut_ptr());
    // SAFETY: rows of x, and room for them.
    unsafe { L::run(Pack::<D, E> { to, ldx, totals: sums, x, rows: 0..m, k, w: PhantomData }) };
    let (packed, totals) = (&*packed, &*totals);
    context.pool.ranges(rows, L::LANES, |range| {
        let mut c = scratch::<f32>(STRIP * m);
        for row in range.clone().step_by(STRIP) {
            let strip = row..(row + STRIP).min(range.end);
            let (c, x, totals) = (c.as_mut_ptr(), packed.as_ptr(), totals.as_ptr());
            // SAFETY: rows of the caller's w; `c` has room for a strip of their products, and other threads have other columns of y.
            unsafe {
                L::few(m, FewRows { c, x, ldx, totals, w, rows: strip.clone(), k });
                store(context.isa, out, c, STRIP, 0..m, strip);
            }
        }
    });
}

/// Packed values from one row to the next: an odd number of cache lines apart, rows fall into different sets.
fn stride(units: usize) -> usize {
    (units.div_ceil(16) | 1) * 16
}

/// Tasks of a product of many rows: so many rows of w, and of x.
fn tasks<L: Lanes>(m: usize, rows: usize, bytes: usize, threads: usize) -> (usize, usize) {
    let panel = panel_rows::<L>();
    if m <= NEAR {
        // A few for each thread, so that a slow one does not hold up the rest.
        return (rows.div_ceil(4 * threads).next_multiple_of(panel), m);
    }
    let widest = (PANEL_BYTES / bytes.max(1)).clamp(panel, PANEL_ROWS);
    let panels = rows.div_ceil(panel);
    let least = panels.div_ceil(widest / panel);
    // The thread with most to do has so many panels; each task reads all rows of x once more.
    let price = |across: usize| {
        let each = panels.div_ceil(across);
        let most = panels.div_ceil(each).div_ceil(threads) * each;
        64 * most + across
    };
    let across = (least..=panels).min_by_key(|across| price(*across)).unwrap_or(1);
    let each = panels.div_ceil(across);
    let down = threads.div_ceil(panels.div_ceil(each)).min(m.div_ceil(LEAST)).max(1);
    (each * panel, m.div_ceil(down))
}

/// # Safety
/// As for [`multiply`].
unsafe fn many<L: Rows, D: Blocks, E: Element>(
    context: &Context,
    out: &Output,
    x: *const E,
    w: D,
    (m, rows, k): (usize, usize, usize),
) {
    let Context { pool, isa, .. } = context;
    let blocks = blocks_of::<D>(k);
    let units = blocks * tiles::units::<L, D>();
    let ldx = stride(units);
    let mut packed = scratch::<u32>(m * ldx);
    let mut totals = scratch::<f32>(if D::OFFSETS { m * blocks } else { 0 });
    let to = Packing { to: packed.as_mut_ptr(), totals: totals.as_mut_ptr(), x };
    pool.ranges(m, 16, |rows| {
        // SAFETY: the rows of x, and room for them, where other parts have other rows.
        unsafe {
            let (to, totals, x) = to.parts();
            L::run(Pack::<D, E> { to, ldx, totals, x, rows, k, w: PhantomData });
        }
    });
    let (packed, totals) = (&*packed, &*totals);
    let panel = panel_rows::<L>();
    let (task_rows, task_m) = tasks::<L>(m, rows, 4 * units, pool.threads());
    let held = if m <= NEAR { panel } else { task_rows };
    let across = rows.div_ceil(task_rows);
    pool.run(across * m.div_ceil(task_m), &|task| {
        let cols = task % across * task_rows;
        let cols = cols..(cols + task_rows).min(rows);
        let lines = task / across * task_m;
        let lines = lines..(lines + task_m).min(m);
        let mut panels = scratch::<u32>(held * units);
        let mut scales = scratch::<f32>(held * blocks);
        let mut offsets = scratch::<f32>(if D::OFFSETS { held * blocks } else { 0 });
        let height = lines.len().div_ceil(lines.len().div_ceil(L::TILE));
        let mut c = scratch::<f32>(height * held);
        for col in cols.clone().step_by(held) {
            let cols = col..(col + held).min(cols.end);
            // SAFETY: rows of the caller's w, and room for what they stand for.
            unsafe {
                L::run(Panels {
                    to: panels.as_mut_ptr(),
                    scales: scales.as_mut_ptr(),
                    offsets: offsets.as_mut_ptr(),
                    w,
                    rows: cols.clone(),
                    k,
                })
            };
            let next = w.start(cols.end);
            let bytes = (next as usize).wrapping_sub(w.start(cols.end - held.min(cols.end)) as usize);
            let mut codes = Region::of(next, 0, (1, bytes), Use::Later);
            // All codes of the next panel are asked for while rows go by this one; many rows have time for it.
            let count = cols.len().div_ceil(panel);
            let wanted = bytes / 64 + lines.len() * held / 16;
            let pace = (lines.len().div_ceil(height) * count * units / wanted.max(1)).clamp(1, PACE);
            for line in lines.clone().step_by(height) {
                let here = line..(line + height).min(lines.end);
                let after = here.end..(here.end + height).min(lines.end);
                let x = packed[line * ldx..].as_ptr();
                let next_rows = Region::of(
                    x.wrapping_add(height * ldx).cast(),
                    4 * ldx,
                    (after.len(), 4 * units),
                    Use::Read,
                );
                let next_rows = if m <= NEAR { Region::EMPTY } else { next_rows };
                let mut ahead = Ahead::of([next_rows, out.region(here.clone(), cols.clone()), codes]);
                let c = c.as_mut_ptr();
                let tile = TileRows {
                    c,
                    ldc: held,
                    x,
                    ldx,
                    totals: totals.as_ptr().wrapping_add(if D::OFFSETS { line * blocks } else { 0 }),
                    ldt: blocks,
                    panels: panels.as_ptr(),
                    scales: scales.as_ptr(),
                    offsets: offsets.as_ptr(),
                    count,
                    blocks,
                    units: tiles::units::<L, D>(),
                    ahead: &mut ahead,
                    pace,
                };
                // SAFETY: packed rows of x and panels of w, and room for their products; other tasks have other elements of y.
                unsafe {
                    if D::OFFSETS {
                        L::tile::<true>(here.len(), tile);
                    } else {
                        L::tile::<false>(here.len(), tile);
                    }
                    store(*isa, out, c, held, here, cols.clone());
                }
                codes = ahead.last();
            }
        }
    });
}

/// Rows that are packed, and where they and their sums go: parts of a job write disjointly.
struct Packing<E> {
    to: *mut u32,
    totals: *mut f32,
    x: *const E,
}

// SAFETY: addresses; whoever writes there answers for what other threads do.
unsafe impl<E> Sync for Packing<E> {}

impl<E> Packing<E> {
    fn parts(&self) -> (*mut u32, *mut f32, *const E) {
        (self.to, self.totals, self.x)
    }
}
