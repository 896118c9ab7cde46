//! bf16 with AMX: 32 x 32 of C in four tiles, `tdpbf16ps` adds 16 x 16 x 32 products.
//!
//! The compiler has no stable AMX intrinsics, so each instruction is an `asm!` of its own; it never uses tile registers
//! itself, so they keep their contents from one to the next. The order of loads and products is written once, over
//! [`TileUnit`], and the tests run it on a model of the tiles.

use super::{Micro, Terms, Tile};
use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// Eight registers of 16 rows of 64 bytes.
trait TileUnit {
    unsafe fn configure();
    unsafe fn release();
    unsafe fn zero<const TILE: u8>();
    unsafe fn load<const TILE: u8>(at: *const u8, stride: usize);
    unsafe fn store<const TILE: u8>(at: *mut u8, stride: usize);
    /// C += A · B.
    unsafe fn multiply<const C: u8, const A: u8, const B: u8>();
}

struct Hardware;

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

impl TileUnit for Hardware {
    #[inline(always)]
    unsafe fn configure() {
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, preserves_flags, readonly))
        };
    }
    #[inline(always)]
    unsafe fn release() {
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
    }
    #[inline(always)]
    unsafe fn zero<const TILE: u8>() {
        unsafe { asm!("tilezero tmm{t}", t = const TILE, options(nostack, preserves_flags, nomem)) };
    }
    #[inline(always)]
    unsafe fn load<const TILE: u8>(at: *const u8, stride: usize) {
        unsafe {
            asm!(
                "tileloadd tmm{t}, [{at} + {stride}*1]",
                t = const TILE, at = in(reg) at, stride = in(reg) stride,
                options(nostack, preserves_flags, readonly),
            );
        }
    }
    #[inline(always)]
    unsafe fn store<const TILE: u8>(at: *mut u8, stride: usize) {
        unsafe {
            asm!(
                "tilestored [{at} + {stride}*1], tmm{t}",
                t = const TILE, at = in(reg) at, stride = in(reg) stride,
                options(nostack, preserves_flags),
            );
        }
    }
    #[inline(always)]
    unsafe fn multiply<const C: u8, const A: u8, const B: u8>() {
        unsafe {
            asm!(
                "tdpbf16ps tmm{c}, tmm{a}, tmm{b}",
                c = const C, a = const A, b = const B,
                options(nostack, preserves_flags, nomem),
            );
        }
    }
}

/// Rows and columns of a tile of C; k of a step is 16 pairs.
const SIDE: usize = 16;

/// C tiles 0 to 3, A tiles 4 and 5, B tiles 6 and 7.
unsafe fn tile<U: TileUnit, const TALL: bool, const WIDE: bool>(
    terms: &[Terms],
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
) {
    // SAFETY: the caller holds whole tiles of A, B and C; k is a multiple of 16.
    unsafe {
        let c = c.cast::<u8>();
        let c_stride = ldc * 4;
        let lower = SIDE * c_stride;
        if accumulate {
            U::load::<0>(c, c_stride);
            if WIDE {
                U::load::<1>(c.add(64), c_stride);
            }
            if TALL {
                U::load::<2>(c.add(lower), c_stride);
            }
            if TALL && WIDE {
                U::load::<3>(c.add(lower + 64), c_stride);
            }
        } else {
            U::zero::<0>();
            U::zero::<1>();
            U::zero::<2>();
            U::zero::<3>();
        }
        let b_stride = if WIDE { 128 } else { 64 };
        for (step, term) in terms.iter().flat_map(|term| (0..term.k / SIDE).map(move |step| (step, term))) {
            let a = term.a.add(step * 64);
            let b = term.b.add(step * SIDE * b_stride);
            U::load::<4>(a, term.stride);
            U::load::<6>(b, b_stride);
            U::multiply::<0, 4, 6>();
            if WIDE {
                U::load::<7>(b.add(64), b_stride);
                U::multiply::<1, 4, 7>();
            }
            if TALL {
                U::load::<5>(a.add(SIDE * term.stride), term.stride);
                U::multiply::<2, 5, 6>();
            }
            if TALL && WIDE {
                U::multiply::<3, 5, 7>();
            }
        }
        U::store::<0>(c, c_stride);
        if WIDE {
            U::store::<1>(c.add(64), c_stride);
        }
        if TALL {
            U::store::<2>(c.add(lower), c_stride);
        }
        if TALL && WIDE {
            U::store::<3>(c.add(lower + 64), c_stride);
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

static WIDE: [Tile; 2 * SIDE] = by_rows(tile::<Hardware, false, true>, tile::<Hardware, true, true>);
static NARROW: [Tile; 2 * SIDE] = by_rows(tile::<Hardware, false, false>, tile::<Hardware, true, false>);

pub static MICRO: Micro = Micro {
    pair: true,
    mr: 2 * SIDE,
    nr: 2 * SIDE,
    lane: SIDE,
    k_step: 32,
    whole_rows: true,
    enter: Some(Hardware::configure),
    leave: Some(Hardware::release),
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
    #[target_feature(enable = "xsave")]
    unsafe fn xcr0() -> u64 {
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

#[cfg(test)]
pub mod model {
    //! The tiles in plain Rust, after the pseudo-code of the instruction set reference.

    use super::{Micro, SIDE, Tile, TileUnit, by_rows, tile};
    use std::cell::RefCell;

    type Register = [[u8; 64]; 16];

    thread_local! {
        static TILES: RefCell<Option<[Register; 8]>> = const { RefCell::new(None) };
    }

    pub struct Model;

    fn with<R>(body: impl FnOnce(&mut [Register; 8]) -> R) -> R {
        TILES.with_borrow_mut(|tiles| {
            body(tiles.as_mut().expect("tiles are used after ldtilecfg and before tilerelease"))
        })
    }

    fn bf16(row: &[u8; 64], index: usize) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes([row[2 * index], row[2 * index + 1]])) << 16)
    }

    impl TileUnit for Model {
        unsafe fn configure() {
            TILES.set(Some([[[0; 64]; 16]; 8]));
        }
        unsafe fn release() {
            TILES.set(None);
        }
        unsafe fn zero<const TILE: u8>() {
            with(|tiles| tiles[usize::from(TILE)] = [[0; 64]; 16]);
        }
        unsafe fn load<const TILE: u8>(at: *const u8, stride: usize) {
            with(|tiles| {
                for (row, bytes) in tiles[usize::from(TILE)].iter_mut().enumerate() {
                    *bytes = unsafe { at.add(row * stride).cast::<[u8; 64]>().read_unaligned() };
                }
            });
        }
        unsafe fn store<const TILE: u8>(at: *mut u8, stride: usize) {
            with(|tiles| {
                for (row, bytes) in tiles[usize::from(TILE)].iter().enumerate() {
                    unsafe { at.add(row * stride).cast::<[u8; 64]>().write_unaligned(*bytes) };
                }
            });
        }
        unsafe fn multiply<const C: u8, const A: u8, const B: u8>() {
            with(|tiles| {
                let (a, b) = (tiles[usize::from(A)], tiles[usize::from(B)]);
                for (m, row) in tiles[usize::from(C)].iter_mut().enumerate() {
                    for n in 0..16 {
                        let at = 4 * n..4 * n + 4;
                        let mut sum = f32::from_le_bytes(row[at.clone()].try_into().expect("four bytes"));
                        for (k, pairs) in b.iter().enumerate() {
                            sum += bf16(&a[m], 2 * k) * bf16(pairs, 2 * n);
                            sum += bf16(&a[m], 2 * k + 1) * bf16(pairs, 2 * n + 1);
                        }
                        row[at].copy_from_slice(&sum.to_le_bytes());
                    }
                }
            });
        }
    }

    static WIDE: [Tile; 2 * SIDE] = by_rows(tile::<Model, false, true>, tile::<Model, true, true>);
    static NARROW: [Tile; 2 * SIDE] = by_rows(tile::<Model, false, false>, tile::<Model, true, false>);

    /// AMX as [`super::MICRO`] drives it, without AMX.
    pub static MICRO: Micro = Micro {
        enter: Some(Model::configure),
        leave: Some(Model::release),
        wide: &WIDE,
        narrow: &NARROW,
        pair: true,
        mr: 2 * SIDE,
        nr: 2 * SIDE,
        lane: SIDE,
        k_step: 32,
        whole_rows: true,
    };
}
