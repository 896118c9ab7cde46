//! Memory that is asked for while something else is computed.

/// What memory is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Read,
    /// Its lines will be overwritten, and come without being shared with another core.
    Write,
}

/// Rows of memory whose cache lines are asked for a few at a time, so that no more are on their way than a core keeps
/// track of. They need not exist.
pub struct Ahead {
    /// The row that is asked for, and bytes from one to the next.
    row: *const u8,
    stride: usize,
    /// Rows to go.
    rows: usize,
    /// Bytes of a row, and of this one those that were asked for.
    bytes: usize,
    done: usize,
    /// Cache lines to ask for at a time.
    some: usize,
    to: Use,
}

const LINE: usize = 64;

impl Ahead {
    /// `rows` rows of `bytes` bytes, all of them within `times` calls of [`Self::ask`].
    pub fn of(at: *const u8, stride: usize, (rows, bytes): (usize, usize), times: usize, to: Use) -> Self {
        let some = (rows * bytes.div_ceil(LINE)).div_ceil(times.max(1));
        Self { row: at, stride, rows, bytes, done: 0, some, to }
    }

    #[inline(always)]
    pub fn ask(&mut self) {
        for _ in 0..self.some {
            if self.done >= self.bytes {
                self.row = self.row.wrapping_add(self.stride);
                self.rows = self.rows.saturating_sub(1);
                self.done = 0;
            }
            if self.rows == 0 {
                return;
            }
            prefetch(self.row.wrapping_add(self.done), self.to);
            self.done += LINE;
        }
    }
}

/// Asks for the line at an address, which need not exist, for the first-level cache.
#[inline(always)]
pub fn prefetch(at: *const u8, to: Use) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; processors that do not know it for writing take it for nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
        match to {
            Use::Read => _mm_prefetch::<_MM_HINT_T0>(at.cast()),
            Use::Write => _mm_prefetch::<_MM_HINT_ET0>(at.cast()),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, to);
}
