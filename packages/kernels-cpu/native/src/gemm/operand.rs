//! A matrix in memory, as products read it.

use crate::dtype::FloatDType;

/// An operand in memory: element (i, p) of op(x) is `at[i · ld + p]`, or `at[p · ld + i]` when `transposed`.
#[derive(Clone, Copy)]
pub struct Operand {
    pub at: *const u8,
    /// Elements from one stored row to the next.
    pub ld: usize,
    pub transposed: bool,
    pub dtype: FloatDType,
}

// SAFETY: only read, and alive for the whole call of the kernel.
unsafe impl Send for Operand {}
// SAFETY: as above.
unsafe impl Sync for Operand {}

impl Operand {
    /// The operand with its two indices exchanged.
    pub fn turned(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// The operand from stored row `row` on.
    pub fn from(self, row: usize) -> Self {
        Self { at: self.at.wrapping_add(row * self.ld * self.dtype.size()), ..self }
    }

    /// The address of element (i, p).
    ///
    /// # Safety
    /// The element lies in the operand.
    #[inline(always)]
    pub unsafe fn element(&self, i: usize, p: usize) -> *const u8 {
        let index = if self.transposed { p * self.ld + i } else { i * self.ld + p };
        // SAFETY: the caller's element.
        unsafe { self.at.add(index * self.dtype.size()) }
    }
}
