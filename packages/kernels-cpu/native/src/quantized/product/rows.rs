//! How many rows of x the loops of a product are compiled for, on each instruction set.

use super::blocks::Blocks;
use super::lanes::{Lanes, NEON, Portable};
use super::tiles::{Few, FewRows, Tile, TileRows};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512, Avx512Bf16};

/// The loops of a product by the number of rows of x.
pub trait Rows: Lanes {
    /// Most rows of x that are multiplied by values in registers.
    const FEW: usize;
    /// Most rows of x that are multiplied by two vectors of values in memory.
    const TILE: usize;

    /// Runs [`Few`] of `m` rows.
    ///
    /// # Safety
    /// As for [`Lanes::run`], with `m` rows in x and c, at most `FEW`.
    unsafe fn few<D: Blocks>(m: usize, rows: FewRows<D>);

    /// Runs [`Tile`] of `m` rows.
    ///
    /// # Safety
    /// As for [`Lanes::run`], with `m` rows in x and c, at most `TILE`.
    unsafe fn tile<const OFFSETS: bool>(m: usize, rows: TileRows<'_>);
}

/// [`Rows`] for these numbers of rows, and groups of lanes that go together.
macro_rules! rows {
    ($lanes:ty, few $most:literal: $($few:literal by $groups:literal)*, tile $tallest:expr, $($tile:literal)*) => {
        impl Rows for $lanes {
            const FEW: usize = $most;
            const TILE: usize = $tallest;

            unsafe fn few<D: Blocks>(m: usize, rows: FewRows<D>) {
                // SAFETY: the caller's rows and processor.
                unsafe {
                    match m {
                        $($few => Self::run(Few::<D, $few, $groups>(rows)),)*
                        _ => unreachable!("{m} rows are not few"),
                    }
                }
            }

            unsafe fn tile<const OFFSETS: bool>(m: usize, rows: TileRows<'_>) {
                // SAFETY: the caller's rows and processor.
                unsafe {
                    match m {
                        $($tile => Self::run(Tile::<$tile, OFFSETS>(rows)),)*
                        _ => unreachable!("{m} rows are no tile"),
                    }
                }
            }
        }
    };
}

rows!(Portable, few 4: 1 by 2 2 by 1 3 by 1 4 by 1, tile if NEON { 6 } else { 2 }, 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
rows!(Avx2, few 4: 1 by 4 2 by 2 3 by 1 4 by 1, tile 6, 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
rows!(
    Avx512,
    few 4: 1 by 2 2 by 2 3 by 2 4 by 2,
    tile 13, 1 2 3 4 5 6 7 8 9 10 11 12 13
);
#[cfg(target_arch = "x86_64")]
rows!(
    Avx512Bf16,
    few 4: 1 by 2 2 by 2 3 by 2 4 by 2,
    tile 13, 1 2 3 4 5 6 7 8 9 10 11 12 13
);
