//! The lanes of AVX2, AVX-512 and its products of bf16.
//!
//! Over 400 lines: three sets of lanes, each an implementation of `Lanes`, of which two share macros.

#![expect(
    clippy::needless_range_loop,
    reason = "what takes a closure is not inlined into a function of other features"
)]

use std::arch::x86_64::*;
use std::mem::transmute;

use super::lanes::{Bits, By, Lanes, Levels, PICKED, SHIFTS};
use crate::element::f32_to_bf16;
use crate::gemm::transpose::transpose_8;
use crate::quantized::decode::look_up;

/// Sixteen lanes of f32.
#[derive(Clone, Copy)]
pub struct Avx512;

/// Sixteen lanes of pairs of bf16.
#[derive(Clone, Copy)]
pub struct Avx512Bf16;

/// Eight lanes of f32.
#[derive(Clone, Copy)]
pub struct Avx2;

/// # Safety
/// As for [`Lanes::row_of`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn two_halves(low: *const u8, high: Option<*const u8>) -> __m256i {
    // SAFETY: the caller's bytes.
    unsafe {
        let low = _mm256_castsi128_si256(_mm_loadu_si128(low.cast()));
        let high = match high {
            Some(high) => _mm_loadu_si128(high.cast()),
            None => _mm_setzero_si128(),
        };
        _mm256_inserti128_si256::<1>(low, high)
    }
}

/// # Safety
/// As for [`Lanes::row_of_halves`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn regrouped(at: *const u8) -> __m256i {
    // SAFETY: the caller's bytes.
    unsafe {
        let (a, b) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(at.add(16).cast()));
        let low = _mm_set1_epi8(15);
        // Shifts of words, of which the mask leaves the halves of bytes.
        let first = _mm_or_si128(_mm_and_si128(a, low), _mm_slli_epi16::<4>(_mm_and_si128(b, low)));
        let second = _mm_or_si128(_mm_and_si128(_mm_srli_epi16::<4>(a), low), _mm_andnot_si128(low, b));
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(first), second)
    }
}

/// # Safety
/// As for [`Lanes::row_of_fives`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn fives(fours: *const u8, bits: *const u8, less: i8) -> __m256i {
    // SAFETY: the caller's bytes.
    unsafe {
        let fours = _mm_loadu_si128(fours.cast());
        let fours = _mm256_set_m128i(_mm_srli_epi16::<4>(fours), fours);
        let fours = _mm256_and_si256(fours, _mm256_set1_epi8(15));
        // Each byte of the word where its eight codes are, of which each keeps its own bit.
        let bytes = _mm256_set_epi64x(
            0x0303_0303_0303_0303,
            0x0202_0202_0202_0202,
            0x0101_0101_0101_0101,
            0x0000_0000_0000_0000,
        );
        let own = _mm256_set1_epi64x(0x8040_2010_0804_0201u64.cast_signed());
        let bits = _mm256_shuffle_epi8(_mm256_set1_epi32(bits.cast::<i32>().read_unaligned()), bytes);
        let fifths = _mm256_cmpeq_epi8(_mm256_and_si256(bits, own), own);
        let codes = _mm256_or_si256(fours, _mm256_and_si256(fifths, _mm256_set1_epi8(16)));
        _mm256_sub_epi8(codes, _mm256_set1_epi8(less))
    }
}

/// # Safety
/// As for [`Lanes::row_of_parts`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn parts(low: Bits, high: Bits, less: i8) -> __m256i {
    // SAFETY: the caller's bytes. Shifts of words, of which the masks leave the bits of each byte.
    unsafe {
        let of = |part: Bits| {
            let bytes = _mm256_loadu_si256(part.at.cast());
            let bytes = _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(part.shift as i32));
            _mm256_and_si256(bytes, _mm256_set1_epi8(part.mask.cast_signed()))
        };
        let codes = _mm256_or_si256(of(low), _mm256_slli_epi16::<4>(of(high)));
        _mm256_sub_epi8(codes, _mm256_set1_epi8(less))
    }
}

/// What both of AVX-512 have.
macro_rules! of_sixteen_lanes {
    ($features:literal) => {
        type Codes = __m512i;
        type Sums = __m512;
        type Row = __m256i;
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn run<B: By>(body: B) {
            /// # Safety
            /// As for `run`, on a processor with the features.
            #[target_feature(enable = $features)]
            unsafe fn compiled<L: Lanes, B: By>(body: B) {
                // SAFETY: the caller's.
                unsafe { body.run::<L>() }
            }
            // SAFETY: the caller's processor.
            unsafe { compiled::<Self, B>(body) }
        }

        #[inline(always)]
        unsafe fn zero() -> __m512 {
            // SAFETY: the caller's processor.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn load(at: *const f32) -> __m512 {
            // SAFETY: the caller's sums.
            unsafe { _mm512_loadu_ps(at) }
        }

        #[inline(always)]
        unsafe fn store(at: *mut f32, sums: __m512) {
            // SAFETY: the caller's room.
            unsafe { _mm512_storeu_ps(at, sums) }
        }

        #[inline(always)]
        unsafe fn load_packed(at: *const u32) -> __m512i {
            // SAFETY: the caller's values.
            unsafe { _mm512_loadu_si512(at.cast()) }
        }

        #[inline(always)]
        unsafe fn store_packed(at: *mut u32, values: __m512i) {
            // SAFETY: the caller's room.
            unsafe { _mm512_storeu_si512(at.cast(), values) }
        }

        #[inline(always)]
        unsafe fn everywhere(at: *const u32) -> __m512i {
            // SAFETY: the caller's value.
            unsafe { _mm512_set1_epi32(at.read_unaligned().cast_signed()) }
        }

        #[inline(always)]
        unsafe fn add_scaled(sums: __m512, part: __m512, scale: __m512) -> __m512 {
            // SAFETY: the caller's processor.
            unsafe { _mm512_fmadd_ps(part, scale, sums) }
        }

        #[inline(always)]
        unsafe fn row(at: *const u8) -> __m256i {
            // SAFETY: the caller's bytes.
            unsafe { _mm256_loadu_si256(at.cast()) }
        }

        #[inline(always)]
        unsafe fn row_of(low: *const u8, high: Option<*const u8>) -> __m256i {
            // SAFETY: the caller's bytes.
            unsafe { two_halves(low, high) }
        }

        #[inline(always)]
        unsafe fn halves(at: impl Fn(usize) -> *const u8) -> __m512 {
            // SAFETY: the caller's numbers.
            unsafe {
                let at = |lane| at(lane).cast::<i16>().read_unaligned();
                #[rustfmt::skip]
                                        let bits = _mm256_setr_epi16(
                                            at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7),
                                            at(8), at(9), at(10), at(11), at(12), at(13), at(14), at(15),
                                        );
                _mm512_cvtph_ps(bits)
            }
        }

        #[inline(always)]
        unsafe fn pairs_of_halves(at: impl Fn(usize) -> *const u8) -> [__m512; 2] {
            // SAFETY: the caller's numbers.
            unsafe {
                let at = |lane| at(lane).cast::<i32>().read_unaligned();
                #[rustfmt::skip]
                                        let bits = _mm512_setr_epi32(
                                            at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7),
                                            at(8), at(9), at(10), at(11), at(12), at(13), at(14), at(15),
                                        );
                Self::both_halves(bits)
            }
        }

        #[inline(always)]
        unsafe fn both_halves(bits: __m512i) -> [__m512; 2] {
            // SAFETY: the caller's processor.
            unsafe {
                let high = _mm512_srli_epi32::<16>(bits);
                [_mm512_cvtph_ps(_mm512_cvtepi32_epi16(bits)), _mm512_cvtph_ps(_mm512_cvtepi32_epi16(high))]
            }
        }

        #[inline(always)]
        unsafe fn row_of_halves(at: *const u8) -> __m256i {
            // SAFETY: the caller's bytes.
            unsafe { regrouped(at) }
        }

        #[inline(always)]
        unsafe fn row_of_fives(fours: *const u8, bits: *const u8, less: i8) -> __m256i {
            // SAFETY: the caller's bytes.
            unsafe { fives(fours, bits, less) }
        }

        #[inline(always)]
        unsafe fn row_of_parts(low: Bits, high: Bits, less: i8) -> __m256i {
            // SAFETY: the caller's bytes.
            unsafe { parts(low, high, less) }
        }

        #[inline(always)]
        unsafe fn field(codes: __m512i, shift: u32, mask: u32) -> __m512 {
            // SAFETY: the caller's processor.
            unsafe {
                let bits = _mm512_srlv_epi32(codes, _mm512_set1_epi32(shift.cast_signed()));
                _mm512_cvtepi32_ps(_mm512_and_si512(bits, _mm512_set1_epi32(mask.cast_signed())))
            }
        }

        #[inline(always)]
        unsafe fn same(value: f32) -> __m512 {
            // SAFETY: the caller's processor.
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn turned(rows: impl Fn(usize) -> __m256i) -> [__m512i; 8] {
            // SAFETY: the caller's processor.
            unsafe {
                // Rows i and i + 4 in the halves of a register, which come to stand beside each other in the end.
                let mut x = [_mm512_setzero_si512(); 8];
                for i in 0..8 {
                    let row = i / 4 * 8 + i % 4;
                    x[i] = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(rows(row)), rows(row + 4));
                }
                let mut y = x;
                for i in 0..4 {
                    y[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
                    y[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
                }
                let mut z = y;
                for i in 0..2 {
                    z[4 * i] = _mm512_unpacklo_epi64(y[4 * i], y[4 * i + 2]);
                    z[4 * i + 1] = _mm512_unpackhi_epi64(y[4 * i], y[4 * i + 2]);
                    z[4 * i + 2] = _mm512_unpacklo_epi64(y[4 * i + 1], y[4 * i + 3]);
                    z[4 * i + 3] = _mm512_unpackhi_epi64(y[4 * i + 1], y[4 * i + 3]);
                }
                let mut w = z;
                for c in 0..4 {
                    w[c] = _mm512_shuffle_i32x4::<0x88>(z[c], z[4 + c]);
                    w[4 + c] = _mm512_shuffle_i32x4::<0xdd>(z[c], z[4 + c]);
                }
                w
            }
        }
    };
}

/// Byte `$at` of each lane, counted from the upper end, as f32.
macro_rules! byte_512 {
    ($codes:expr, $at:literal) => {
        _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_srai_epi32::<24>(
            _mm512_slli_epi32::<{ 24 - 8 * $at }>($codes),
        )))
    };
}

impl Lanes for Avx512 {
    const PAIRS: bool = false;
    of_sixteen_lanes!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c");

    #[inline(always)]
    unsafe fn add(sums: __m512, x: __m512i, w: __m512i) -> __m512 {
        // SAFETY: the caller's processor.
        unsafe { _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(w), sums) }
    }

    #[inline(always)]
    unsafe fn nibbles<T: Levels>(codes: __m512i) -> [__m512i; 8] {
        // SAFETY: sixteen levels, and the caller's processor. A look-up takes four bits of a lane.
        unsafe {
            let levels = transmute::<[f32; 16], __m512>(T::LEVELS);
            let mut values = [codes; 8];
            for i in 0..8 {
                let codes = _mm512_srlv_epi32(codes, _mm512_set1_epi32(SHIFTS[i].cast_signed()));
                values[i] = _mm512_castps_si512(_mm512_permutexvar_ps(codes, levels));
            }
            values
        }
    }

    #[inline(always)]
    unsafe fn bytes(codes: __m512i) -> [__m512i; 8] {
        // SAFETY: the caller's processor.
        unsafe {
            let (a, b) = (byte_512!(codes, 0), byte_512!(codes, 1));
            let (c, d) = (byte_512!(codes, 2), byte_512!(codes, 3));
            [a, b, c, d, a, b, c, d]
        }
    }
}

/// What codes of four bits stand for, rounded.
trait Rounded: Levels {
    /// Twice the levels in bf16: in a look-up of words the fifth bit of an index is part of another code.
    const ROUNDED: [u16; 32] = {
        let mut rounded = [0; 32];
        let mut i = 0;
        while i < 32 {
            rounded[i] = f32_to_bf16(Self::LEVELS[i % 16]);
            i += 1;
        }
        rounded
    };
}

impl<T: Levels> Rounded for T {}

impl Lanes for Avx512Bf16 {
    const PAIRS: bool = true;
    of_sixteen_lanes!("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c");

    #[inline(always)]
    unsafe fn pick(to: *mut u16, x: *const u16, places: &[u16; PICKED]) {
        // SAFETY: the caller's values, room and processor.
        unsafe {
            let places = _mm512_loadu_si512(places.as_ptr().cast());
            let x = _mm512_loadu_si512(x.cast());
            _mm512_storeu_si512(to.cast(), _mm512_permutexvar_epi16(places, x));
        }
    }

    #[inline(always)]
    unsafe fn total(x: *const u32) -> f32 {
        // SAFETY: the caller's values and processor.
        unsafe {
            let ones = _mm512_set1_epi32(0x3f80_3f80);
            let x = _mm512_loadu_si512(x.cast());
            let (x, ones) = (transmute::<__m512i, __m512bh>(x), transmute::<__m512i, __m512bh>(ones));
            _mm512_reduce_add_ps(_mm512_dpbf16_ps(_mm512_setzero_ps(), x, ones))
        }
    }

    #[inline(always)]
    unsafe fn add(sums: __m512, x: __m512i, w: __m512i) -> __m512 {
        // SAFETY: the caller's processor.
        unsafe {
            _mm512_dpbf16_ps(sums, transmute::<__m512i, __m512bh>(w), transmute::<__m512i, __m512bh>(x))
        }
    }

    #[inline(always)]
    unsafe fn nibbles<T: Levels>(codes: __m512i) -> [__m512i; 8] {
        // SAFETY: the caller's processor.
        unsafe {
            let levels = transmute::<[u16; 32], __m512i>(T::ROUNDED);
            let a = _mm512_permutexvar_epi16(_mm512_srli_epi16::<4>(codes), levels);
            let b = _mm512_permutexvar_epi16(codes, levels);
            let c = _mm512_permutexvar_epi16(_mm512_srli_epi16::<12>(codes), levels);
            let d = _mm512_permutexvar_epi16(_mm512_srli_epi16::<8>(codes), levels);
            [a, b, c, d, a, b, c, d]
        }
    }

    #[inline(always)]
    unsafe fn bytes(codes: __m512i) -> [__m512i; 8] {
        // SAFETY: the caller's processor.
        unsafe {
            let (a, b) = (byte_512!(codes, 0), byte_512!(codes, 1));
            let (c, d) = (byte_512!(codes, 2), byte_512!(codes, 3));
            // A whole number of eight bits is exact in the upper half of an f32.
            let a = _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(a), b);
            let b = _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(c), d);
            [a, b, a, b, a, b, a, b]
        }
    }
}

impl Lanes for Avx2 {
    const LANES: usize = 8;
    const PAIRS: bool = false;
    type Codes = __m256i;
    type Sums = __m256;
    type Row = __m256i;

    #[inline(always)]
    unsafe fn run<B: By>(body: B) {
        /// # Safety
        /// As for `run`, on a processor with the features.
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn compiled<L: Lanes, B: By>(body: B) {
            // SAFETY: the caller's.
            unsafe { body.run::<L>() }
        }
        // SAFETY: the caller's processor.
        unsafe { compiled::<Self, B>(body) }
    }

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: the caller's processor.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m256 {
        // SAFETY: the caller's sums.
        unsafe { _mm256_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, sums: __m256) {
        // SAFETY: the caller's room.
        unsafe { _mm256_storeu_ps(at, sums) }
    }

    #[inline(always)]
    unsafe fn load_packed(at: *const u32) -> __m256i {
        // SAFETY: the caller's values.
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    #[inline(always)]
    unsafe fn store_packed(at: *mut u32, values: __m256i) {
        // SAFETY: the caller's room.
        unsafe { _mm256_storeu_si256(at.cast(), values) }
    }

    #[inline(always)]
    unsafe fn everywhere(at: *const u32) -> __m256i {
        // SAFETY: the caller's value.
        unsafe { _mm256_set1_epi32(at.read_unaligned().cast_signed()) }
    }

    #[inline(always)]
    unsafe fn add(sums: __m256, x: __m256i, w: __m256i) -> __m256 {
        // SAFETY: the caller's processor.
        unsafe { _mm256_fmadd_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(w), sums) }
    }

    #[inline(always)]
    unsafe fn add_scaled(sums: __m256, part: __m256, scale: __m256) -> __m256 {
        // SAFETY: the caller's processor.
        unsafe { _mm256_fmadd_ps(part, scale, sums) }
    }

    #[inline(always)]
    unsafe fn row(at: *const u8) -> __m256i {
        // SAFETY: the caller's bytes.
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    #[inline(always)]
    unsafe fn row_of(low: *const u8, high: Option<*const u8>) -> __m256i {
        // SAFETY: the caller's bytes.
        unsafe { two_halves(low, high) }
    }

    #[inline(always)]
    unsafe fn halves(at: impl Fn(usize) -> *const u8) -> __m256 {
        // SAFETY: the caller's numbers.
        unsafe {
            let at = |lane| at(lane).cast::<i16>().read_unaligned();
            _mm256_cvtph_ps(_mm_setr_epi16(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)))
        }
    }

    #[inline(always)]
    unsafe fn pairs_of_halves(at: impl Fn(usize) -> *const u8) -> [__m256; 2] {
        // SAFETY: the caller's numbers.
        unsafe { [Self::halves(&at), Self::halves(|lane| at(lane).wrapping_add(2))] }
    }

    #[inline(always)]
    unsafe fn both_halves(bits: __m256i) -> [__m256; 2] {
        // SAFETY: the caller's processor.
        unsafe {
            // Words from 0 to 65535 are packed as they are, within each half of the register.
            let (low, high) =
                (_mm256_and_si256(bits, _mm256_set1_epi32(0xffff)), _mm256_srli_epi32::<16>(bits));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            [
                _mm256_cvtph_ps(_mm256_castsi256_si128(words)),
                _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(words)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn row_of_halves(at: *const u8) -> __m256i {
        // SAFETY: the caller's bytes.
        unsafe { regrouped(at) }
    }

    #[inline(always)]
    unsafe fn row_of_fives(fours: *const u8, bits: *const u8, less: i8) -> __m256i {
        // SAFETY: the caller's bytes.
        unsafe { fives(fours, bits, less) }
    }

    #[inline(always)]
    unsafe fn row_of_parts(low: Bits, high: Bits, less: i8) -> __m256i {
        // SAFETY: the caller's bytes.
        unsafe { parts(low, high, less) }
    }

    #[inline(always)]
    unsafe fn field(codes: __m256i, shift: u32, mask: u32) -> __m256 {
        // SAFETY: the caller's processor.
        unsafe {
            let bits = _mm256_srlv_epi32(codes, _mm256_set1_epi32(shift.cast_signed()));
            _mm256_cvtepi32_ps(_mm256_and_si256(bits, _mm256_set1_epi32(mask.cast_signed())))
        }
    }

    #[inline(always)]
    unsafe fn same(value: f32) -> __m256 {
        // SAFETY: the caller's processor.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn turned(rows: impl Fn(usize) -> __m256i) -> [__m256i; 8] {
        // SAFETY: the caller's processor.
        unsafe {
            let mut x = [_mm256_setzero_ps(); 8];
            for i in 0..8 {
                x[i] = _mm256_castsi256_ps(rows(i));
            }
            transmute::<[__m256; 8], [__m256i; 8]>(transpose_8(x))
        }
    }

    #[inline(always)]
    unsafe fn nibbles<T: Levels>(codes: __m256i) -> [__m256i; 8] {
        // SAFETY: sixteen levels, and the caller's processor.
        unsafe {
            let [low, high] = transmute::<[f32; 16], [__m256; 2]>(T::LEVELS);
            let mut values = [codes; 8];
            for i in 0..8 {
                let codes = _mm256_srlv_epi32(codes, _mm256_set1_epi32(SHIFTS[i].cast_signed()));
                values[i] = _mm256_castps_si256(look_up(low, high, codes));
            }
            values
        }
    }

    #[inline(always)]
    unsafe fn bytes(codes: __m256i) -> [__m256i; 8] {
        // SAFETY: the caller's processor.
        unsafe {
            let mut values = [codes; 8];
            for i in 0..8 {
                let shift = 24 - 8 * (i as i32 & 3);
                let byte = _mm256_srai_epi32::<24>(_mm256_sllv_epi32(codes, _mm256_set1_epi32(shift)));
                values[i] = _mm256_castps_si256(_mm256_cvtepi32_ps(byte));
            }
            values
        }
    }
}
