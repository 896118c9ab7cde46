//! The reductions that JavaScript may ask for.

use ift_kernel_abi::{Code, Error, Result};

/// How values of several ranks become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    Sum,
    Max,
}

impl Reduce {
    /// The code under which it crosses from JavaScript.
    pub fn from_code(code: u32) -> Result<Self> {
        match code {
            0 => Ok(Self::Sum),
            1 => Ok(Self::Max),
            _ => Err(Error::new(Code::Argument, format!("unknown reduction {code}, expected 0 or 1"))),
        }
    }
}
