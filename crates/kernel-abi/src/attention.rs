//! The heads of attention, as kernels of every device take them.

use crate::{Code, Error, Result, size};

/// The largest head.
pub const MAX_HEAD_DIM: usize = 256;

/// Most heads: what the grid of a CUDA device has along y.
const MOST_HEADS: usize = 65_535;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    pub heads: usize,
    /// Divides `heads`.
    pub kv_heads: usize,
    /// 1 to [`MAX_HEAD_DIM`].
    pub head_dim: usize,
}

impl Heads {
    /// Of numbers from JavaScript; an error for those of no attention.
    pub fn from_numbers(heads: f64, kv_heads: f64, head_dim: f64) -> Result<Self> {
        let (heads, kv_heads) = (size("heads", heads)?, size("kvHeads", kv_heads)?);
        let head_dim = size("headDim", head_dim)?;
        let error = |message| Err(Error::new(Code::Argument, message));
        if heads == 0 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return error(format!("heads is {heads}, expected a multiple of kvHeads {kv_heads}"));
        }
        if heads > MOST_HEADS {
            return error(format!("heads is {heads}, expected at most {MOST_HEADS}"));
        }
        if head_dim == 0 || head_dim > MAX_HEAD_DIM {
            return error(format!("headDim is {head_dim}, expected 1 to {MAX_HEAD_DIM}"));
        }
        Ok(Self { heads, kv_heads, head_dim })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_groups_of_a_bounded_number_and_size() {
        let heads = Heads::from_numbers(8.0, 2.0, 256.0).unwrap();
        assert_eq!(heads, Heads { heads: 8, kv_heads: 2, head_dim: 256 });
        for (heads, kv_heads, head_dim) in
            [(8.0, 3.0, 64.0), (0.0, 1.0, 64.0), (1.0, 0.0, 64.0), (8.0, 8.0, 0.0), (8.0, 8.0, 257.0)]
        {
            assert_eq!(Heads::from_numbers(heads, kv_heads, head_dim).unwrap_err().code, Code::Argument);
        }
        // Without rows any number of heads fits in a buffer; tasks are made for each of them.
        let most = 2f64.powi(52);
        assert_eq!(Heads::from_numbers(most, most, 64.0).unwrap_err().code, Code::Argument);
    }
}
