//! Grids and blocks of the kernels that share a way of dividing their work.

use ift_kernel_abi::{Code, Error, FloatDType, Result};

/// Blocks of a launch and threads of a block. A grid without blocks is a launch of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub grid: [u32; 3],
    pub block: [u32; 3],
}

/// A size as the 32-bit field of a kernel's arguments.
pub fn narrow(name: &str, value: usize) -> Result<i32> {
    i32::try_from(value)
        .map_err(|_| Error::new(Code::Argument, format!("{name}: {value} is more than a kernel counts")))
}

/// Threads of the blocks of element-wise kernels.
const THREADS: usize = 256;

/// Blocks along y or z that every device accepts.
const MOST_TALL: usize = 65_535;

fn blocks(count: usize) -> Result<u32> {
    // The limit of a grid along x.
    u32::try_from(count).ok().filter(|count| *count <= i32::MAX as u32).ok_or_else(|| {
        Error::new(
            Code::Argument,
            format!("{count} blocks of threads are more than a device launches at once"),
        )
    })
}

/// Elements of the narrower of two types in 16 bytes: `kLanes` of vector.h.
pub fn lanes(a: FloatDType, b: FloatDType) -> usize {
    16 / a.size().min(b.size())
}

/// `per_thread` of n elements a thread: vector.h's `map`.
pub fn elements(n: usize, per_thread: usize) -> Result<Geometry> {
    Ok(Geometry { grid: [blocks(n.div_ceil(THREADS * per_thread))?, 1, 1], block: [THREADS as u32, 1, 1] })
}

/// Rows each held by a warp or by a block: rows.h's `RowPlace`.
pub fn rows(rows: usize, cols: usize, dtype: FloatDType) -> Result<Geometry> {
    const WARPS: usize = 4;
    // Two packs a thread hide the latency of memory; more threads than 512 would spill.
    let packs = cols.div_ceil(lanes(dtype, dtype));
    if packs <= 64 {
        return Ok(Geometry { grid: [blocks(rows.div_ceil(WARPS))?, 1, 1], block: [32, WARPS as u32, 1] });
    }
    let threads = packs.div_ceil(2).next_multiple_of(32).clamp(64, 512);
    Ok(Geometry { grid: [blocks(rows)?, 1, 1], block: [threads as u32, 1, 1] })
}

/// Packs of `lanes` elements of a row along x and rows along y.
pub fn tiles(rows: usize, cols: usize, lanes: usize) -> Result<Geometry> {
    // More blocks than fill a device walk the rows instead.
    const FULL: usize = 4096;
    let packs = cols.div_ceil(lanes);
    let wide = packs.next_power_of_two().min(THREADS);
    let tall = THREADS / wide;
    let columns = packs.div_ceil(wide);
    let most = (FULL / columns.max(1)).clamp(1, MOST_TALL);
    let grid = [blocks(columns)?, rows.div_ceil(tall).min(most) as u32, 1];
    Ok(Geometry { grid, block: [wide as u32, tall as u32, 1] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_and_row_has_a_thread() {
        for n in [0, 1, 255, 2048, 2049, 100_000] {
            let g = elements(n, 8).unwrap();
            assert!(g.grid[0] as usize * 2048 >= n && (n == 0) == (g.grid[0] == 0));
        }
        for cols in [1, 64, 513, 4096, 8192, 20_000] {
            let g = rows(7, cols, FloatDType::Bf16).unwrap();
            assert!(g.grid[0] * g.block[1] >= 7);
            assert!(g.block[0] * g.block[1] <= 512 && g.block[0].is_multiple_of(32));
            // Held in registers, four packs a thread.
            assert!(cols > 16_384 || g.block[0] as usize * 4 * 8 >= cols);
            let g = tiles(1_000_000, cols, 8).unwrap();
            assert!((g.grid[0] * g.block[0]) as usize * 8 >= cols);
            assert!(g.grid[1] >= 1 && g.block[0] * g.block[1] == 256);
        }
    }

    #[test]
    fn a_grid_beyond_the_limit_is_refused() {
        assert_eq!(elements(usize::MAX / 2, 4).unwrap_err().code, Code::Argument);
    }
}
