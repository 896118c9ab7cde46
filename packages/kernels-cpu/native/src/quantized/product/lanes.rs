//! Rows of weights side by side in the lanes of registers, for each instruction set.

use crate::element::{Bf16, Element, F16};
use crate::isa::mul_add;
use crate::quantized::gguf::half;
use crate::row;

/// Bytes of codes of a row that are looked at together.
pub const STEP: usize = 32;

/// Values of bf16 that are brought into another order together.
pub const PICKED: usize = 32;

/// Most lanes.
pub const MOST: usize = 16;

/// A loop over the lanes of an instruction set. Must be `#[inline(always)]`, and so must everything hot that it calls.
pub trait By {
    /// # Safety
    /// That of the loop itself; called only by [`Lanes::run`].
    unsafe fn run<L: Lanes>(self);
}

/// Bits of [`STEP`] bytes, from `shift` on.
#[derive(Clone, Copy)]
pub struct Bits {
    pub at: *const u8,
    pub shift: usize,
    pub mask: u8,
}

/// Registers of an instruction set. A lane of `Codes` has four bytes of codes, or a packed value: an f32, or two bf16 where
/// `PAIRS`. All functions are inlined into loops that `run` compiles for the set.
pub trait Lanes: Copy + Sync {
    /// Rows of w side by side.
    const LANES: usize;
    /// A packed value is a pair of bf16, of neighbouring k.
    const PAIRS: bool;
    type Codes: Copy;
    type Sums: Copy;
    /// The codes of a step of one row.
    type Row: Copy;

    /// Runs a loop that is compiled for the set.
    ///
    /// # Safety
    /// The processor has it, and the loop's own conditions hold.
    unsafe fn run<B: By>(body: B);

    /// # Safety
    /// The processor has the instructions. So for all that follow.
    unsafe fn zero() -> Self::Sums;

    /// # Safety
    /// The sums are there.
    unsafe fn load(at: *const f32) -> Self::Sums;

    /// # Safety
    /// There is room for the sums.
    unsafe fn store(at: *mut f32, sums: Self::Sums);

    /// # Safety
    /// The packed values are there.
    unsafe fn load_packed(at: *const u32) -> Self::Codes;

    /// # Safety
    /// There is room for the packed values.
    unsafe fn store_packed(at: *mut u32, values: Self::Codes);

    /// A packed value in every lane.
    ///
    /// # Safety
    /// It is there.
    unsafe fn everywhere(at: *const u32) -> Self::Codes;

    /// to = the bf16 of `x` at these places.
    ///
    /// # Safety
    /// [`PICKED`] of them lie there, and there is room for as many; the processor has the instructions.
    #[inline(always)]
    unsafe fn pick(to: *mut u16, x: *const u16, places: &[u16; PICKED]) {
        for (i, place) in places.iter().enumerate() {
            // SAFETY: the caller's values and room.
            unsafe { to.add(i).write(x.add(usize::from(*place)).read()) };
        }
    }

    /// The sum of [`PICKED`] bf16 that are packed as pairs.
    ///
    /// # Safety
    /// They are there; the processor has the instructions.
    #[inline(always)]
    unsafe fn total(x: *const u32) -> f32 {
        let mut values = [0f32; PICKED];
        // SAFETY: the caller's values.
        row::load(&mut values, unsafe { &*x.cast::<[Bf16; PICKED]>() });
        row::sum(&values)
    }

    /// sums + x · w, of packed values.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn add(sums: Self::Sums, x: Self::Codes, w: Self::Codes) -> Self::Sums;

    /// sums + part · scale.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn add_scaled(sums: Self::Sums, part: Self::Sums, scale: Self::Sums) -> Self::Sums;

    /// # Safety
    /// The processor has the instructions, and [`STEP`] bytes lie there.
    unsafe fn row(at: *const u8) -> Self::Row;

    /// Two halves, of which the second may be absent: zeros.
    ///
    /// # Safety
    /// As for `row`, half as many bytes in each place.
    unsafe fn row_of(low: *const u8, high: Option<*const u8>) -> Self::Row;

    /// [`STEP`] bytes of which the low halves are 32 codes and the high halves the next 32, as `row_of` has the two: the codes from 16 on
    /// in the high halves of those before.
    ///
    /// # Safety
    /// As for `row`.
    unsafe fn row_of_halves(at: *const u8) -> Self::Row;

    /// 32 codes as bytes: four bits of each as `row_of` has the halves of 16 bytes, low before high, the fifth in one word of bits; less a
    /// number.
    ///
    /// # Safety
    /// The processor has the instructions; 16 bytes and a word lie there.
    unsafe fn row_of_fives(fours: *const u8, bits: *const u8, less: i8) -> Self::Row;

    /// [`STEP`] codes as bytes: their four low bits in one place and up to two high ones in another; less a number.
    ///
    /// # Safety
    /// The processor has the instructions, and [`STEP`] bytes lie in each place.
    unsafe fn row_of_parts(low: Bits, high: Bits, less: i8) -> Self::Row;

    /// Bits of each lane, from `shift` on, as a number.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn field(codes: Self::Codes, shift: u32, mask: u32) -> Self::Sums;

    /// The two f16 of each lane.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn both_halves(codes: Self::Codes) -> [Self::Sums; 2];

    /// Bytes 4 v to 4 v + 4 of each row, for v = 0 … 7.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn turned(rows: impl Fn(usize) -> Self::Row) -> [Self::Codes; 8];

    /// The f16 at an address for each lane.
    ///
    /// # Safety
    /// The processor has the instructions, and the numbers lie there.
    unsafe fn halves(at: impl Fn(usize) -> *const u8) -> Self::Sums;

    /// The two f16 at an address for each lane.
    ///
    /// # Safety
    /// As for `halves`.
    unsafe fn pairs_of_halves(at: impl Fn(usize) -> *const u8) -> [Self::Sums; 2];

    /// An f32 in every lane.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn same(value: f32) -> Self::Sums;

    /// The levels of the eight codes of four bits in a lane, of which the high half of a byte comes first; of pairs, the four of codes
    /// 4 apart.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn nibbles<T: Levels>(codes: Self::Codes) -> [Self::Codes; 8];

    /// The four bytes of a lane as whole numbers, or the two pairs of them.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn bytes(codes: Self::Codes) -> [Self::Codes; 8];
}

/// What codes of four bits stand for.
pub trait Levels {
    const LEVELS: [f32; 16];
}

/// Where each of eight codes of four bits lies.
pub const SHIFTS: [u32; 8] = [4, 0, 12, 8, 20, 16, 28, 24];

/// Arrays, which the compiler turns into vectors of the target's baseline.
#[derive(Clone, Copy)]
pub struct Portable;

const WIDTH: usize = 8;
/// Multiply-adds are fused.
pub const NEON: bool = cfg!(target_arch = "aarch64");

impl Lanes for Portable {
    const LANES: usize = WIDTH;
    const PAIRS: bool = false;
    type Codes = [u32; WIDTH];
    type Sums = [f32; WIDTH];
    type Row = [u8; STEP];

    #[inline(always)]
    unsafe fn run<B: By>(body: B) {
        // SAFETY: the loop's conditions are the caller's.
        unsafe { body.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        [0.0; WIDTH]
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Sums {
        // SAFETY: the caller's sums.
        unsafe { at.cast::<Self::Sums>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, sums: Self::Sums) {
        // SAFETY: the caller's room.
        unsafe { at.cast::<Self::Sums>().write_unaligned(sums) }
    }

    #[inline(always)]
    unsafe fn load_packed(at: *const u32) -> Self::Codes {
        // SAFETY: the caller's values.
        unsafe { at.cast::<Self::Codes>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store_packed(at: *mut u32, values: Self::Codes) {
        // SAFETY: the caller's room.
        unsafe { at.cast::<Self::Codes>().write_unaligned(values) }
    }

    #[inline(always)]
    unsafe fn everywhere(at: *const u32) -> Self::Codes {
        // SAFETY: the caller's value.
        [unsafe { at.read_unaligned() }; WIDTH]
    }

    #[inline(always)]
    unsafe fn add(mut sums: Self::Sums, x: Self::Codes, w: Self::Codes) -> Self::Sums {
        for i in 0..WIDTH {
            sums[i] = mul_add::<NEON>(f32::from_bits(x[i]), f32::from_bits(w[i]), sums[i]);
        }
        sums
    }

    #[inline(always)]
    unsafe fn add_scaled(mut sums: Self::Sums, part: Self::Sums, scale: Self::Sums) -> Self::Sums {
        for i in 0..WIDTH {
            sums[i] = mul_add::<NEON>(part[i], scale[i], sums[i]);
        }
        sums
    }

    #[inline(always)]
    unsafe fn row(at: *const u8) -> Self::Row {
        // SAFETY: the caller's bytes.
        unsafe { at.cast::<Self::Row>().read() }
    }

    #[inline(always)]
    unsafe fn row_of(low: *const u8, high: Option<*const u8>) -> Self::Row {
        let mut row = [0; STEP];
        let (to_low, to_high) = row.split_at_mut(STEP / 2);
        // SAFETY: the caller's bytes.
        unsafe {
            to_low.copy_from_slice(&*low.cast::<[u8; STEP / 2]>());
            if let Some(high) = high {
                to_high.copy_from_slice(&*high.cast::<[u8; STEP / 2]>());
            }
        }
        row
    }

    #[inline(always)]
    unsafe fn row_of_halves(at: *const u8) -> Self::Row {
        // SAFETY: the caller's bytes.
        let bytes = unsafe { at.cast::<[u8; STEP]>().read() };
        let mut row = [0; STEP];
        for i in 0..STEP / 2 {
            let (a, b) = (bytes[i], bytes[i + STEP / 2]);
            row[i] = a & 15 | b << 4;
            row[i + STEP / 2] = a >> 4 | b & 0xf0;
        }
        row
    }

    #[inline(always)]
    unsafe fn row_of_fives(fours: *const u8, bits: *const u8, less: i8) -> Self::Row {
        // SAFETY: the caller's bytes.
        let (fours, bits) = unsafe {
            (fours.cast::<[u8; STEP / 2]>().read(), u32::from_le_bytes(bits.cast::<[u8; 4]>().read()))
        };
        let mut row = [0; STEP];
        for i in 0..STEP {
            let four = fours[i % (STEP / 2)] >> (i / (STEP / 2) * 4) & 15;
            row[i] = (four | ((bits >> i & 1) << 4) as u8).wrapping_sub(less.cast_unsigned());
        }
        row
    }

    #[inline(always)]
    unsafe fn row_of_parts(low: Bits, high: Bits, less: i8) -> Self::Row {
        // SAFETY: the caller's bytes.
        let [lows, highs] = unsafe { [low, high].map(|part| part.at.cast::<[u8; STEP]>().read()) };
        let mut row = [0; STEP];
        for i in 0..STEP {
            let code = lows[i] >> low.shift & low.mask | (highs[i] >> high.shift & high.mask) << 4;
            row[i] = code.wrapping_sub(less.cast_unsigned());
        }
        row
    }

    #[inline(always)]
    unsafe fn field(codes: Self::Codes, shift: u32, mask: u32) -> Self::Sums {
        codes.map(|code| (code >> shift & mask) as f32)
    }

    #[inline(always)]
    unsafe fn both_halves(codes: Self::Codes) -> [Self::Sums; 2] {
        [codes.map(|code| F16(code as u16).load()), codes.map(|code| F16((code >> 16) as u16).load())]
    }

    #[inline(always)]
    unsafe fn halves(at: impl Fn(usize) -> *const u8) -> Self::Sums {
        // SAFETY: the caller's numbers.
        std::array::from_fn(|lane| unsafe { half(at(lane)) })
    }

    #[inline(always)]
    unsafe fn pairs_of_halves(at: impl Fn(usize) -> *const u8) -> [Self::Sums; 2] {
        // SAFETY: the caller's numbers.
        unsafe { [Self::halves(&at), Self::halves(|lane| at(lane).wrapping_add(2))] }
    }

    #[inline(always)]
    unsafe fn same(value: f32) -> Self::Sums {
        [value; WIDTH]
    }

    #[inline(always)]
    unsafe fn turned(rows: impl Fn(usize) -> Self::Row) -> [Self::Codes; 8] {
        let mut turned = [[0; WIDTH]; 8];
        for lane in 0..WIDTH {
            let row = rows(lane);
            for (to, bytes) in turned.iter_mut().zip(row.as_chunks::<4>().0) {
                to[lane] = u32::from_le_bytes(*bytes);
            }
        }
        turned
    }

    #[inline(always)]
    unsafe fn nibbles<T: Levels>(codes: Self::Codes) -> [Self::Codes; 8] {
        SHIFTS.map(|shift| codes.map(|code| T::LEVELS[(code >> shift & 15) as usize].to_bits()))
    }

    #[inline(always)]
    unsafe fn bytes(codes: Self::Codes) -> [Self::Codes; 8] {
        std::array::from_fn(|j| {
            codes.map(|code| ((code << (24 - 8 * (j as u32 & 3))) as i32 >> 24) as f32).map(f32::to_bits)
        })
    }
}
