//! Weights in few bits: NF4 with double quantisation, int8 by rows, and the blocks of GGUF files. `QuantizedMatrix` in `@ift/tensor`
//! gives the formats and their arithmetic; products and sums of the values are not fused.

pub mod decode;
pub mod encode;
pub mod gguf;
pub mod int8;
mod levels;
pub mod product;
#[cfg(test)]
mod tests;

use ift_kernel_abi::{Code, DType, Error, Result};

use crate::device::Args;
use crate::memory::Ptr;
use gguf::{Gguf, Kind};

/// Elements of an NF4 block, and blocks of a group.
pub const BLOCK: usize = 64;
pub const GROUP: usize = 256;

/// NF4 weights, element after element.
#[derive(Clone, Copy)]
pub struct Nf4 {
    pub n: usize,
    pub codes: Ptr,
    pub scales: Ptr,
    pub groups: Ptr,
}

impl Nf4 {
    pub fn blocks(&self) -> usize {
        self.n.div_ceil(BLOCK)
    }

    /// What the levels of block `b` are multiplied by.
    ///
    /// # Safety
    /// `b` is below `blocks()`, and the parts hold what their lengths say.
    #[inline(always)]
    pub unsafe fn scale(&self, b: usize) -> f32 {
        // SAFETY: `scales` has a level for each block, `groups` the mean and then a factor for each group of blocks.
        unsafe {
            let groups = self.groups.of::<f32>();
            let level = levels::DYNAMIC[usize::from(*self.scales.of::<u8>().add(b))];
            level * *groups.add(1 + b / GROUP) + *groups
        }
    }
}

/// Weights of one byte each, and a scale for each row.
#[derive(Clone, Copy)]
pub struct Int8 {
    pub rows: usize,
    pub cols: usize,
    pub codes: Ptr,
    pub scales: Ptr,
}

impl Int8 {
    /// The codes of row `r` and their scale.
    ///
    /// # Safety
    /// `r` is below `rows`, and the parts hold what their lengths say, to which nothing writes meanwhile.
    #[inline(always)]
    pub unsafe fn row<'a>(&self, r: usize) -> (&'a [i8], f32) {
        // SAFETY: the caller's row.
        unsafe {
            let codes = self.codes.of::<i8>().add(r * self.cols);
            (std::slice::from_raw_parts(codes, self.cols), *self.scales.of::<f32>().add(r))
        }
    }
}

/// 1 / 127 in f32.
pub const ONE_OVER_127: f32 = 1.0 / 127.0;

#[derive(Clone, Copy)]
pub enum Matrix {
    Nf4(Nf4),
    Int8(Int8),
    Gguf(Gguf),
}

/// What is added to the number of a type of GGUF's blocks to make the code of a format.
pub const GGUF: u32 = 256;

/// For people.
pub fn name(format: u32) -> &'static str {
    match format {
        0 => "nf4",
        1 => "int8",
        _ => format.checked_sub(GGUF).and_then(Kind::of).map_or("unknown", Kind::name),
    }
}

/// Handles of the parts of a matrix, as they come from JavaScript.
pub struct Parts {
    pub codes: u32,
    pub scales: Option<u32>,
    pub groups: Option<u32>,
    /// 0 for nf4, 1 for int8, and for blocks of GGUF files [`GGUF`] and the number of their type.
    pub format: u32,
    pub rows: usize,
    pub cols: usize,
}

impl Matrix {
    /// The parts checked, for a kernel that writes them or only reads.
    pub fn of(args: &Args<'_>, parts: &Parts, written: bool) -> Result<Self> {
        let &Parts { codes, scales, groups, format, rows, cols } = parts;
        let get = |name: &'static str, id, len, dtype: DType| {
            if written {
                args.output(name, id, &[len], dtype)
            } else {
                args.input(name, id, &[len], dtype).map(Ptr::from)
            }
        };
        let n = rows.checked_mul(cols);
        let n = n.ok_or_else(|| Error::new(Code::Argument, format!("[{rows}, {cols}] is no matrix")))?;
        match (format, scales, groups) {
            (0, Some(scales), Some(groups)) => {
                let blocks = n.div_ceil(BLOCK);
                Ok(Self::Nf4(Nf4 {
                    n,
                    codes: get("codes", codes, n.div_ceil(2), DType::U8)?,
                    scales: get("scales", scales, blocks, DType::U8)?,
                    groups: get("groups", groups, 1 + blocks.div_ceil(GROUP), DType::F32)?,
                }))
            }
            (1, Some(scales), None) => Ok(Self::Int8(Int8 {
                rows,
                cols,
                codes: get("codes", codes, n, DType::U8)?,
                scales: get("scales", scales, rows, DType::F32)?,
            })),
            (0, Some(_), None) => Err(Error::new(Code::Argument, "groups expected a buffer for nf4")),
            (1, Some(_), Some(_)) => Err(Error::new(Code::Argument, "groups expected null for int8")),
            (0 | 1, None, _) => Err(Error::new(Code::Argument, "scales expected a buffer")),
            (_, None, None) if !written => {
                let kind = format.checked_sub(GGUF).and_then(Kind::of);
                let kind =
                    kind.ok_or_else(|| Error::new(Code::Argument, format!("unknown format code {format}")))?;
                let (size, bytes) = kind.sizes();
                if !cols.is_multiple_of(size) {
                    let name = kind.name();
                    let message = format!("cols expected a multiple of {size} for {name}, found {cols}");
                    return Err(Error::new(Code::Argument, message));
                }
                Ok(Self::Gguf(Gguf {
                    kind,
                    rows,
                    cols,
                    codes: get("codes", codes, n / size * bytes, DType::U8)?,
                }))
            }
            (_, None, None) => {
                Err(Error::new(Code::Argument, format!("{} is not quantised to", name(format))))
            }
            _ => Err(Error::new(Code::Argument, format!("{} has neither scales nor groups", name(format)))),
        }
    }
}
