//! Products of which one side has few rows, both sides contiguous along k: y = x · w^T of a decoding step, or the narrow
//! side of an adapter. Nothing is packed; the large side is read once, from wherever it lies.
//!
//! Each element is summed in vector lanes along k, then over the lanes, in an order that depends on k alone.

#[cfg(target_arch = "x86_64")]
mod x86;

use super::ahead::{Use, prefetch};
use super::operand::Operand;
use crate::element::Element;
use crate::isa::{Isa, Loop, mul_add, vectorised};
use crate::with_element;
use std::ops::Range;

/// Lanes that sums are kept in.
const LANES: usize = 16;
/// Rows of either side in a tile.
const SIDE: usize = 4;

/// Some rows of two operands, and where their products go.
struct Sides<T> {
    c: *mut f32,
    ldc: usize,
    x: *const T,
    ldx: usize,
    rows: usize,
    w: *const T,
    ldw: usize,
    cols: usize,
    k: usize,
}

/// Products of equal shape that are made together: of as many rows of x, with rows of w that lie beside each other.
#[derive(Clone, Copy)]
pub struct Groups {
    pub count: usize,
    /// Elements from one group to the next: of c, of x and of w.
    pub apart: (usize, usize, usize),
    /// What lies as w does and is read next, to be asked for meanwhile. It need not exist.
    pub ahead: [*const u8; 2],
}

/// c [rows, cols] = x · w^T for some rows of x and of w, `c` with `ldc` elements to a row.
///
/// # Safety
/// Both operands are contiguous along k and hold the rows; `c` holds the products; the processor has `isa`.
pub unsafe fn products(
    isa: Isa,
    c: *mut f32,
    ldc: usize,
    (x, rows): (Operand, Range<usize>),
    (w, cols): (Operand, Range<usize>),
    k: usize,
) {
    // SAFETY: the caller's rows and products; a function is called where the processor has its features.
    with_element!(x.dtype, T => unsafe {
        let sides = Sides::<T>::of(c, ldc, (x, rows), (w, cols), k);
        #[cfg(target_arch = "x86_64")]
        match isa {
            Isa::Avx512Bf16 | Isa::Amx if T::IS_BF16 => return dot_bf16(&sides),
            Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => return dot_512(&sides),
            Isa::Avx2 | Isa::Portable => {}
        }
        vectorised(isa, sides);
    });
}

/// [`products`] of several groups.
///
/// # Safety
/// As for [`products`], in each group.
pub unsafe fn grouped(
    isa: Isa,
    c: *mut f32,
    ldc: usize,
    (x, rows): (Operand, Range<usize>),
    (w, cols): (Operand, Range<usize>),
    k: usize,
    groups: &Groups,
) {
    // SAFETY: as for `products`, in each group.
    with_element!(x.dtype, T => unsafe {
        let sides = Sides::<T>::of(c, ldc, (x, rows), (w, cols), k);
        #[cfg(target_arch = "x86_64")]
        match isa {
            Isa::Avx512Bf16 | Isa::Amx if T::IS_BF16 => return groups_bf16(&sides, groups),
            Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => return groups_512(&sides, groups),
            Isa::Avx2 | Isa::Portable => {}
        }
        for cols in sides.some_cols() {
            for group in 0..groups.count {
                sides.fetch_ahead(groups, group, &cols);
                vectorised(isa, sides.part(groups, group, cols.clone()));
            }
        }
    });
}

impl<T> Sides<T> {
    /// # Safety
    /// The operands hold the rows.
    unsafe fn of(
        c: *mut f32,
        ldc: usize,
        (x, rows): (Operand, Range<usize>),
        (w, cols): (Operand, Range<usize>),
        k: usize,
    ) -> Self {
        // SAFETY: the caller's rows.
        let (x_at, w_at) = unsafe { (x.element(rows.start, 0).cast(), w.element(cols.start, 0).cast()) };
        Self { c, ldc, x: x_at, ldx: x.ld, rows: rows.len(), w: w_at, ldw: w.ld, cols: cols.len(), k }
    }

    /// All columns, a tile's at a time.
    #[inline(always)]
    fn some_cols(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let cols = self.cols;
        (0..cols).step_by(SIDE).map(move |col| col..(col + SIDE).min(cols))
    }

    /// Asks for what comes after the part of a group in these columns. A few lines at a time: more would wait for each other,
    /// and what is computed meanwhile for them.
    #[inline(always)]
    fn fetch_ahead(&self, groups: &Groups, group: usize, cols: &Range<usize>) {
        let (row, part) = (self.ldw * size_of::<T>(), groups.apart.2 * size_of::<T>());
        // Where nothing lies between the groups, each asks for a share in the order of memory.
        let (pieces, bytes) =
            if row == groups.count * part { (1, cols.len() * part) } else { (cols.len(), part) };
        for at in groups.ahead {
            for piece in 0..pieces {
                let first = at.wrapping_add((cols.start + piece) * row + group * bytes);
                for byte in (0..bytes).step_by(64) {
                    prefetch(first.wrapping_add(byte), Use::Read);
                }
            }
        }
    }

    /// Some columns of one group.
    #[inline(always)]
    fn part(&self, groups: &Groups, group: usize, cols: Range<usize>) -> Self {
        let (c, x, w) = groups.apart;
        Self {
            c: self.c.wrapping_add(group * c + cols.start),
            x: self.x.wrapping_add(group * x),
            w: self.w.wrapping_add(group * w + cols.start * self.ldw),
            cols: cols.len(),
            ..*self
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::load;
#[cfg(target_arch = "x86_64")]
use x86::{dot_512, dot_bf16, groups_512, groups_bf16};

impl<T: Element> Loop for Sides<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for col in 0..self.cols {
            for row in 0..self.rows {
                let mut sums = [0f32; LANES];
                // SAFETY: the caller's rows.
                unsafe {
                    let (x, w) = (self.x.add(row * self.ldx), self.w.add(col * self.ldw));
                    let whole = self.k / LANES * LANES;
                    for p in (0..whole).step_by(LANES) {
                        for (lane, sum) in sums.iter_mut().enumerate() {
                            let (a, b) = ((*x.add(p + lane)).load(), (*w.add(p + lane)).load());
                            *sum = mul_add::<FMA>(a, b, *sum);
                        }
                    }
                    for p in whole..self.k {
                        sums[p - whole] =
                            mul_add::<FMA>((*x.add(p)).load(), (*w.add(p)).load(), sums[p - whole]);
                    }
                    *self.c.add(row * self.ldc + col) = sums.iter().sum();
                }
            }
        }
    }
}
