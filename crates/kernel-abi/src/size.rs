//! JavaScript numbers as sizes.

use crate::{Code, Error, Result};

/// A count or an offset: a whole number from 0 to 2^53 - 1.
pub fn size(name: &str, value: f64) -> Result<usize> {
    if (0.0..=9_007_199_254_740_991.0).contains(&value) && value.fract() == 0.0 {
        Ok(value as usize)
    } else {
        Err(Error::new(Code::Argument, format!("{name} is {value}, expected a whole number from 0")))
    }
}

/// The product of sizes, or an error where it leaves the range of a size.
pub fn product(sizes: &[usize]) -> Result<usize> {
    sizes
        .iter()
        .try_fold(1usize, |total, size| total.checked_mul(*size))
        .ok_or_else(|| Error::new(Code::Argument, format!("the size {sizes:?} is larger than any buffer")))
}

/// The highest k of `topRows`: `mostTop` of `@ift/tensor`.
const MOST_TOP: usize = 1024;

/// Entries of a row of `cols` that are wanted.
pub fn top_count(k: f64, cols: usize) -> Result<usize> {
    // Columns are given back as i32.
    if i32::try_from(cols).is_err() {
        return Err(Error::new(Code::Argument, format!("cols is {cols}, expected below 2^31")));
    }
    let most = cols.min(MOST_TOP);
    let count = size("k", k)?;
    if (1..=most).contains(&count) {
        return Ok(count);
    }
    Err(Error::new(Code::Argument, format!("k is {k}, expected 1 to {most} for rows of {cols}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_are_sizes() {
        assert_eq!(size("n", 0.0).unwrap(), 0);
        assert_eq!(size("n", 4e9).unwrap(), 4_000_000_000);
        for bad in [-1.0, 0.5, f64::NAN, f64::INFINITY, 1e16] {
            assert_eq!(size("n", bad).unwrap_err().code, Code::Argument);
        }
        assert_eq!(top_count(5.0, 5).unwrap(), 5);
        for (bad, cols) in [(0.0, 5), (6.0, 5), (1025.0, 5000), (1.0, 1 << 31)] {
            assert_eq!(top_count(bad, cols).unwrap_err().code, Code::Argument);
        }
        assert_eq!(product(&[3, 4]).unwrap(), 12);
        assert!(product(&[usize::MAX, 2]).is_err());
    }
}
