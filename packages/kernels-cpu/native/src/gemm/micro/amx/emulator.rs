//! AMX for the tests of a processor without it. Its instructions raise SIGILL there; a handler of the signal decodes them
//! and carries them out after the pseudo-code of Intel's instruction set reference (volume 2 of the Software Developer's
//! Manual), on tiles of each thread's own, and the thread goes on behind the instruction.
//!
//! What a processor answers with #UD or #GP, and every instruction that is not one of these, is reported with its place
//! and ends the process. The handler allocates nothing, takes no lock and does not unwind.
//!
//! Over 400 lines: decoding and carrying out are one reading of the reference, and every unsafe part says what makes it sound.

mod tests;

use crate::isa::{Isa, Loop, vectorised};
use std::arch::asm;
use std::cell::UnsafeCell;
use std::fmt::Write;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// A tile: rows beyond `rows` and bytes beyond `row_bytes` are zero. One that is not configured has neither.
#[derive(Clone, Copy)]
struct Register {
    rows: usize,
    row_bytes: usize,
    data: [[u8; ROW]; ROWS],
}

/// Largest row of palette 1, and most rows.
const ROW: usize = 64;
const ROWS: usize = 16;
const TILES: usize = 8;

/// All zero: no tiles are configured.
const RELEASED: [Register; TILES] = [Register { rows: 0, row_bytes: 0, data: [[0; ROW]; ROWS] }; TILES];

thread_local! {
    static REGISTERS: UnsafeCell<[Register; TILES]> = const { UnsafeCell::new(RELEASED) };
}

/// Makes the instructions of AMX work in this process, and says whether by emulation: a processor that has them is only
/// asked for the permission.
pub fn install() -> bool {
    static EMULATED: OnceLock<bool> = OnceLock::new();
    *EMULATED.get_or_init(|| {
        if super::permitted() {
            return false;
        }
        // What the handler asks for of the processor is looked up now.
        Isa::detect();
        // SAFETY: the handler is safe to run between any two instructions.
        let result = unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = on_illegal as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut())
        };
        assert_eq!(result, 0, "sigaction");
        true
    })
}

/// Where the signal frame keeps the general registers, by their numbers in instructions.
const GENERAL: [libc::c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

extern "C" fn on_illegal(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: SA_SIGINFO hands over the frame of the thread that stands at an instruction; its tiles are borrowed by
    // nobody else, for the code that is interrupted is no part of the emulator.
    unsafe {
        let saved = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let at = saved[libc::REG_RIP as usize] as *const u8;
        let general = GENERAL.map(|index| saved[index as usize] as u64);
        match decode(at, &general) {
            Ok((instruction, next)) => {
                let done = REGISTERS.with(|registers| execute(&mut *registers.get(), &instruction));
                match done {
                    Ok(()) => saved[libc::REG_RIP as usize] = next as libc::greg_t,
                    Err(why) => refuse(at, instruction.name(), why),
                }
            }
            Err(why) => refuse(at, "an instruction", why),
        }
    }
}

/// Prints what stands where and ends the process.
fn refuse(at: *const u8, what: &str, why: &str) -> ! {
    struct Line {
        bytes: [u8; 256],
        length: usize,
    }
    impl Write for Line {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let free = &mut self.bytes[self.length..];
            let count = text.len().min(free.len());
            free[..count].copy_from_slice(&text.as_bytes()[..count]);
            self.length += count;
            Ok(())
        }
    }
    let mut line = Line { bytes: [0; 256], length: 0 };
    // SAFETY: the processor has read these bytes; the shortest of the instructions has five.
    let [a, b, c, d, e] = unsafe { at.cast::<[u8; 5]>().read_unaligned() };
    let _ = writeln!(line, "AMX: {what} at {at:p} [{a:02x} {b:02x} {c:02x} {d:02x} {e:02x}]: {why}");
    // SAFETY: both calls are safe in a handler.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.bytes.as_ptr().cast(), line.length);
        libc::abort()
    }
}

/// Tiles are numbers below 8; `at` is where the operand in memory starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instruction {
    Configure { at: u64 },
    Release,
    Zero { tile: usize },
    Load { tile: usize, at: u64, stride: u64 },
    Store { tile: usize, at: u64, stride: u64 },
    Multiply { c: usize, a: usize, b: usize },
}

impl Instruction {
    fn name(&self) -> &'static str {
        match self {
            Self::Configure { .. } => "ldtilecfg",
            Self::Release => "tilerelease",
            Self::Zero { .. } => "tilezero",
            Self::Load { .. } => "tileloadd",
            Self::Store { .. } => "tilestored",
            Self::Multiply { .. } => "tdpbf16ps",
        }
    }
}

const UNKNOWN: &str = "is not emulated";

/// The bytes of an instruction, from the next one.
struct Code(*const u8);

impl Code {
    /// # Safety
    /// An instruction goes on for as many bytes, which are a `T`.
    unsafe fn take<T: Copy>(&mut self) -> T {
        // SAFETY: the caller's bytes.
        unsafe {
            let value = self.0.cast::<T>().read_unaligned();
            self.0 = self.0.add(size_of::<T>());
            value
        }
    }
}

/// An operand in memory: base and displacement, and the index with its scale, which for tiles is the stride.
struct Memory {
    start: u64,
    index: u64,
    by_sib: bool,
}

/// The operand that a ModRM of `mode` and `rm` names, with what is behind it; `x` and `b` are 8 where VEX extends the
/// index and the base.
///
/// # Safety
/// `code` stands in an instruction behind such a ModRM.
unsafe fn memory(code: &mut Code, mode: u8, rm: u8, x: u8, b: u8, general: &[u64; 16]) -> Memory {
    let by_sib = rm == 4;
    let (mut base, mut index) = (rm, 0);
    if by_sib {
        // SAFETY: with this `rm` a SIB comes next.
        let sib: u8 = unsafe { code.take() };
        base = sib & 7;
        let number = sib >> 3 & 7 | x;
        // rsp is no index.
        if number != 4 {
            index = general[usize::from(number)] << (sib >> 6);
        }
    }
    let without_base = mode == 0 && base == 5;
    // SAFETY: a displacement of the length that the mode has comes next.
    let displacement = unsafe {
        match mode {
            1 => i64::from(code.take::<i8>()),
            0 if !without_base => 0,
            _ => i64::from(code.take::<i32>()),
        }
    };
    let base = match (without_base, by_sib) {
        (false, _) => general[usize::from(base | b)],
        (true, true) => 0,
        // Relative to the next instruction: none of these has an immediate.
        (true, false) => code.0 as u64,
    };
    Memory { start: base.wrapping_add_signed(displacement), index, by_sib }
}

/// The instruction and the place of the one behind it.
///
/// # Safety
/// A whole instruction stands at `at`.
unsafe fn decode(at: *const u8, general: &[u64; 16]) -> Result<(Instruction, *const u8), &'static str> {
    let mut code = Code(at);
    // The two bytes of the short form of VEX (0xc5) cannot name the opcode map that these instructions are in.
    // SAFETY: an instruction has a byte.
    if unsafe { code.take::<u8>() } != 0xc4 {
        return Err(UNKNOWN);
    }
    // SAFETY: behind this byte come two of VEX, an opcode and, for every opcode of this map, a ModRM.
    let [first, second, opcode, modrm]: [u8; 4] = unsafe { code.take() };
    // Inverted: R, X, B and five bits of the map; W, the four bits of vvvv, L and the prefix.
    let extension = |bit: u8| (!first >> bit & 1) << 3;
    let (r, x, b) = (extension(7), extension(6), extension(5));
    let (map, w, v, l, prefix) = (first & 31, second >> 7, !second >> 3 & 15, second >> 2 & 1, second & 3);
    let (mode, reg, rm) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
    if map != 2 || w != 0 || l != 0 {
        return Err(UNKNOWN);
    }
    const NONE: u8 = 0;
    const P66: u8 = 1;
    const F3: u8 = 2;
    const F2: u8 = 3;
    let tile = |number: u8| {
        if usize::from(number) < TILES { Ok(usize::from(number)) } else { Err("there are eight tiles (#UD)") }
    };
    let instruction = match (opcode, prefix, mode) {
        (0x49, NONE, 3) if reg == 0 && rm == 0 => Instruction::Release,
        (0x49, NONE, 0..3) if reg == 0 => {
            // SAFETY: the mode is one of an operand in memory.
            let Memory { start, index, .. } = unsafe { memory(&mut code, mode, rm, x, b, general) };
            Instruction::Configure { at: start.wrapping_add(index) }
        }
        (0x49, F2, 3) if rm == 0 => Instruction::Zero { tile: tile(reg | r)? },
        (0x4b, F2 | P66 | F3, 0..3) => {
            // SAFETY: as above.
            let Memory { start: at, index: stride, by_sib } =
                unsafe { memory(&mut code, mode, rm, x, b, general) };
            if !by_sib {
                return Err("loads and stores of tiles take a SIB (#UD)");
            }
            let tile = tile(reg | r)?;
            if prefix == F3 {
                Instruction::Store { tile, at, stride }
            } else {
                Instruction::Load { tile, at, stride }
            }
        }
        (0x5c, F3, 3) => Instruction::Multiply { c: tile(reg | r)?, a: tile(rm | b)?, b: tile(v)? },
        _ => return Err(UNKNOWN),
    };
    if v != 0 && opcode != 0x5c {
        return Err("VEX.vvvv is not 1111 (#UD)");
    }
    Ok((instruction, code.0))
}

/// # Safety
/// The memory that the instruction names is the program's.
unsafe fn execute(tiles: &mut [Register; TILES], instruction: &Instruction) -> Result<(), &'static str> {
    match *instruction {
        Instruction::Configure { at } => {
            // SAFETY: the instruction reads 64 bytes.
            *tiles = configured(&unsafe { (at as *const [u8; 64]).read_unaligned() })?;
        }
        Instruction::Release => *tiles = RELEASED,
        Instruction::Zero { tile } => {
            if tiles[tile].rows == 0 {
                return Err(ABSENT);
            }
            tiles[tile].data = [[0; ROW]; ROWS];
        }
        Instruction::Load { tile, at, stride } => {
            check(&tiles[tile])?;
            let Register { rows, row_bytes, data } = &mut tiles[tile];
            *data = [[0; ROW]; ROWS];
            for (row, to) in data[..*rows].iter_mut().enumerate() {
                let from = at.wrapping_add(stride.wrapping_mul(row as u64)) as *const u8;
                // SAFETY: the instruction reads the row, and the tile has at most ROW bytes for it.
                unsafe { from.copy_to_nonoverlapping(to.as_mut_ptr(), *row_bytes) };
            }
        }
        Instruction::Store { tile, at, stride } => {
            check(&tiles[tile])?;
            let Register { rows, row_bytes, data } = &tiles[tile];
            for (row, from) in data[..*rows].iter().enumerate() {
                let to = at.wrapping_add(stride.wrapping_mul(row as u64)) as *mut u8;
                // SAFETY: the instruction writes the row.
                unsafe { from.as_ptr().copy_to_nonoverlapping(to, *row_bytes) };
            }
        }
        Instruction::Multiply { c, a, b } => {
            let Ok([c, a, b]) = tiles.get_disjoint_mut([c, a, b]) else {
                return Err("one tile is used twice (#UD)");
            };
            for tile in [&*c, a, b] {
                check(tile)?;
            }
            if c.rows != a.rows || c.row_bytes != b.row_bytes || a.row_bytes / 4 != b.rows {
                return Err("the sizes of the tiles do not match (#UD)");
            }
            multiply(c, a, b);
        }
    }
    Ok(())
}

const ABSENT: &str = "the tile is not configured (#UD)";

fn check(tile: &Register) -> Result<(), &'static str> {
    match *tile {
        Register { rows: 0, .. } => Err(ABSENT),
        Register { row_bytes, .. } if row_bytes % 4 != 0 => {
            Err("rows of the tile are not of whole elements (#UD)")
        }
        _ => Ok(()),
    }
}

/// The tiles, all zero, that the operand of `ldtilecfg` asks for.
fn configured(memory: &[u8; 64]) -> Result<[Register; TILES], &'static str> {
    let mut tiles = RELEASED;
    match memory[0] {
        0 => return Ok(tiles),
        1 => {}
        _ => return Err("there is no such palette (#GP)"),
    }
    if memory[1] != 0 {
        return Err("a start in the middle of a tile is not emulated");
    }
    if [2..16, 32..48, 56..64].into_iter().any(|bytes| memory[bytes].iter().any(|byte| *byte != 0)) {
        return Err("reserved bytes of the configuration are not zero (#GP)");
    }
    for (index, tile) in tiles.iter_mut().enumerate() {
        tile.rows = usize::from(memory[48 + index]);
        tile.row_bytes = usize::from(u16::from_le_bytes([memory[16 + 2 * index], memory[17 + 2 * index]]));
        if tile.rows > ROWS || tile.row_bytes > ROW {
            return Err("a tile of the configuration is too large (#GP)");
        }
        if (tile.rows == 0) != (tile.row_bytes == 0) {
            return Err("a tile of the configuration has rows or columns alone (#GP)");
        }
    }
    Ok(tiles)
}

/// C [m, n] += A [m, k] · B [k, n], where an element of A and B is two bf16. The products of the first of the two and those
/// of the second are added up apart, with one rounding for each, to the nearest; their sum is added to C. Denormals are
/// zero, as operands and as results.
fn multiply(c: &mut Register, a: &Register, b: &Register) {
    /// Denormals are zero, results too; no exceptions; to the nearest.
    static CONTROL: u32 = 0x9fc0;
    let mut before = 0u32;
    // SAFETY: the mode is as it was when this ends; what runs in between is the one function that counts on the other.
    unsafe {
        asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack, preserves_flags));
        asm!("ldmxcsr [{}]", in(reg) &raw const CONTROL, options(nostack, preserves_flags));
        sums(c, a, b);
        asm!("ldmxcsr [{}]", in(reg) &raw const before, options(nostack, preserves_flags));
    }
}

/// A function by itself: its arithmetic stays between the changes of the mode.
#[inline(never)]
fn sums(c: &mut Register, a: &Register, b: &Register) {
    struct Sums<'a>(&'a mut Register, &'a Register, &'a Register);

    impl Loop for Sums<'_> {
        type Out = ();
        #[inline(always)]
        unsafe fn run<const FMA: bool>(self) {
            let Self(c, a, b) = self;
            let dword = |row: &[u8; ROW], index: usize| {
                u32::from_le_bytes([
                    row[4 * index],
                    row[4 * index + 1],
                    row[4 * index + 2],
                    row[4 * index + 3],
                ])
            };
            let halves = |pair: u32| (f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000));
            for (sum, left) in c.data[..c.rows].iter_mut().zip(&a.data) {
                let (mut even, mut odd) = ([0f32; ROW / 4], [0f32; ROW / 4]);
                for (k, right) in b.data[..b.rows].iter().enumerate() {
                    let (first, second) = halves(dword(left, k));
                    for n in 0..ROW / 4 {
                        let (above, below) = halves(dword(right, n));
                        even[n] = first.mul_add(above, even[n]);
                        odd[n] = second.mul_add(below, odd[n]);
                    }
                }
                for n in 0..c.row_bytes / 4 {
                    let total = f32::from_bits(dword(sum, n)) + (even[n] + odd[n]);
                    sum[4 * n..4 * n + 4].copy_from_slice(&total.to_le_bytes());
                }
            }
        }
    }

    // SAFETY: the set was detected.
    unsafe { vectorised(Isa::detect(), Sums(c, a, b)) };
}
