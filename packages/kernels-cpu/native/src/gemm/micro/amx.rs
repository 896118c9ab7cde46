//! bf16 with AMX: 32 x 32 of C in four tiles, `tdpbf16ps` adds 16 x 16 x 32 products.
//!
//! The compiler has no stable AMX intrinsics, so each instruction is an `asm!` of its own; it never uses tile registers
//! itself, so they keep their contents from one to the next. Where the processor has no AMX, tests run them on
//! `emulator`.

#[cfg(all(test, target_os = "linux"))]
pub mod emulator;

use super::{Micro, Terms, Tile};
use crate::gemm::ahead::Ahead;
use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// The operand of `ldtilecfg`.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIG: TileConfig = TileConfig {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// The eight tiles at their full size.
///
/// # Safety
/// The processor has AMX, and the system lets this process use it.
#[inline(always)]
unsafe fn configure() {
    // SAFETY: reads a constant, and makes the tiles zeros.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, preserves_flags, readonly)) };
}

/// Gives the tiles up.
///
/// # Safety
/// As for [`configure`].
#[inline(always)]
unsafe fn release() {
    // SAFETY: touches nothing but tiles, which the compiler does not use.
    unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
}

/// Makes a tile zeros.
///
/// # Safety
/// The tiles are configured.
#[inline(always)]
unsafe fn zero<const TILE: u8>() {
    // SAFETY: touches nothing but the tile.
    unsafe { asm!("tilezero tmm{t}", t = const TILE, options(nostack, preserves_flags, nomem)) };
}

/// A tile from 16 rows of 64 bytes.
///
/// # Safety
/// The tiles are configured, and the rows are there.
#[inline(always)]
unsafe fn load<const TILE: u8>(at: *const u8, stride: usize) {
    // SAFETY: the caller's rows.
    unsafe {
        asm!(
            "tileloadd tmm{t}, [{at} + {stride}*1]",
            t = const TILE, at = in(reg) at, stride = in(reg) stride,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// A tile to 16 rows of 64 bytes.
///
/// # Safety
/// The tiles are configured, and there is room for the rows.
#[inline(always)]
unsafe fn store<const TILE: u8>(at: *mut u8, stride: usize) {
    // SAFETY: the caller's room.
    unsafe {
        asm!(
            "tilestored [{at} + {stride}*1], tmm{t}",
            t = const TILE, at = in(reg) at, stride = in(reg) stride,
            options(nostack, preserves_flags),
        );
    }
}

/// C += A · B.
///
/// # Safety
/// The tiles are configured.
#[inline(always)]
unsafe fn multiply<const C: u8, const A: u8, const B: u8>() {
    // SAFETY: touches nothing but the tiles.
    unsafe {
        asm!(
            "tdpbf16ps tmm{c}, tmm{a}, tmm{b}",
            c = const C, a = const A, b = const B,
            options(nostack, preserves_flags, nomem),
        );
    }
}

/// Rows and columns of a tile of C; k of a step is 16 pairs.
const SIDE: usize = 16;
/// The 32 rows of A, a panel of B and their part of C take 44 of the 48 KiB of a first-level cache, so that the rows stay
/// there for the next panel. A step loads 4 KiB in the 64 cycles of its products, and the second-level cache gives 48
/// bytes a cycle at best (Intel's Optimization Reference Manual, chapters 2 and 20): one operand may come from there, not
/// both.
const DEPTH: usize = 320;

/// Cache lines that are asked for in a step.
const LINES: usize = 8;

/// C tiles 0 to 3, A tiles 4 and 5, B tiles 6 and 7.
///
/// # Safety
/// As for [`super::Tile`], for 32 rows where it is tall and 16 where it is not; the thread is in a session.
unsafe fn tile<const TALL: bool, const WIDE: bool>(
    terms: &[Terms],
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
    ahead: &mut Ahead,
) {
    // SAFETY: the caller holds whole tiles of A, B and C; k is a multiple of 16.
    unsafe {
        let c = c.cast::<u8>();
        let c_stride = ldc * 4;
        let lower = SIDE * c_stride;
        if accumulate {
            load::<0>(c, c_stride);
            if WIDE {
                load::<1>(c.add(64), c_stride);
            }
            if TALL {
                load::<2>(c.add(lower), c_stride);
            }
            if TALL && WIDE {
                load::<3>(c.add(lower + 64), c_stride);
            }
        } else {
            zero::<0>();
            zero::<1>();
            zero::<2>();
            zero::<3>();
        }
        let b_stride = if WIDE { 128 } else { 64 };
        for (step, term) in terms.iter().flat_map(|term| (0..term.k / SIDE).map(move |step| (step, term))) {
            let a = term.a.add(step * 64);
            let b = term.b.add(step * SIDE * b_stride);
            load::<4>(a, term.stride);
            load::<6>(b, b_stride);
            multiply::<0, 4, 6>();
            if WIDE {
                load::<7>(b.add(64), b_stride);
                multiply::<1, 4, 7>();
            }
            if TALL {
                load::<5>(a.add(SIDE * term.stride), term.stride);
                multiply::<2, 5, 6>();
            }
            if TALL && WIDE {
                multiply::<3, 5, 7>();
            }
            for _ in 0..LINES {
                ahead.ask();
            }
        }
        store::<0>(c, c_stride);
        if WIDE {
            store::<1>(c.add(64), c_stride);
        }
        if TALL {
            store::<2>(c.add(lower), c_stride);
        }
        if TALL && WIDE {
            store::<3>(c.add(lower + 64), c_stride);
        }
    }
}

const fn by_rows(short: Tile, tall: Tile) -> [Tile; 2 * SIDE] {
    let mut tiles = [tall; 2 * SIDE];
    let mut rows = 0;
    while rows < SIDE {
        tiles[rows] = short;
        rows += 1;
    }
    tiles
}

static WIDE: [Tile; 2 * SIDE] = by_rows(tile::<false, true>, tile::<true, true>);
static NARROW: [Tile; 2 * SIDE] = by_rows(tile::<false, false>, tile::<true, false>);

pub static MICRO: Micro = Micro {
    pair: true,
    mr: 2 * SIDE,
    nr: 2 * SIDE,
    lane: SIDE,
    depth: DEPTH,
    k_step: 32,
    whole_rows: true,
    enter: Some(configure),
    leave: Some(release),
    wide: &WIDE,
    narrow: &NARROW,
};

/// Whether the processor has AMX bf16 and the system lets this process use tiles; asks it for the permission.
pub fn permitted() -> bool {
    let leaf1 = __cpuid(1);
    if __cpuid(0).eax < 7 || leaf1.ecx & (1 << 27) == 0 {
        return false;
    }
    let leaf7 = __cpuid_count(7, 0);
    let (bf16, tile) = (1 << 22, 1 << 24);
    if leaf7.edx & bf16 == 0 || leaf7.edx & tile == 0 {
        return false;
    }
    /// # Safety
    /// The processor has the instruction and the system has enabled it.
    #[target_feature(enable = "xsave")]
    fn xcr0() -> u64 {
        // SAFETY: register 0 is there wherever the instruction is.
        unsafe { _xgetbv(0) }
    }
    // SAFETY: OSXSAVE (bit 27) is set.
    let enabled = unsafe { xcr0() };
    enabled >> 17 & 3 == 3 && request_tile_data()
}

/// Linux hands out the 8 kB of tile state only on request (5.16 and later).
#[cfg(target_os = "linux")]
fn request_tile_data() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: a system call without pointers.
    unsafe {
        asm!(
            "syscall",
            inout("rax") result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn request_tile_data() -> bool {
    false
}
