//! Products of a few rows with a quantised matrix, which is read once and never written out: y = x · w^T of a decoding step.
//!
//! Each element is summed in lanes along k, then over the lanes, in an order that depends on k alone. Where the processor
//! multiplies bf16 and x is bf16, the levels of NF4 are rounded to bf16; what they are multiplied by is not.
//!
//! Where rows are invariant ([`Context::invariant_rows`]) all products with the matrix come here, those of many rows too.

#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use super::decode;
use super::{BLOCK, Matrix, ONE_OVER_127};
use crate::element::Element;
use crate::gemm::store::{Output, store};
use crate::isa::{Isa, Loop, mul_add, vectorised};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;

/// Rows of w whose products are kept at a time.
const STRIP: usize = 64;
/// Rows of x that meet a row of w before the next: about as many as the second-level cache holds.
const CHUNK: usize = 64;

/// How a product is computed, which also says how x lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Rows of w are written out in f32, one at a time, or taken as bytes; x is f32.
    Rows,
    /// Blocks of NF4 in vectors of so many; x is f32, even and odd elements apart.
    Vectors(usize),
    /// Blocks of NF4 by products of bf16; x is bf16, even and odd elements apart.
    Bf16Blocks,
    /// Bytes by products of bf16; x is as it was.
    Bf16Bytes,
}

impl Way {
    fn of(isa: Isa, w: Matrix, is_bf16: bool, k: usize) -> Self {
        let bf16 = is_bf16 && matches!(isa, Isa::Avx512Bf16 | Isa::Amx);
        match (w, isa) {
            (Matrix::Int8(_), _) if bf16 => Self::Bf16Bytes,
            (Matrix::Int8(_), _) | (_, Isa::Portable) => Self::Rows,
            _ if !k.is_multiple_of(BLOCK) => Self::Rows,
            _ if bf16 => Self::Bf16Blocks,
            (_, Isa::Avx2) => Self::Vectors(8),
            _ => Self::Vectors(16),
        }
    }
}

/// The bf16 elements of blocks, those with even numbers first.
fn part_blocks(to: &mut [u16], x: &[u16]) {
    for (to, x) in to.as_chunks_mut::<BLOCK>().0.iter_mut().zip(x.as_chunks::<BLOCK>().0) {
        for (i, pair) in x.as_chunks::<2>().0.iter().enumerate() {
            to[i] = pair[0];
            to[BLOCK / 2 + i] = pair[1];
        }
    }
}

/// The rows of x as f32, in the order that a kernel reads them.
struct Prepare<'a, E> {
    to: &'a mut [f32],
    x: &'a [E],
    /// In each run of twice this many elements those with even numbers come first; 0 leaves the order alone.
    lanes: usize,
}

impl<E: Element> Loop for Prepare<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Self { to, x, lanes } = self;
        if lanes == 0 {
            row::load(to, x);
            return;
        }
        for (to, x) in to.chunks_exact_mut(2 * lanes).zip(x.chunks_exact(2 * lanes)) {
            let (even, odd) = to.split_at_mut(lanes);
            for ((even, odd), x) in even.iter_mut().zip(odd).zip(x.as_chunks::<2>().0) {
                (*even, *odd) = (x[0].load(), x[1].load());
            }
        }
    }
}

/// Some rows of w, and where their products with the rows of x go: c [m, cols].
#[derive(Clone, Copy)]
struct Side<'a> {
    c: *mut f32,
    ldc: usize,
    /// [m, k], where the way takes f32.
    x: &'a [f32],
    /// [m, k], where it takes bf16.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "no other processor multiplies bf16")
    )]
    bits: &'a [u16],
    m: usize,
    k: usize,
    /// Each row of x is multiplied in the way that one alone is.
    invariant_rows: bool,
}

impl Side<'_> {
    /// Rows `rows` of x, with `c` for their products.
    fn part(self, rows: Range<usize>) -> Self {
        let span = rows.start * self.k..rows.end * self.k;
        let some = |n| if n == 0 { 0..0 } else { span.clone() };
        let (x, bits) = (&self.x[some(self.x.len())], &self.bits[some(self.bits.len())]);
        Self { x, bits, m: rows.len(), ..self }
    }
}

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
    (m, rows, k): (usize, usize, usize),
) {
    let &Context { ref pool, isa, invariant_rows, .. } = context;
    let way = Way::of(isa, w, E::IS_BF16, k);
    let (is_parted, lanes) = match way {
        Way::Bf16Blocks => (true, 0),
        Way::Vectors(lanes) => (false, lanes),
        Way::Rows | Way::Bf16Bytes => (false, 0),
    };
    let floats = matches!(way, Way::Rows | Way::Vectors(_));
    let mut values = scratch::<f32>(if floats { m * k } else { 0 });
    let mut parted = scratch::<u16>(if is_parted { m * k } else { 0 });
    // SAFETY: the caller's elements, which are 16 bits of a bf16 where any is read as such.
    let as_bits = unsafe { std::slice::from_raw_parts(x.cast::<u16>(), if floats { 0 } else { m * k }) };
    if floats {
        // SAFETY: the caller's elements and instruction set.
        unsafe {
            vectorised(isa, Prepare { to: &mut values, x: std::slice::from_raw_parts(x, m * k), lanes });
        }
    } else if is_parted {
        part_blocks(&mut parted, as_bits);
    }
    let values = &*values;
    let bits = if is_parted { &*parted } else { as_bits };
    pool.ranges(rows, 16, |range| {
        let mut c = scratch::<f32>(STRIP * m.min(CHUNK));
        for first in (0..m).step_by(CHUNK) {
            let chunk = first..(first + CHUNK).min(m);
            for first in range.clone().step_by(STRIP) {
                let strip = first..(first + STRIP).min(range.end);
                let (c, ldc) = (c.as_mut_ptr(), strip.len());
                let side = Side { c, ldc, x: values, bits, m, k, invariant_rows }.part(chunk.clone());
                // SAFETY: rows of the caller's w; `c` has room for a strip of their products, and other threads have other columns
                // of y.
                unsafe {
                    strip_of(isa, way, side, w, strip.clone());
                    store(isa, out, c, ldc, chunk.clone(), strip);
                }
            }
        }
    });
}

/// The products of some rows of w.
///
/// # Safety
/// As for [`product`], whose x is in `side` as `way` takes it; `c` of the side has room for the rows.
unsafe fn strip_of(isa: Isa, way: Way, side: Side<'_>, w: Matrix, rows: Range<usize>) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's rows; `Way::of` takes a way only where the processor has its features.
    unsafe {
        match (w, way) {
            (Matrix::Nf4(w), Way::Bf16Blocks) => return x86::strip_bf16_blocks(side, w, rows),
            (Matrix::Int8(w), Way::Bf16Bytes) => return x86::strip_bf16_bytes(side, w, rows),
            (Matrix::Nf4(w), Way::Vectors(16)) => return x86::strip_512(side, w, rows),
            (Matrix::Nf4(w), Way::Vectors(8)) => return x86::strip_avx2(side, w, rows),
            _ => {}
        }
    }
    match w {
        Matrix::Int8(w) if side.m == 1 || side.invariant_rows => {
            for (at, r) in rows.enumerate() {
                for i in 0..side.m {
                    // SAFETY: the caller's row and product, and instruction set.
                    unsafe {
                        let (codes, scale) = w.row(r);
                        let sum = vectorised(isa, Bytes { x: &side.x[i * side.k..(i + 1) * side.k], codes });
                        side.c.add(i * side.ldc + at).write(sum * (scale * ONE_OVER_127));
                    }
                }
            }
        }
        _ => {
            let _ = way;
            let mut values = scratch::<f32>(side.k);
            for (at, r) in rows.enumerate() {
                // SAFETY: the caller's row, room for its values and its products, and instruction set.
                unsafe {
                    match w {
                        Matrix::Nf4(w) => {
                            decode::nf4(isa, w, values.as_mut_ptr(), r * side.k..(r + 1) * side.k);
                        }
                        Matrix::Int8(w) => decode::int8(isa, w, values.as_mut_ptr(), r),
                    }
                    vectorised(isa, Dots { side, values: &values, at });
                }
            }
        }
    }
}

/// One row of w, written out, times every row of x.
struct Dots<'a> {
    side: Side<'a>,
    values: &'a [f32],
    at: usize,
}

impl Loop for Dots<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Side { c, ldc, x, m, k, .. } = self.side;
        for i in 0..m {
            let sum = row::dot::<FMA>(&x[i * k..(i + 1) * k], self.values);
            // SAFETY: whoever made this says that there is room for the products of the row.
            unsafe { c.add(i * ldc + self.at).write(sum) };
        }
    }
}

/// x · codes.
struct Bytes<'a> {
    x: &'a [f32],
    codes: &'a [i8],
}

impl Loop for Bytes<'_> {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) -> f32 {
        let mut sums = [0.0f32; 16];
        let (x, x_rest) = self.x.as_chunks::<16>();
        let (codes, codes_rest) = self.codes.as_chunks::<16>();
        for (x, codes) in x.iter().zip(codes) {
            let mut values = [0.0f32; 16];
            for (value, code) in values.iter_mut().zip(codes) {
                *value = f32::from(*code);
            }
            for i in 0..16 {
                sums[i] = mul_add::<FMA>(x[i], values[i], sums[i]);
            }
        }
        for ((sum, x), code) in sums.iter_mut().zip(x_rest).zip(codes_rest) {
            *sum = mul_add::<FMA>(*x, f32::from(*code), *sum);
        }
        row::sum(&sums)
    }
}
