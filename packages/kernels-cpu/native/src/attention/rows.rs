//! The rows of a block: which queries and heads they are, what they see, and how they come from tensors and go back.

use super::{Mask, ROW_BYTES};
use crate::dtype::FloatDType;
use crate::element::Element;
use crate::gemm::micro::Micro;
use crate::gemm::operand::Operand;
use crate::gemm::pack;
use crate::isa::{Isa, Loop, vectorised};
use crate::pool::scratch;
use crate::with_element;

/// One sequence as its queries see it.
#[derive(Clone, Copy)]
pub struct Sequence {
    queries: usize,
    keys: usize,
    causal: bool,
    prefix: usize,
}

impl Sequence {
    pub fn of(mask: &Mask<'_>, segment: usize, queries: usize, keys: usize) -> Self {
        let prefix = mask.visible_prefix.map_or(0, |prefix| usize::try_from(prefix[segment]).unwrap_or(0));
        Self { queries, keys, causal: mask.causal, prefix: prefix.min(keys) }
    }

    /// Query i sees the keys before this one.
    pub fn end(&self, i: usize) -> usize {
        if !self.causal {
            return self.keys;
        }
        (i + 1 + self.keys).saturating_sub(self.queries).min(self.keys).max(self.prefix)
    }

    /// Position of query i among the keys, negative when there are more queries than keys.
    pub fn position(&self, i: usize) -> f32 {
        (i + self.keys) as f32 - self.queries as f32
    }
}

/// The queries of a block and the heads of a key head's group: row r is query `first + r / group` of head
/// `head + r % group`.
#[derive(Clone, Copy)]
pub struct RowBlock {
    pub sequence: Sequence,
    /// Row of the tensor where the sequence starts.
    pub offset: usize,
    pub first: usize,
    pub rows: usize,
    pub head: usize,
    pub group: usize,
    pub heads: usize,
}

impl RowBlock {
    pub fn query(&self, row: usize) -> usize {
        self.first + row / self.group
    }

    /// Row of [N, heads].
    pub fn index(&self, row: usize) -> usize {
        (self.offset + self.query(row)) * self.heads + self.head + row % self.group
    }

    /// Keys that row `row` sees end here.
    pub fn end(&self, row: usize) -> usize {
        self.sequence.end(self.query(row))
    }

    /// Copies these rows of x [N, heads, dim], of `bytes` bytes each, to rows `stride` bytes apart.
    ///
    /// # Safety
    /// x and `to` hold the rows; the processor has `isa`.
    pub unsafe fn gather(&self, isa: Isa, (to, stride): (*mut u8, usize), x: *const u8, bytes: usize) {
        // SAFETY: the caller's rows and instruction set.
        unsafe { vectorised(isa, Gather { block: self, to, stride, x, bytes }) };
    }

    /// These rows of x [N, heads, dim] as a micro-kernel reads them, [`ROW_BYTES`] apart at `to`: an operand (row, dim).
    ///
    /// # Safety
    /// x holds the rows and `to` as many; the processor has `isa`.
    pub unsafe fn pack(
        &self,
        isa: Isa,
        micro: &Micro,
        to: *mut u8,
        x: *const u8,
        dim: usize,
        dtype: FloatDType,
    ) -> Operand {
        let bytes = dim * dtype.size();
        let packed = |at, stride, dtype: FloatDType| Operand {
            at,
            ld: stride / dtype.size(),
            transposed: false,
            dtype,
        };
        // SAFETY: the caller's rows.
        unsafe {
            if micro.dtype() == dtype && dim.is_multiple_of(micro.k_step) {
                self.gather(isa, (to, ROW_BYTES), x, bytes);
            } else {
                let mut staged = scratch::<u8>(self.rows * bytes);
                self.gather(isa, (staged.as_mut_ptr(), bytes), x, bytes);
                let x = packed(staged.as_ptr(), bytes, dtype);
                pack::rows(isa, micro, (to, ROW_BYTES), x, 0..self.rows, 0..dim);
            }
        }
        packed(to, ROW_BYTES, micro.dtype())
    }

    /// Stores `rows` of f32, `ld` apart, to these rows of y [N, heads, dim]: sums divided by their weights, where there are
    /// any, and zeros for a row that sees no key.
    ///
    /// # Safety
    /// y and `rows` hold the rows; the processor has `isa`.
    pub unsafe fn scatter(
        &self,
        isa: Isa,
        y: *mut u8,
        (rows, ld): (*const f32, usize),
        weights: Option<&[f32]>,
        dim: usize,
        dtype: FloatDType,
    ) {
        // SAFETY: the caller's rows and instruction set.
        with_element!(dtype, T => unsafe {
            vectorised(isa, Scatter { block: self, y: y.cast::<T>(), rows, ld, weights, dim });
        });
    }

    /// Queries of a block of about `rows` rows.
    pub fn queries(rows: usize, group: usize) -> usize {
        (rows / group).max(1)
    }
}

struct Gather<'a> {
    block: &'a RowBlock,
    to: *mut u8,
    stride: usize,
    x: *const u8,
    /// Of a row.
    bytes: usize,
}

impl Loop for Gather<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for row in 0..self.block.rows {
            // SAFETY: the caller's rows.
            unsafe {
                let (from, to) =
                    (self.x.add(self.block.index(row) * self.bytes), self.to.add(row * self.stride));
                pack::copy(to, from, self.bytes);
            }
        }
    }
}

struct Scatter<'a, T> {
    block: &'a RowBlock,
    y: *mut T,
    rows: *const f32,
    ld: usize,
    weights: Option<&'a [f32]>,
    dim: usize,
}

impl<T: Element> Loop for Scatter<'_, T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for row in 0..self.block.rows {
            let factor = match self.weights {
                None => 1.0,
                Some(_) if self.block.end(row) == 0 => 0.0,
                Some(weights) => 1.0 / weights[row],
            };
            // SAFETY: the caller's rows.
            unsafe {
                let (to, from) = (self.y.add(self.block.index(row) * self.dim), self.rows.add(row * self.ld));
                for i in 0..self.dim {
                    *to.add(i) = T::store(*from.add(i) * factor);
                }
            }
        }
    }
}

/// Stores a row of f32 times `factor`.
///
/// # Safety
/// Both hold `n` elements; the processor has `isa`.
pub unsafe fn store_row(isa: Isa, to: *mut u8, x: *const f32, n: usize, factor: f32, dtype: FloatDType) {
    // SAFETY: the caller's elements and instruction set.
    with_element!(dtype, T => unsafe { vectorised(isa, StoreRow { to: to.cast::<T>(), x, n, factor }) });
}

struct StoreRow<T> {
    to: *mut T,
    x: *const f32,
    n: usize,
    factor: f32,
}

impl<T: Element> Loop for StoreRow<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for i in 0..self.n {
            // SAFETY: the caller's elements.
            unsafe { *self.to.add(i) = T::store(*self.x.add(i) * self.factor) };
        }
    }
}
