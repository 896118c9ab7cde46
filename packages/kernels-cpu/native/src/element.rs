//! Elements of operands. The conversions have no branches, so loops over them vectorise.

/// A type without padding, of which every bit pattern is a value.
///
/// # Safety
/// Both must hold.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

macro_rules! plain {
    ($($number:ty)*) => {
        // SAFETY: a number, or a transparent wrapper of one: no padding, and every bit pattern is a value.
        $(unsafe impl Plain for $number {})*
    };
}
plain! { u8 i8 u16 u32 i32 f32 f64 Bf16 F16 }

/// An element of an operand: f32, or 16 bits of bf16 or f16.
pub trait Element: Plain {
    /// Whether the bits are those of a bf16.
    const IS_BF16: bool;
    fn load(self) -> f32;
    fn store(value: f32) -> Self;
    fn to_bf16(self) -> u16;
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(transparent)]
pub struct F16(pub u16);

/// Round to nearest, ties to even; NaN stays NaN.
#[inline(always)]
pub const fn f32_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let nan = (bits >> 16) | 0x40;
    (if value.is_nan() { nan } else { rounded }) as u16
}

impl Element for f32 {
    const IS_BF16: bool = false;
    #[inline(always)]
    fn load(self) -> f32 {
        self
    }
    #[inline(always)]
    fn store(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn to_bf16(self) -> u16 {
        f32_to_bf16(self)
    }
}

impl Element for Bf16 {
    const IS_BF16: bool = true;
    #[inline(always)]
    fn load(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
    #[inline(always)]
    fn store(value: f32) -> Self {
        Self(f32_to_bf16(value))
    }
    #[inline(always)]
    fn to_bf16(self) -> u16 {
        self.0
    }
}

impl Element for F16 {
    const IS_BF16: bool = false;
    #[inline(always)]
    fn load(self) -> f32 {
        let magnitude = u32::from(self.0 & 0x7fff);
        let sign = u32::from(self.0 & 0x8000) << 16;
        // The exponents differ by 112; the product also normalises what is subnormal in f16.
        let value = f32::from_bits(magnitude << 13) * f32::from_bits((112 + 127) << 23);
        let special = if magnitude >= 0x7c00 { 0xff << 23 } else { 0 };
        f32::from_bits(value.to_bits() | special | sign)
    }
    #[inline(always)]
    fn store(value: f32) -> Self {
        let sign = (value.to_bits() >> 16) & 0x8000;
        let bits = value.to_bits() & 0x7fff_ffff;
        // Adding 0.5 puts the last bit of a subnormal f16 at the last bit of the f32, rounding on the way.
        let subnormal = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0.5_f32.to_bits());
        let normal = bits.wrapping_add(0xc800_0fff_u32.wrapping_add((bits >> 13) & 1)) >> 13;
        let special = if bits > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
        let finite = if bits < 113 << 23 { subnormal } else { normal };
        let magnitude = if bits >= (127 + 16) << 23 { special } else { finite };
        Self((magnitude | sign) as u16)
    }
    #[inline(always)]
    fn to_bf16(self) -> u16 {
        f32_to_bf16(self.load())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_survives_a_round_trip() {
        for bits in 0..=u16::MAX {
            let value = F16(bits).load();
            if value.is_nan() {
                assert!(bits & 0x7fff > 0x7c00);
                assert!(F16::store(value).load().is_nan());
            } else {
                assert_eq!(F16::store(value).0, bits);
            }
        }
    }

    #[test]
    fn f16_rounds_to_nearest_even() {
        let ulp = 2f32.powi(-10);
        assert_eq!(F16::store(1.0 + ulp * 0.5).load(), 1.0);
        assert_eq!(F16::store(1.0 + ulp * 1.5).load(), 1.0 + 2.0 * ulp);
        assert_eq!(F16::store(1.0 + ulp * 0.501).load(), 1.0 + ulp);
        assert_eq!(F16::store(65519.0).load(), 65504.0);
        assert_eq!(F16::store(65520.0).load(), f32::INFINITY);
        assert_eq!(F16::store(-1e9).load(), f32::NEG_INFINITY);
        assert_eq!(F16::store(2f32.powi(-24)).0, 1);
        assert_eq!(F16::store(2f32.powi(-25)).0, 0);
        assert_eq!(F16::store(2f32.powi(-25) * 1.01).0, 1);
    }

    #[test]
    fn every_bf16_survives_a_round_trip() {
        for bits in 0..=u16::MAX {
            let value = Bf16(bits).load();
            if value.is_nan() {
                assert!(Bf16::store(value).load().is_nan());
            } else {
                assert_eq!(Bf16::store(value).0, bits);
            }
        }
        assert_eq!(Bf16::store(1.0 + 2f32.powi(-8)).load(), 1.0);
        assert_eq!(Bf16::store(1.0 + 3.0 * 2f32.powi(-8)).load(), 1.0 + 2f32.powi(-6));
    }
}
