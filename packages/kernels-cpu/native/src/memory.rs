//! Checked memory, as kernels get at it.

use std::ops::Range;

use crate::element::Plain;
use crate::queue::Context;

/// Checked memory that a kernel writes to, or reads and writes in place.
#[derive(Clone, Copy, Debug)]
pub struct Ptr {
    at: *mut u8,
    bytes: usize,
}

// SAFETY: an address; whoever goes to it answers for what other threads do there.
unsafe impl Send for Ptr {}
// SAFETY: as above.
unsafe impl Sync for Ptr {}

impl Ptr {
    /// Memory of no elements.
    pub const NONE: Self = Self { at: std::ptr::null_mut(), bytes: 0 };

    pub fn new(address: usize, bytes: usize) -> Self {
        Self { at: address as *mut u8, bytes }
    }

    /// Memory of a kernel's own.
    pub fn to<T: Plain>(memory: &mut [T]) -> Self {
        Self { at: memory.as_mut_ptr().cast(), bytes: size_of_val(memory) }
    }

    pub fn of<T>(self) -> *mut T {
        self.at.cast()
    }

    /// Some elements of it.
    ///
    /// # Panics
    /// Where it does not hold them.
    ///
    /// # Safety
    /// The memory is alive, and nothing else uses these elements, as long as the slice is there.
    pub unsafe fn elements<'a, T: Plain>(self, range: Range<usize>) -> &'a mut [T] {
        let at = self.at.cast::<T>();
        assert!(range.start <= range.end && range.end <= self.bytes / size_of::<T>() && at.is_aligned());
        if range.is_empty() {
            return &mut [];
        }
        // SAFETY: the elements lie in memory that is alive and aligned, and every bit pattern is a value of `Plain`; the caller
        // has them to itself.
        unsafe { std::slice::from_raw_parts_mut(at.add(range.start), range.len()) }
    }

    /// Some elements of what was checked for the kernel that runs on this context, or that it owns.
    ///
    /// # Panics
    /// As [`Ptr::elements`].
    ///
    /// # Safety
    /// Nothing else uses these elements as long as the slice is there.
    #[expect(clippy::mut_from_ref, reason = "the context bounds the lifetime and lends nothing")]
    pub unsafe fn part<T: Plain>(self, _: &Context, range: Range<usize>) -> &mut [T] {
        // SAFETY: memory outlives the kernel that it was checked for, and the context is met by no other; the rest is the caller's.
        unsafe { self.elements(range) }
    }

    /// All of it.
    ///
    /// # Safety
    /// As for [`Ptr::part`].
    #[expect(clippy::mut_from_ref, reason = "the context bounds the lifetime and lends nothing")]
    pub unsafe fn all<T: Plain>(self, context: &Context) -> &mut [T] {
        // SAFETY: the caller's.
        unsafe { self.part(context, 0..self.bytes / size_of::<T>()) }
    }
}

/// Checked memory that a kernel reads and nothing writes to meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    at: *const u8,
    bytes: usize,
}

// SAFETY: what it leads to is only read.
unsafe impl Send for Input {}
// SAFETY: as above.
unsafe impl Sync for Input {}

impl Input {
    /// # Safety
    /// Whenever a kernel runs that was given this input, the memory is alive, and nothing writes to it before the kernel ends.
    pub unsafe fn new(memory: Ptr) -> Self {
        Self { at: memory.at, bytes: memory.bytes }
    }

    pub fn of<T>(self) -> *const T {
        self.at.cast()
    }

    /// Its elements, for the kernel that runs on this context.
    ///
    /// # Panics
    /// Where an element of `T` has other bytes than those that were checked.
    pub fn slice<T: Plain>(self, _: &Context) -> &[T] {
        let at = self.at.cast::<T>();
        assert!(at.is_aligned() && self.bytes.is_multiple_of(size_of::<T>()));
        if self.bytes == 0 {
            return &[];
        }
        // SAFETY: a context is met by the kernels of its queue alone, and while one runs the bytes are alive and nobody's to write
        // to (`Input::new`). They are aligned, and every bit pattern is a value of `Plain`.
        unsafe { std::slice::from_raw_parts(at, self.bytes / size_of::<T>()) }
    }
}

impl From<Input> for Ptr {
    /// For what takes memory to read and memory to write alike. It must not be written to.
    fn from(input: Input) -> Self {
        Self { at: input.at.cast_mut(), bytes: input.bytes }
    }
}
