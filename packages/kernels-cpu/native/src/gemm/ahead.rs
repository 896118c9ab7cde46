//! Memory that is asked for while something else is computed.

/// What memory is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is read next: to the first-level cache.
    Read,
    /// Its lines will be overwritten, and come without being shared with another core.
    Write,
    /// It is read after that: to the second-level cache.
    Later,
}

const LINE: usize = 64;

/// Rows of memory to be asked for. They need not exist.
#[derive(Clone, Copy)]
pub struct Region {
    /// The row that is asked for, and bytes from one to the next.
    row: *const u8,
    stride: usize,
    /// Rows to go.
    rows: usize,
    /// Bytes of a row, and of this one those that were asked for.
    bytes: usize,
    done: usize,
    to: Use,
}

impl Region {
    pub const EMPTY: Self =
        Self { row: std::ptr::null(), stride: 0, rows: 0, bytes: 0, done: 0, to: Use::Read };

    /// `rows` rows of `bytes` bytes.
    pub fn of(at: *const u8, stride: usize, (rows, bytes): (usize, usize), to: Use) -> Self {
        Self { row: at, stride, rows, bytes, done: 0, to }
    }

    /// Asks for the next line. False when none is left.
    #[inline(always)]
    fn ask(&mut self) -> bool {
        if self.rows == 0 {
            return false;
        }
        prefetch(self.row.wrapping_add(self.done), self.to);
        self.done += LINE;
        if self.done >= self.bytes {
            self.row = self.row.wrapping_add(self.stride);
            self.rows -= 1;
            self.done = 0;
        }
        true
    }
}

/// What is asked for while tiles are computed, one region after the other. A line at a time, some tens of cycles apart: a core
/// keeps track of a few lines only, and what it computes waits while there are more.
pub struct Ahead([Region; 3]);

impl Ahead {
    pub fn of(regions: [Region; 3]) -> Self {
        Self(regions)
    }

    pub fn nothing() -> Self {
        Self([Region::EMPTY; 3])
    }

    /// What is left of the last region.
    pub fn last(&self) -> Region {
        self.0[2]
    }

    #[inline(always)]
    pub fn ask(&mut self) {
        let [first, second, third] = &mut self.0;
        let _ = first.ask() || second.ask() || third.ask();
    }
}

/// Asks for the line at an address, which need not exist.
#[inline(always)]
pub fn prefetch(at: *const u8, to: Use) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; processors that do not know it for writing take it for nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        match to {
            Use::Read => _mm_prefetch::<_MM_HINT_T0>(at.cast()),
            Use::Write => _mm_prefetch::<_MM_HINT_ET0>(at.cast()),
            Use::Later => _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, to);
}
