//! Elementary functions without branches or calls, so that loops over them vectorise. Relative errors are a few units
//! of 1e-7 where nothing else is said.

#![expect(clippy::excessive_precision, reason = "coefficients as published")]

use crate::isa::mul_add;

/// Adding and taking away 1.5 · 2^23 rounds to the nearest whole number.
const ROUND: f32 = 12_582_912.0;
const ROUND_F64: f64 = 6_755_399_441_055_744.0;

#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    let mut index = 1;
    while index < N {
        sum = mul_add::<FMA>(sum, x, coefficients[index]);
        index += 1;
    }
    sum
}

/// e^x; 0 below -87.3, infinity above 88.7.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    let t = if x > 89.0 { 89.0 } else { x };
    let t = if t < -87.336_54 { -87.336_54 } else { t };
    // The low bits are the exponent of 2^(n - 1): 2^128 is no f32.
    const SHIFT: f32 = ROUND + 126.0;
    let shifted = mul_add::<FMA>(t, std::f32::consts::LOG2_E, SHIFT);
    let n = shifted - SHIFT;
    // ln 2 in two parts, the first exact in a product with n.
    let r = mul_add::<FMA>(n, -0.693_359_4, t);
    let r = mul_add::<FMA>(n, 2.121_944_4e-4, r);
    let p = polynomial::<FMA, 6>(
        r,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_1e-1],
    );
    let p = mul_add::<FMA>(p, r * r, r);
    let half = f32::from_bits(shifted.to_bits() << 23);
    let y = mul_add::<FMA>(p, half, half) * 2.0;
    if x < -87.336_54 { 0.0 } else { y }
}

#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[inline(always)]
pub fn tanh<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let s = a * a;
    let near = polynomial::<FMA, 5>(
        s,
        [-5.704_988_7e-3, 2.063_908_9e-2, -5.373_971_3e-2, 1.333_144_2e-1, -3.333_328e-1],
    );
    let near = mul_add::<FMA>(near * s, a, a);
    let far = 1.0 - 2.0 / (exp::<FMA>(a + a) + 1.0);
    let y = if a < 0.625 { near } else { far };
    y.copysign(x)
}

/// The distribution function of the standard normal distribution; relative error 2e-6 in its lower tail.
#[inline(always)]
pub fn normal_cdf<const FMA: bool>(x: f32) -> f32 {
    // erfc as in Press et al., Numerical Recipes, 6.2: a Chebyshev fit of ln(erfc(z) e^(z²) / t), t = 2 / (2 + z).
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / mul_add::<FMA>(0.5, z, 1.0);
    let p = polynomial::<FMA, 10>(
        t,
        [
            0.170_872_77,
            -0.822_152_23,
            1.488_515_87,
            -1.135_203_98,
            0.278_868_07,
            -0.186_288_06,
            0.096_784_18,
            0.374_091_96,
            1.000_023_68,
            -1.265_512_23,
        ],
    );
    let upper = 0.5 * t * exp::<FMA>(mul_add::<FMA>(-z, z, p));
    if x < 0.0 { upper } else { 1.0 - upper }
}

/// cos and sin of an angle below 2^30 in size; absolute error below 1e-8.
#[inline(always)]
pub fn cos_sin<const FMA: bool>(angle: f64) -> (f64, f64) {
    let mul_add = |a: f64, b: f64, c: f64| if FMA { a.mul_add(b, c) } else { a * b + c };
    let shifted = mul_add(angle, std::f64::consts::FRAC_2_PI, ROUND_F64);
    let n = shifted - ROUND_F64;
    let quadrant = shifted.to_bits();
    let r = mul_add(n, -6.077_100_506_506_192e-11, mul_add(n, -1.570_796_326_734_125_6, angle));
    let s = r * r;
    let sin = mul_add(s, 1.0 / 362_880.0, -1.0 / 5040.0);
    let sin = mul_add(s, mul_add(s, sin, 1.0 / 120.0), -1.0 / 6.0);
    let sin = mul_add(r * s, sin, r);
    let cos = mul_add(s, -1.0 / 3_628_800.0, 1.0 / 40320.0);
    let cos = mul_add(s, mul_add(s, cos, -1.0 / 720.0), 1.0 / 24.0);
    let cos = mul_add(s, mul_add(s, cos, -0.5), 1.0);
    let odd = quadrant & 1 == 1;
    let (c, s) = if odd { (sin, cos) } else { (cos, sin) };
    let c = f64::from_bits(c.to_bits() ^ (quadrant.wrapping_add(1) & 2) << 62);
    let s = f64::from_bits(s.to_bits() ^ (quadrant & 2) << 62);
    (c, s)
}

/// ln(v / 2^32) of a whole number 1 <= v <= 2^32; relative error of a few units of 1e-16.
#[inline(always)]
pub fn ln_unit(v: f64) -> f64 {
    let bits = v.to_bits();
    let mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 1f64.to_bits());
    // The exponent as a number: the low bits of 2^52 + exponent.
    let exponent = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - 4_503_599_627_370_496.0;
    // To between sqrt(1/2) and sqrt(2), where the logarithm is small.
    let large = mantissa > std::f64::consts::SQRT_2;
    let m = if large { 0.5 * mantissa } else { mantissa };
    let e = exponent - if large { 1022.0 + 32.0 } else { 1023.0 + 32.0 };
    // ln m = 2 artanh f.
    let f = (m - 1.0) / (m + 1.0);
    let s = f * f;
    let tail = s
        * (1.0 / 3.0
            + s * (1.0 / 5.0
                + s * (1.0 / 7.0
                    + s * (1.0 / 9.0
                        + s * (1.0 / 11.0
                            + s * (1.0 / 13.0 + s * (1.0 / 15.0 + s * (1.0 / 17.0 + s * (1.0 / 19.0)))))))));
    e * std::f64::consts::LN_2 + (2.0 * f + 2.0 * f * tail)
}

/// cos and sin of an angle from 0 to 2π; error of a few units of 1e-16, relative too.
#[inline(always)]
pub fn cos_sin_turn(angle: f64) -> (f64, f64) {
    let shifted = angle * std::f64::consts::FRAC_2_PI + ROUND_F64;
    let n = shifted - ROUND_F64;
    let quadrant = shifted.to_bits();
    // π/2 in two parts, the first exact in a product with n.
    let r = (angle - n * 1.570_796_326_734_125_6) - n * 6.077_100_506_506_192e-11;
    let s = r * r;
    let sin = -1.0 / 6.0
        + s * (1.0 / 120.0
            + s * (-1.0 / 5040.0
                + s * (1.0 / 362_880.0
                    + s * (-1.0 / 39_916_800.0
                        + s * (1.0 / 6_227_020_800.0
                            + s * (-1.0 / 1_307_674_368_000.0 + s * (1.0 / 355_687_428_096_000.0)))))));
    let sin = r + r * s * sin;
    let cos = -0.5
        + s * (1.0 / 24.0
            + s * (-1.0 / 720.0
                + s * (1.0 / 40_320.0
                    + s * (-1.0 / 3_628_800.0
                        + s * (1.0 / 479_001_600.0
                            + s * (-1.0 / 87_178_291_200.0 + s * (1.0 / 20_922_789_888_000.0)))))));
    let cos = 1.0 + s * cos;
    let odd = quadrant & 1 == 1;
    let (c, s) = if odd { (sin, cos) } else { (cos, sin) };
    let c = f64::from_bits(c.to_bits() ^ (quadrant.wrapping_add(1) & 2) << 62);
    let s = f64::from_bits(s.to_bits() ^ (quadrant & 2) << 62);
    (c, s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest relative error of `f` against `exact` on a grid.
    fn worst(low: f32, high: f32, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        let steps = 200_001;
        (0..steps)
            .map(|i| {
                let x = low + (high - low) * i as f32 / (steps - 1) as f32;
                let expected = exact(f64::from(x));
                ((f64::from(f(x)) - expected) / expected.abs().max(1e-30)).abs()
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_accurate_and_saturates() {
        assert!(worst(-87.3, 88.7, exp::<true>, f64::exp) < 3e-7);
        assert!(worst(-87.3, 88.7, exp::<false>, f64::exp) < 3e-7);
        assert_eq!(exp::<true>(0.0), 1.0);
        assert_eq!(exp::<true>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp::<true>(-1e30), 0.0);
        assert_eq!(exp::<true>(100.0), f32::INFINITY);
        assert_eq!(exp::<true>(f32::INFINITY), f32::INFINITY);
        assert!(exp::<true>(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_sigmoid_and_normal_cdf_are_accurate() {
        assert!(worst(-10.0, 10.0, tanh::<true>, f64::tanh) < 1e-6);
        assert!(worst(-0.01, 0.011, tanh::<true>, f64::tanh) < 1e-6);
        assert_eq!(tanh::<true>(50.0), 1.0);
        assert_eq!(tanh::<true>(-1e9), -1.0);
        assert!(worst(-80.0, 80.0, sigmoid::<true>, |x| 1.0 / (1.0 + (-x).exp())) < 1e-6);
        assert_eq!(sigmoid::<true>(-200.0), 0.0);
        // Values of Φ from tables.
        for (x, expected) in
            [(0.0, 0.5), (-1.0, 0.158_655_254), (2.0, 0.977_249_868), (-5.0, 2.866_515_72e-7)]
        {
            let value = f64::from(normal_cdf::<true>(x));
            assert!((value - expected).abs() / expected < 2e-6, "{x}: {value}");
        }
    }

    #[test]
    fn cos_and_sin_hold_for_large_angles() {
        for i in -200_000..200_000 {
            let angle = f64::from(i) * 0.737_421;
            for (c, s) in [cos_sin::<true>(angle), cos_sin::<false>(angle)] {
                assert!((c - angle.cos()).abs() < 2e-7 && (s - angle.sin()).abs() < 2e-7, "{angle}: {c} {s}");
            }
        }
    }
}
