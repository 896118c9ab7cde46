//! Products with a quantised matrix, which is read in its few bits and never written out as a whole: y = x · w^T.
//!
//! Rows of w lie side by side in the lanes of registers. With few rows of x, what the codes stand for stays in registers and is
//! multiplied at once; with more, it is written to panels that stay in the second-level cache while rows of x go by. Either way each
//! element is summed in one order ([`tiles`]), which depends on k alone: a row has the same bits in any company and on any number of
//! threads.
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
use crate::gemm::store::{Output, store};
#[cfg(target_arch = "x86_64")]
use crate::isa::Isa;
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use blocks::{Blocks, Nf4Blocks, Nf4Values};
use gguf::{Expanded, Q4_0Rows, Q4_1Rows, Q4KRows, Q8_0Rows};
use lanes::{By, Lanes, Portable};
use rows::Rows;
use tiles::{FewRows, Panels, STRIP, TileRows, blocks_of, panel_rows, unit};

/// Most bytes of the panels of a task: less than half of a second-level cache.
const PANEL_BYTES: usize = 400 << 10;
/// Most rows of w of a task.
const PANEL_ROWS: usize = 256;
/// Chunks of few rows up to which rows of w are decoded for each.
const MOST_CHUNKS: usize = 2;
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
                Kind::Q6K => by_lanes(context, out, x, Expanded::<16> { w, isa: context.isa }, shape),
                Kind::Q5_0 | Kind::Q5_1 | Kind::Q5K | Kind::Iq4Nl => {
                    by_lanes(context, out, x, Expanded::<32> { w, isa: context.isa }, shape)
                }
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
    /// Packed values from one row to the next, and from one of a row to the next.
    down: usize,
    along: usize,
    totals: *mut f32,
    /// The same of sums.
    totals_down: usize,
    totals_along: usize,
    x: *const E,
    rows: Range<usize>,
    k: usize,
    w: PhantomData<D>,
}

impl<D: Blocks, E: Element> By for Pack<D, E> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Self { to, down, along, totals, totals_down, totals_along, x, rows, k, .. } = self;
        let padded = blocks_of::<D>(k) * D::VALUES;
        let mut line = scratch::<u32>(if along == 1 { 0 } else { padded / unit::<L>() });
        for row in rows {
            // SAFETY: rows of x and room for them, of whoever made this.
            unsafe {
                let x = std::slice::from_raw_parts(x.add(row * k), k);
                let start = to.add(row * down);
                let packed = if along == 1 { start } else { line.as_mut_ptr() };
                if L::PAIRS {
                    let to = std::slice::from_raw_parts_mut(packed.cast::<u16>(), padded);
                    arrange::<D, E, u16>(to, x, |x| x.to_bf16(), true);
                } else {
                    let to = std::slice::from_raw_parts_mut(packed, padded);
                    arrange::<D, E, u32>(to, x, |x| x.load().to_bits(), false);
                }
                if along != 1 {
                    for (u, value) in line.iter().enumerate() {
                        start.add(u * along).write(*value);
                    }
                }
                if D::OFFSETS {
                    let totals = totals.add(row * totals_down);
                    let mut values = [0f32; BLOCK];
                    for block in 0..padded / D::VALUES {
                        let from = (block * D::VALUES).min(k);
                        let x = &x[from..(from + D::VALUES).min(k)];
                        let values = &mut values[..x.len()];
                        row::load(values, x);
                        totals.add(block * totals_along).write(row::sum(values));
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
    if m <= MOST_CHUNKS * L::FEW {
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
    let units = blocks_of::<D>(k) * tiles::units::<L, D>();
    // Of as many rows each, and rows of w are in the first-level cache for all but the first.
    let some = m.div_ceil(m.div_ceil(L::FEW));
    let mut packed = scratch::<u32>(m.div_ceil(some) * width(some) * units);
    let each = if D::OFFSETS { width(some) * blocks_of::<D>(k) } else { 0 };
    let mut totals = scratch::<f32>(m.div_ceil(some) * each);
    for (chunk, first) in (0..m).step_by(some).enumerate() {
        let here = first..(first + some).min(m);
        let (to, along) = (packed[chunk * width(some) * units..].as_mut_ptr(), width(here.len()));
        let totals = totals[chunk * each..].as_mut_ptr();
        let x = x.wrapping_add(first * k);
        // SAFETY: rows of x, and room for them. What stands in the place of a row that is missing is any value that was left there;
        // its products are not stored.
        unsafe {
            L::run(Pack::<D, E> {
                to,
                down: 1,
                along,
                totals,
                totals_down: 1,
                totals_along: along,
                x,
                rows: 0..here.len(),
                k,
                w: PhantomData,
            })
        };
    }
    let (packed, totals) = (&*packed, &*totals);
    context.pool.ranges(rows, L::LANES, |range| {
        let mut c = scratch::<f32>(STRIP * width(some));
        for row in range.clone().step_by(STRIP) {
            let strip = row..(row + STRIP).min(range.end);
            for (chunk, first) in (0..m).step_by(some).enumerate() {
                let here = first..(first + some).min(m);
                let (c, x) = (c.as_mut_ptr(), packed[chunk * width(some) * units..].as_ptr());
                let totals = totals[chunk * each..].as_ptr();
                // SAFETY: rows of the caller's w; `c` has room for a strip of their products, and other threads have other columns
                // of y.
                unsafe {
                    L::few(width(here.len()), FewRows { c, x, totals, w, rows: strip.clone(), k });
                    store(context.isa, out, c, STRIP, here, strip.clone());
                }
            }
        }
    });
}

/// Rows that are multiplied for so many: above eight a pair at a time.
const fn width(rows: usize) -> usize {
    if rows > 8 { rows.next_multiple_of(2) } else { rows }
}

/// Tasks of a product of many rows: so many rows of w, and of x.
fn tasks<L: Lanes>(m: usize, rows: usize, bytes: usize, threads: usize) -> (usize, usize) {
    let panel = panel_rows::<L>();
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
    // An odd number of cache lines apart, rows fall into different sets.
    let ldx = (units.div_ceil(16) | 1) * 16;
    let mut packed = scratch::<u32>(m * ldx);
    let mut totals = scratch::<f32>(if D::OFFSETS { m * blocks } else { 0 });
    let to = Packing { to: packed.as_mut_ptr(), totals: totals.as_mut_ptr(), x };
    pool.ranges(m, 16, |part| {
        // SAFETY: the rows of x, and room for them, where other parts have other rows.
        unsafe {
            let (to, totals, x) = to.parts();
            L::run(Pack::<D, E> {
                to,
                down: ldx,
                along: 1,
                totals,
                totals_down: blocks,
                totals_along: 1,
                x,
                rows: part,
                k,
                w: PhantomData,
            })
        };
    });
    let (packed, totals) = (&*packed, &*totals);
    let (task_rows, task_m) = tasks::<L>(m, rows, 4 * units, pool.threads());
    let across = rows.div_ceil(task_rows);
    pool.run(across * m.div_ceil(task_m), &|task| {
        let cols = task % across * task_rows;
        let cols = cols..(cols + task_rows).min(rows);
        let lines = task / across * task_m;
        let lines = lines..(lines + task_m).min(m);
        let count = cols.len().div_ceil(panel_rows::<L>());
        let ldc = count * panel_rows::<L>();
        let mut panels = scratch::<u32>(ldc * units);
        let mut scales = scratch::<f32>(ldc * blocks);
        let mut offsets = scratch::<f32>(if D::OFFSETS { ldc * blocks } else { 0 });
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
        let height = lines.len().div_ceil(lines.len().div_ceil(L::TILE));
        let mut c = scratch::<f32>(height * ldc);
        for line in lines.clone().step_by(height) {
            let here = line..(line + height).min(lines.end);
            let c = c.as_mut_ptr();
            let x = packed[line * ldx..].as_ptr();
            let tile = TileRows {
                c,
                ldc,
                x,
                ldx,
                totals: if D::OFFSETS { totals[line * blocks..].as_ptr() } else { std::ptr::null() },
                ldt: blocks,
                panels: panels.as_ptr(),
                scales: scales.as_ptr(),
                offsets: offsets.as_ptr(),
                count,
                blocks,
                units: tiles::units::<L, D>(),
            };
            // SAFETY: packed rows of x and panels of w, and room for their products; other tasks have other elements of y.
            unsafe {
                L::tile(here.len(), tile);
                store(*isa, out, c, ldc, here, cols.clone());
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
