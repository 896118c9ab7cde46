//! The element-wise half of attention: scores to probabilities and their gradients, for the rows of one tile.

use super::rows::RowBlock;
use super::{LANES, ROW_BYTES};
use crate::isa::{Loop, mul_add};
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// 2^x to 2 ulp for x < 127.5; 0 below -126.
#[inline(always)]
pub fn exp2<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5 · 2^23 leaves x, rounded to a whole number, in the low bits.
    const SHIFT: f32 = 12_582_912.0;
    let clamped = if x < -126.0 { -126.0 } else { x };
    let shifted = clamped + SHIFT;
    let rest = clamped - (shifted - SHIFT);
    // The polynomial with the smallest relative error for -1/2 to 1/2 that is 1 at 0 (Remez' algorithm).
    let mut sum = mul_add::<FMA>(rest, 1.559_467_8e-4, 1.340_664_3e-3);
    sum = mul_add::<FMA>(sum, rest, 9.617_693e-3);
    sum = mul_add::<FMA>(sum, rest, 5.550_310_4e-2);
    sum = mul_add::<FMA>(sum, rest, 2.402_265_2e-1);
    sum = mul_add::<FMA>(sum, rest, 6.931_472_4e-1);
    sum = mul_add::<FMA>(sum, rest, 1.0);
    let power = f32::from_bits(sum.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x < -126.0 { 0.0 } else { power }
}

/// Rounds to nearest, ties up; the NaN of arithmetic stays NaN.
#[inline(always)]
fn to_bf16(x: f32) -> u16 {
    (x.to_bits().wrapping_add(0x8000) >> 16) as u16
}

/// All lanes as one, halves onto each other: a chain of sixteen would take as long as the exponentials of a short row.
#[inline(always)]
pub fn together(lanes: [f32; LANES], of_two: impl Fn(f32, f32) -> f32) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|i| of_two(lanes[i], lanes[i + 8]));
    let four: [f32; 4] = std::array::from_fn(|i| of_two(eight[i], eight[i + 4]));
    let two: [f32; 2] = std::array::from_fn(|i| of_two(four[i], four[i + 2]));
    of_two(two[0], two[1])
}

/// What both passes know about the scores of some rows against a block of keys.
#[derive(Clone, Copy)]
pub struct Scores<'a> {
    pub block: &'a RowBlock,
    pub scale: f32,
    /// Of each head.
    pub slopes: Option<&'a [f32]>,
    /// First key of the block.
    pub key: usize,
    /// Columns that are read afterwards, all of them written.
    pub cols: usize,
    /// Elements from one row of scores to the next, at least `cols` rounded up to whole lanes.
    pub ld: usize,
}

impl Scores<'_> {
    /// Keys of this block that `row` sees, at most `cols`.
    #[inline(always)]
    fn visible(&self, row: usize) -> usize {
        self.block.end(row).saturating_sub(self.key).min(self.cols)
    }

    /// Whether a score is more than its product times a positive number.
    #[inline(always)]
    fn is_biased(&self) -> bool {
        self.slopes.is_some() || self.scale.is_nan() || self.scale <= 0.0
    }

    /// What a product is multiplied by to be the score as a power of two.
    #[inline(always)]
    fn factor(&self) -> f32 {
        self.scale * LOG2_E
    }

    /// Slope of `row`, and the bias of its first key of this block, of powers of two.
    #[inline(always)]
    fn alibi(&self, row: usize) -> (f32, f32) {
        let slope = self.slopes.map_or(0.0, |slopes| slopes[self.block.head + row % self.block.group]);
        let distance = self.key as f32 - self.block.sequence.position(self.block.query(row));
        (slope * LOG2_E, slope * LOG2_E * distance)
    }
}

/// One step of the online softmax: scores to unnormalised probabilities in packed rows, `max` (of scores as powers of two)
/// and `sum` updated and the accumulators of the output scaled to the new maximum.
pub struct Step<'a> {
    pub scores: Scores<'a>,
    pub rows: Range<usize>,
    /// Scores of these rows.
    pub s: *mut f32,
    /// Packed rows of probabilities, of bf16 when `pair`.
    pub p: *mut u8,
    pub pair: bool,
    pub max: *mut f32,
    pub sum: *mut f32,
    pub out: *mut f32,
    pub out_ld: usize,
    /// The accumulators hold something.
    pub scale_out: bool,
}

impl Loop for Step<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // SAFETY: the caller's.
        unsafe {
            if self.scores.is_biased() {
                self.rows::<FMA, true>();
            } else {
                self.rows::<FMA, false>();
            }
        }
    }
}

impl Step<'_> {
    /// # Safety
    /// That of the loop: every pointer leads to as many rows as `rows`, of the lengths that the fields say.
    #[inline(always)]
    unsafe fn rows<const FMA: bool, const BIASED: bool>(self) {
        let cols = self.scores.cols;
        let factor = self.scores.factor();
        for row in self.rows.clone() {
            let visible = self.scores.visible(row);
            let chunks = visible.div_ceil(LANES);
            // SAFETY: the caller's rows; scores are padded to whole lanes.
            unsafe {
                let s = self.s.add((row - self.rows.start) * self.scores.ld);
                let p = self.p.add((row - self.rows.start) * ROW_BYTES);
                let mut largest = [f32::NEG_INFINITY; LANES];
                let (slope, bias) = if BIASED { self.scores.alibi(row) } else { (0.0, 0.0) };
                for first in (0..visible).step_by(LANES) {
                    let s = s.add(first).cast::<[f32; LANES]>();
                    let mut values = *s;
                    if BIASED {
                        for (lane, value) in values.iter_mut().enumerate() {
                            let j = first as f32 + lane as f32;
                            *value = mul_add::<FMA>(*value, factor, mul_add::<FMA>(slope, j, bias));
                        }
                    }
                    let is_cut = first + LANES > visible;
                    if is_cut {
                        for (lane, value) in values.iter_mut().enumerate() {
                            let is_seen = first as f32 + (lane as f32) < visible as f32;
                            *value = if is_seen { *value } else { f32::NEG_INFINITY };
                        }
                    }
                    for (largest, value) in largest.iter_mut().zip(&values) {
                        *largest = if *value > *largest { *value } else { *largest };
                    }
                    if BIASED || is_cut {
                        *s = values;
                    }
                }
                let factor = if BIASED { 1.0 } else { factor };
                let before = *self.max.add(row);
                let largest = factor * together(largest, |a, b| if b > a { b } else { a });
                let max = if largest > before { largest } else { before };
                let mut sums = [0f32; LANES];
                for chunk in 0..chunks {
                    let values = *s.add(chunk * LANES).cast::<[f32; LANES]>();
                    let mut e = [0f32; LANES];
                    for lane in 0..LANES {
                        e[lane] = exp2::<FMA>(mul_add::<FMA>(values[lane], factor, -max));
                        sums[lane] += e[lane];
                    }
                    if self.pair {
                        *p.cast::<u16>().add(chunk * LANES).cast::<[u16; LANES]>() = e.map(to_bf16);
                    } else {
                        *p.cast::<f32>().add(chunk * LANES).cast::<[f32; LANES]>() = e;
                    }
                }
                for j in chunks * LANES..cols {
                    if self.pair {
                        *p.cast::<u16>().add(j) = 0;
                    } else {
                        *p.cast::<f32>().add(j) = 0.0;
                    }
                }
                let sum = together(sums, |a, b| a + b);
                if chunks == 0 {
                    continue;
                }
                let shrunk = if before == f32::NEG_INFINITY { 0.0 } else { exp2::<FMA>(before - max) };
                *self.sum.add(row) = mul_add::<FMA>(*self.sum.add(row), shrunk, sum);
                *self.max.add(row) = max;
                if self.scale_out && max != before {
                    let out = self.out.add(row * self.out_ld);
                    for d in 0..self.out_ld {
                        *out.add(d) *= shrunk;
                    }
                }
            }
        }
    }
}

/// Scores and gradients of probabilities to probabilities and gradients of scores, packed for the products to come: both
/// as panels of keys over the rows of the block, and the latter as rows too. With `PAIR` packed values are bf16: two rows
/// become one of pairs, and nothing is turned. A panel has a multiple of `W` columns.
pub struct Gradients<'a, const PAIR: bool, const W: usize> {
    pub scores: Scores<'a>,
    pub rows: Range<usize>,
    /// Of these rows.
    pub s: *const f32,
    pub dp: *const f32,
    /// Of all rows of the block.
    pub lse: *const f32,
    /// Row sums of dout · out.
    pub delta: *const f32,
    pub p_panels: *mut u8,
    pub ds_panels: *mut u8,
    /// Packed rows, of these alone.
    pub ds_rows: *mut u8,
    /// Columns that are written, whole panels: those that no row sees are zeros.
    pub width: usize,
    /// Columns of a panel, and bytes of one of its columns.
    pub panel: usize,
    pub stride: usize,
}

/// A row of [`Gradients`].
#[derive(Clone, Copy)]
struct Row {
    s: *const f32,
    dp: *const f32,
    visible: usize,
    slope: f32,
    /// What is added to the first score, as powers of two.
    base: f32,
    /// Times the scale.
    delta: f32,
}

impl<const PAIR: bool, const W: usize> Gradients<'_, PAIR, W> {
    /// Row `row`; one that nothing is seen of behind the last.
    ///
    /// # Safety
    /// `row` is not below the first of the block's rows, for which scores, lse and delta are there.
    #[inline(always)]
    unsafe fn row(&self, row: usize) -> Row {
        let exists = row < self.rows.end;
        let row = if exists { row } else { self.rows.start };
        let (slope, bias) = self.scores.alibi(row);
        // SAFETY: a row of the block.
        unsafe {
            let at = (row - self.rows.start) * self.scores.ld;
            Row {
                s: self.s.add(at),
                dp: self.dp.add(at),
                visible: if exists { self.scores.visible(row) } else { 0 },
                slope,
                base: bias - *self.lse.add(row) * LOG2_E,
                delta: *self.delta.add(row) * self.scores.scale,
            }
        }
    }

    /// Probabilities and gradients of the scores of `W` columns from `col` on.
    ///
    /// # Safety
    /// `row` is one of [`Self::row`], and `col` a multiple of W.
    #[inline(always)]
    unsafe fn values<const FMA: bool, const BIASED: bool>(
        &self,
        row: &Row,
        col: usize,
    ) -> ([f32; W], [f32; W]) {
        let (mut p, mut ds) = ([0f32; W], [0f32; W]);
        if col >= row.visible {
            return (p, ds);
        }
        let (scale, factor) = (self.scores.scale, self.scores.factor());
        // SAFETY: the caller's rows; scores are padded to whole lanes.
        let (s, dp) = unsafe { (*row.s.add(col).cast::<[f32; W]>(), *row.dp.add(col).cast::<[f32; W]>()) };
        for lane in 0..W {
            let j = col as f32 + lane as f32;
            let base = if BIASED { mul_add::<FMA>(row.slope, j, row.base) } else { row.base };
            let e = exp2::<FMA>(mul_add::<FMA>(s[lane], factor, base));
            let gradient = e * mul_add::<FMA>(dp[lane], scale, -row.delta);
            p[lane] = if j < row.visible as f32 { e } else { 0.0 };
            ds[lane] = if j < row.visible as f32 { gradient } else { 0.0 };
        }
        (p, ds)
    }
}

/// Two rows as one of pairs.
#[inline(always)]
fn pairs<const W: usize>(even: [f32; W], odd: [f32; W]) -> [u32; W] {
    let mut both = [0; W];
    for lane in 0..W {
        both[lane] = u32::from(to_bf16(even[lane])) | u32::from(to_bf16(odd[lane])) << 16;
    }
    both
}

impl<const PAIR: bool, const W: usize> Loop for Gradients<'_, PAIR, W> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // SAFETY: the caller's.
        unsafe {
            if self.scores.is_biased() {
                self.rows::<FMA, true>();
            } else {
                self.rows::<FMA, false>();
            }
        }
    }
}

impl<const PAIR: bool, const W: usize> Gradients<'_, PAIR, W> {
    /// # Safety
    /// That of the loop: every pointer leads to as many rows as `rows`, and panels to as many columns as `width`.
    #[inline(always)]
    unsafe fn rows<const FMA: bool, const BIASED: bool>(self) {
        let unit = if PAIR { 2 } else { 1 };
        for row in self.rows.clone().step_by(unit) {
            // SAFETY: the caller's rows and room for what comes of them.
            unsafe {
                let (even, odd) = (self.row(row), self.row(row + 1));
                let ds_row = self.ds_rows.add((row - self.rows.start) * ROW_BYTES);
                for start in (0..self.width).step_by(self.panel) {
                    let at = start * self.stride + row / unit * self.panel * 4;
                    let (p_panel, ds_panel) = (self.p_panels.add(at), self.ds_panels.add(at));
                    for column in (0..self.panel).step_by(W) {
                        let col = start + column;
                        let (p, ds) = self.values::<FMA, BIASED>(&even, col);
                        if PAIR {
                            let (p_odd, ds_odd) = self.values::<FMA, BIASED>(&odd, col);
                            *p_panel.add(4 * column).cast::<[u32; W]>() = pairs(p, p_odd);
                            *ds_panel.add(4 * column).cast::<[u32; W]>() = pairs(ds, ds_odd);
                            let to = ds_row.cast::<u16>().add(col);
                            *to.cast::<[u16; W]>() = ds.map(to_bf16);
                            *to.byte_add(ROW_BYTES).cast::<[u16; W]>() = ds_odd.map(to_bf16);
                        } else {
                            *p_panel.add(4 * column).cast::<[f32; W]>() = p;
                            *ds_panel.add(4 * column).cast::<[f32; W]>() = ds;
                            *ds_row.cast::<f32>().add(col).cast::<[f32; W]>() = ds;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::exp2;

    #[test]
    fn exp2_is_good_to_two_ulp() {
        for i in -125_999..=127_000 {
            let x = i as f32 * 1e-3;
            let exact = f64::from(x).exp2();
            for value in [exp2::<true>(x), exp2::<false>(x)] {
                assert!((f64::from(value) / exact - 1.0).abs() < 2.4e-7, "2^{x} = {value}, not {exact}");
            }
        }
        assert_eq!(exp2::<true>(0.0), 1.0);
        assert_eq!(exp2::<true>(-127.0), 0.0);
        assert_eq!(exp2::<true>(f32::NEG_INFINITY), 0.0);
        assert!(exp2::<true>(f32::NAN).is_nan());
    }
}
