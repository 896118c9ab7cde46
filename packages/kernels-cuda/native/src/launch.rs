//! What a kernel runs on: the driver, the ranks, the word in which kernels report bad device data.

use std::cell::RefCell;
use std::sync::Arc;

use ift_collectives::mpi::Mpi;
use ift_collectives::nccl::Nccl;
use ift_kernel_abi::{Code, Error, Result};

use crate::driver::Driver;
use crate::plan::geometry::Geometry;

/// Arguments of a kernel as its C struct, or a part of them. [`args!`](crate::args) declares them.
///
/// # Safety
/// A number, or `#[repr(C)]` and of such fields alone, without padding.
pub unsafe trait Args: Copy + Send + 'static {}

macro_rules! numbers {
    ($($number:ty)*) => {
        // SAFETY: a number.
        $(unsafe impl Args for $number {})*
    };
}
numbers! { i32 u32 f32 i64 u64 f64 }

// SAFETY: nothing lies between the elements of an array.
unsafe impl<T: Args, const N: usize> Args for [T; N] {}

/// Declares the C struct of a kernel's arguments. Padding is an error when it is compiled, and so is a field that is no number.
#[macro_export]
macro_rules! args {
    (
        $(#[$attribute:meta])*
        $visible:vis struct $name:ident { $($field_visible:vis $field:ident: $type:ty,)* }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Default)]
        #[repr(C)]
        $visible struct $name {
            $($field_visible $field: $type,)*
        }

        const _: () = {
            const fn is_args<T: $crate::launch::Args>() -> usize {
                size_of::<T>()
            }
            assert!(0 $(+ is_args::<$type>())* == size_of::<$name>(), "padding must be a field");
        };

        // SAFETY: `#[repr(C)]`; the fields are arguments and fill it, as the constant above has checked.
        unsafe impl $crate::launch::Args for $name {}
    };
}
pub use args;

/// `ErrorFlag` of args/error_flag.h.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct ErrorFlag {
    taken: u32,
    code: u32,
    index: i64,
    value: i64,
    limit: i64,
}

const FLAG_BYTES: usize = size_of::<ErrorFlag>();

/// Kernel, operand and what a value should have been, for each `IndexError`.
fn index_error(flag: &ErrorFlag) -> Error {
    let ErrorFlag { code, index, value, limit, .. } = *flag;
    let message = match code {
        1 | 2 => {
            let name = if code == 1 { "cuQ" } else { "cuK" };
            format!("attention: {name}[{index}] is {value}, expected to ascend from 0 to {limit}")
        }
        3 => format!("attentionPaged: kvLengths[{index}] is {value}, the pages of a sequence hold {limit}"),
        4 => format!("attentionPaged: entry {index} of pageTable is {value}, the pool has {limit} pages"),
        5 => format!("gatherRows: ids[{index}] is {value}, the table has {limit} rows"),
        6 => format!("scatterRows: ids[{index}] is {value}, the table has {limit} rows"),
        7 => format!("crossEntropy: labels[{index}] is {value}, the vocabulary has {limit}"),
        _ => format!("index {index} is {value}, the limit is {limit}"),
    };
    Error::new(Code::IndexRange, message)
}

/// Lives on the queue's thread.
pub struct Context {
    driver: Arc<dyn Driver>,
    flag: u64,
    /// The ranks that this device has joined.
    pub ranks: RefCell<Option<Nccl>>,
    /// Where an MPI launcher started this process and the ranks have met over it.
    pub mpi: RefCell<Option<Mpi>>,
}

impl Context {
    pub fn new(driver: Arc<dyn Driver>) -> Result<Self> {
        driver.attach()?;
        let flag = driver.alloc(FLAG_BYTES + 4)?;
        driver.upload(flag, &[0; FLAG_BYTES])?;
        Ok(Self { driver, flag, ranks: RefCell::new(None), mpi: RefCell::new(None) })
    }

    pub fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    /// Launches a kernel by its name; a grid without blocks is a launch of nothing.
    pub fn launch<A: Args>(&self, name: &str, geometry: Geometry, shared: usize, args: &A) -> Result<()> {
        if geometry.grid.contains(&0) {
            return Ok(());
        }
        // SAFETY: `Args` are numbers without padding, so that every byte of them is initialised.
        let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(args).cast(), size_of::<A>()) };
        self.driver.launch(name, &geometry, shared, bytes)
    }

    /// Where kernels report bad device data: `ErrorFlag*`.
    pub fn error_flag(&self) -> u64 {
        self.flag
    }

    /// Four bytes of the device for what ranks tell each other.
    pub fn word(&self) -> u64 {
        self.flag + FLAG_BYTES as u64
    }

    /// Waits for all that was launched; the first report of bad device data since the last call is an error.
    pub fn fence(&self) -> Result<()> {
        self.driver.synchronize()?;
        if let Some(ranks) = &*self.ranks.borrow() {
            ranks.check_async()?;
        }
        let mut bytes = [0; FLAG_BYTES];
        self.driver.download(self.flag, &mut bytes)?;
        // SAFETY: any bytes are an ErrorFlag.
        let flag = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast::<ErrorFlag>()) };
        if flag.code == 0 {
            return Ok(());
        }
        self.driver.upload(self.flag, &[0; FLAG_BYTES])?;
        Err(index_error(&flag))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.driver.free(self.flag);
    }
}
