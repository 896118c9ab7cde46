//! The tests but for those of the decoder are as true of a processor with AMX, and run on it there.

use super::{GENERAL, Instruction, decode, install};
use crate::gemm::micro::amx::{self, TileConfig};
use crate::gemm::tests::Random;
use std::arch::{asm, global_asm};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

// Never executed: what the assembler makes of every form of the operands.
global_asm!(
    ".pushsection .rodata",
    "ift_amx_code:",
    "ldtilecfg [rax]",
    "ldtilecfg [r8]",
    "ldtilecfg [rbp]",
    "ldtilecfg [r13]",
    "ldtilecfg [rsp]",
    "ldtilecfg [r12]",
    "ldtilecfg [rbx - 8]",
    "ldtilecfg [r11 + 0x12345678]",
    "ldtilecfg [rsi + r14*8 + 0x40]",
    "ldtilecfg [r15*4 + 0x1000]",
    "ldtilecfg [rip + 0x100]",
    "tilerelease",
    "tilezero tmm0",
    "tilezero tmm7",
    "tileloadd tmm1, [rax + rcx]",
    "tileloadd tmm6, [r8 + r9]",
    "tileloadd tmm2, [rsp + r12*8]",
    "tileloadd tmm3, [rbp + r15*2]",
    "tileloadd tmm4, [r13 + rbp*4]",
    "tileloadd tmm5, [r12 + r13*1 + 0x7f]",
    "tileloadd tmm7, [r14 + rdi*2 - 0x80]",
    "tileloadd tmm0, [r10 + rsi*8 + 0x80]",
    "tileloadd tmm0, [rdx + rbx*1 - 0x12345678]",
    "tileloadd tmm1, [r11*2 + 0x20]",
    "tileloadd tmm1, [rdi]",
    "tileloadd tmm1, [r13 + 5]",
    "tileloaddt1 tmm2, [rsi + r8*4 + 1]",
    "tilestored [r9 + r10*8 - 1], tmm7",
    "tilestored [rsp + rax + 0x1000], tmm0",
    "tilestored [rbp + r12], tmm5",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tdpbf16ps tmm7, tmm1, tmm0",
    "ift_amx_code_end:",
    ".popsection",
);

unsafe extern "C" {
    #[link_name = "ift_amx_code"]
    static CODE: [u8; 0];
    #[link_name = "ift_amx_code_end"]
    static CODE_END: [u8; 0];
}

#[test]
fn every_form_of_the_operands_is_decoded() {
    use Instruction::{Configure, Load, Multiply, Release, Store, Zero};
    let general: [u64; GENERAL.len()] = std::array::from_fn(|index| 0x1_0000_0000 * (index as u64 + 1));
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = general;
    let expected = [
        Configure { at: rax },
        Configure { at: r8 },
        Configure { at: rbp },
        Configure { at: r13 },
        Configure { at: rsp },
        Configure { at: r12 },
        Configure { at: rbx - 8 },
        Configure { at: r11 + 0x1234_5678 },
        Configure { at: rsi + r14 * 8 + 0x40 },
        Configure { at: r15 * 4 + 0x1000 },
        // From the next instruction, which is added below.
        Configure { at: 0x100 },
        Release,
        Zero { tile: 0 },
        Zero { tile: 7 },
        Load { tile: 1, at: rax, stride: rcx },
        Load { tile: 6, at: r8, stride: r9 },
        Load { tile: 2, at: rsp, stride: r12 * 8 },
        Load { tile: 3, at: rbp, stride: r15 * 2 },
        Load { tile: 4, at: r13, stride: rbp * 4 },
        Load { tile: 5, at: r12 + 0x7f, stride: r13 },
        Load { tile: 7, at: r14 - 0x80, stride: rdi * 2 },
        Load { tile: 0, at: r10 + 0x80, stride: rsi * 8 },
        Load { tile: 0, at: rdx - 0x1234_5678, stride: rbx },
        Load { tile: 1, at: 0x20, stride: r11 * 2 },
        Load { tile: 1, at: rdi, stride: 0 },
        Load { tile: 1, at: r13 + 5, stride: 0 },
        Load { tile: 2, at: rsi + 1, stride: r8 * 4 },
        Store { tile: 7, at: r9 - 1, stride: r10 * 8 },
        Store { tile: 0, at: rsp + 0x1000, stride: rax },
        Store { tile: 5, at: rbp, stride: r12 },
        Multiply { c: 0, a: 4, b: 6 },
        Multiply { c: 3, a: 5, b: 7 },
        Multiply { c: 7, a: 1, b: 0 },
    ];
    let mut at = (&raw const CODE).cast::<u8>();
    for (index, mut expected) in expected.into_iter().enumerate() {
        // SAFETY: the assembler's instructions, one behind the other.
        let (instruction, next) = unsafe { decode(at, &general) }.expect("the assembler's instruction");
        if index == 10 {
            expected = Configure { at: next as u64 + 0x100 };
        }
        assert_eq!(instruction, expected, "instruction {index}");
        at = next;
    }
    assert_eq!(at, (&raw const CODE_END).cast());
}

#[test]
fn what_is_no_such_instruction_is_not_decoded() {
    for code in [
        [0x0f, 0x0b, 0, 0, 0],          // ud2
        [0xc5, 0xf8, 0x77, 0, 0],       // vzeroupper, in the short form
        [0xc4, 0xe2, 0x7b, 0x5e, 0xc1], // tdpbssd
        [0xc4, 0xe2, 0x79, 0x49, 0x00], // sttilecfg
        [0xc4, 0xe1, 0x78, 0x49, 0xc0], // another map
        [0xc4, 0xe2, 0xf8, 0x49, 0xc0], // W
        [0xc4, 0xe2, 0x7c, 0x49, 0xc0], // L
        [0xc4, 0xe2, 0x70, 0x49, 0xc0], // vvvv of an instruction without it
        [0xc4, 0x62, 0x7b, 0x49, 0xc0], // tilezero tmm8
        [0xc4, 0xc2, 0x4a, 0x5c, 0xc4], // tdpbf16ps tmm0, tmm12, tmm6
        [0xc4, 0xe2, 0x0a, 0x5c, 0xc4], // tdpbf16ps tmm0, tmm4, tmm14
        [0xc4, 0xe2, 0x7b, 0x4b, 0x00], // tileloadd tmm0, [rax] without SIB
    ] {
        // SAFETY: a decoder that goes beyond the fifth byte has taken this for an instruction, which is what must not be.
        assert!(unsafe { decode(code.as_ptr(), &[0; 16]) }.is_err(), "{code:02x?}");
    }
}

/// Rows and bytes of the rows of each tile.
fn configuration(sizes: [(u8, u16); 8]) -> TileConfig {
    let mut config =
        TileConfig { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    for (tile, (rows, row_bytes)) in sizes.into_iter().enumerate() {
        config.rows[tile] = rows;
        config.row_bytes[tile] = row_bytes;
    }
    config
}

/// # Safety
/// The instructions of AMX work here.
unsafe fn configure(config: &TileConfig) {
    // SAFETY: the instruction reads the configuration.
    unsafe { asm!("ldtilecfg [{}]", in(reg) config, options(nostack, readonly)) };
}

const NO: (u8, u16) = (0, 0);

#[test]
fn tiles_have_the_size_that_is_configured() {
    install();
    let memory: Vec<u8> = (0..4096usize).map(|i| (i % 251) as u8 + 1).collect();
    let mut part = vec![0xffu8; 4096];
    let mut whole = vec![0xffu8; 1024];
    // SAFETY: the instructions were installed, and go over the parts of the buffers that are looked at below.
    unsafe {
        configure(&configuration([NO, NO, NO, (5, 24), NO, NO, NO, NO]));
        asm!(
            "tileloadd tmm3, [r12 + r15*4 + 100]",
            "tilestored [r13 + r14*2 - 64], tmm3",
            in("r12") memory.as_ptr(), in("r15") 9usize, in("r13") part.as_mut_ptr().add(64), in("r14") 50usize,
            options(nostack),
        );
        amx::release();
        for row in 0..5 {
            assert_eq!(part[100 * row..100 * row + 24], memory[100 + 36 * row..124 + 36 * row]);
            assert!(part[100 * row + 24..100 * (row + 1)].iter().all(|byte| *byte == 0xff));
        }
        assert!(part[500..].iter().all(|byte| *byte == 0xff));

        // A new configuration starts from zeros, and tilezero goes back to them.
        let full = configuration([(16, 64); 8]);
        for zero in [false, true] {
            configure(&full);
            if zero {
                amx::load::<0>(memory.as_ptr(), 64);
                amx::zero::<0>();
            }
            amx::store::<0>(whole.as_mut_ptr(), 64);
            amx::release();
            assert!(whole.iter().all(|byte| *byte == 0), "{zero}");
            whole.fill(0xff);
        }
    }
}

/// C + A · B by the instruction, for A [m, 2k] and B [2k, n] in bf16; an element of either is a pair.
fn product(c: &[f32], a: &[u32], b: &[u32], (m, n, k): (usize, usize, usize)) -> Vec<f32> {
    install();
    let mut c = c.to_vec();
    let size = |rows: usize, columns: usize| (rows as u8, 4 * columns as u16);
    // SAFETY: the instructions were installed; the matrices have the sizes that are configured.
    unsafe {
        configure(&configuration([NO, NO, size(m, n), NO, size(m, k), NO, NO, size(k, n)]));
        asm!(
            "tileloadd tmm2, [{c} + {n}*4]",
            "tileloadd tmm4, [{a} + {k}*4]",
            "tileloadd tmm7, [{b} + {n}*4]",
            "tdpbf16ps tmm2, tmm4, tmm7",
            "tilestored [{c} + {n}*4], tmm2",
            c = in(reg) c.as_mut_ptr(), a = in(reg) a.as_ptr(), b = in(reg) b.as_ptr(), n = in(reg) n, k = in(reg) k,
            options(nostack),
        );
        amx::release();
    }
    c
}

fn pair(even: f32, odd: f32) -> u32 {
    assert!(even.to_bits() << 16 == 0 && odd.to_bits() << 16 == 0, "not in bf16");
    odd.to_bits() | even.to_bits() >> 16
}

#[test]
fn a_product_is_rounded_as_the_reference_says() {
    let one = |c: f32, a: &[u32], b: &[u32]| product(&[c], a, b, (1, 1, a.len()))[0];
    let two = |power: i32| 2f32.powi(power);
    // Which half belongs to which.
    assert_eq!(one(0.5, &[pair(3.0, 5.0)], &[pair(7.0, 11.0)]), 76.5);
    // Two sums of two, each exact; one sum in order would lose the last.
    let (a, b) = ([pair(two(24), 1.0), pair(-two(24), 1.0)], [pair(1.0, 1.0); 2]);
    assert_eq!(one(0.0, &a, &b), 2.0);
    // They are added to each other before they are to C.
    assert_eq!(one(-two(24), &[pair(two(24), 1.0)], &[pair(1.0, 1.0)]), 0.0);
    // The product is not rounded by itself; half of a last place goes to even.
    let (x, y) = (1.0 + two(-7), 1.0 - two(-8));
    assert_eq!(one(0.0, &[pair(x, 0.0), pair(-1.0, 0.0)], &[pair(y, 0.0), pair(1.0, 0.0)]), x * y - 1.0);
    assert_eq!(one(0.0, &[pair(two(24), 0.0), pair(1.0, 0.0)], &[pair(1.0, 0.0); 2]), two(24));
    assert_eq!(one(0.0, &[pair(two(24) + two(17), 0.0), pair(3.0, 0.0)], &[pair(1.0, 0.0); 2]), 16_908_292.0);
    // Denormals: of C, of A, of a product, and of a difference.
    assert_eq!(one(two(-127), &[pair(0.0, 0.0)], &[pair(1.0, 1.0)]), 0.0);
    assert_eq!(one(1.0, &[pair(two(-127), 0.0)], &[pair(two(126), 0.0)]), 1.0);
    assert_eq!(one(0.0, &[pair(two(-100), 0.0)], &[pair(two(-30), 0.0)]), 0.0);
    assert_eq!(one(-two(-126), &[pair(1.5 * two(-100), 0.0)], &[pair(two(-26), 0.0)]), -0.0);
    assert_eq!(one(0.0, &[pair(two(-100), 0.0)], &[pair(two(-26), 0.0)]), two(-126));
}

/// The bits are the emulator's. Values are over many powers of two, and normal.
#[test]
fn products_of_every_size_have_the_same_bits_everywhere() {
    let mut random = Random(16);
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for case in 0..300 {
        let mut below = |end: i32| ((random.next() + 1.0) / 2.0 * end as f32) as i32;
        let mut size = || 1 + below(16) as usize;
        let (m, n, k) = if case < 20 { (16, 16, 16) } else { (size(), size(), size()) };
        let mut value = || {
            let whole = f64::from(below(1 << 24) - (1 << 23));
            (whole * 2f64.powi(below(13) - 29)) as f32
        };
        let mut pairs = |count| -> Vec<u32> {
            (0..count).map(|_| value().to_bits() >> 16 | value().to_bits() & 0xffff_0000).collect()
        };
        let (a, b) = (pairs(m * k), pairs(k * n));
        let c: Vec<f32> = (0..m * n).map(|_| value()).collect();
        for value in product(&c, &a, &b, (m, n, k)) {
            hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!(hash, 0x38a0_3a66_4e2c_6093, "{hash:#x}");
}

#[test]
fn threads_have_tiles_of_their_own() {
    install();
    let sums: Vec<f32> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..5)
            .map(|thread| {
                scope.spawn(move || {
                    let x = [pair(thread as f32, 1.0); 256];
                    (0..200).map(|_| product(&[0.0; 256], &x, &x, (16, 16, 16))[17]).sum()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(sums, [6400.0, 16_000.0, 32_000.0, 54_400.0]);
}

/// The emulator's words for what must not go through.
const MISUSES: [&str; 14] = [
    "tilezero at",
    "the tile is not configured (#UD)",
    "there is no such palette (#GP)",
    "reserved bytes of the configuration are not zero (#GP)",
    "rows or columns alone (#GP)",
    "rows or columns alone (#GP)",
    "too large (#GP)",
    "too large (#GP)",
    "not of whole elements (#UD)",
    "one tile is used twice (#UD)",
    "do not match (#UD)",
    "do not match (#UD)",
    "do not match (#UD)",
    "an instruction at",
];

/// Does what [`MISUSES`] has words for.
///
/// # Safety
/// Nobody counts on this process.
unsafe fn misuse(case: usize) {
    let full = || configuration([(16, 64); 8]);
    // SAFETY: every one of them ends the process, and touches no memory but its own before.
    unsafe {
        match case {
            0 => amx::zero::<0>(),
            1 => amx::load::<0>([0u8; 64].as_ptr(), 0),
            2 => configure(&TileConfig { palette: 2, ..full() }),
            3 => configure(&TileConfig { reserved: [1; 14], ..full() }),
            4 => configure(&configuration([(0, 64); 8])),
            5 => configure(&configuration([(16, 0); 8])),
            6 => configure(&configuration([(17, 64); 8])),
            7 => configure(&configuration([(16, 68); 8])),
            8 => {
                configure(&configuration([(1, 6); 8]));
                amx::store::<0>([0u8; 64].as_mut_ptr(), 0);
            }
            9 => multiply(16, 64, 16, 64, 16, 64, true),
            10 => multiply(16, 64, 8, 64, 16, 64, false),
            11 => multiply(16, 64, 16, 64, 16, 32, false),
            12 => multiply(16, 64, 16, 32, 16, 64, false),
            _ => asm!("ud2"),
        }
    }
}

/// The product of tiles of these rows and bytes a row: of C, A and B.
///
/// # Safety
/// The instructions of AMX work here.
unsafe fn multiply(m: u8, n: u16, m_of_a: u8, k: u16, k_of_b: u8, n_of_b: u16, twice: bool) {
    // SAFETY: the instructions touch nothing but tiles.
    unsafe {
        configure(&configuration([(m, n), (m_of_a, k), (k_of_b, n_of_b), NO, NO, NO, NO, NO]));
        if twice {
            // tdpbf16ps tmm0, tmm1, tmm1, which the assembler refuses.
            asm!(".byte 0xc4, 0xe2, 0x72, 0x5c, 0xc1", options(nostack, nomem));
        } else {
            amx::multiply::<0, 1, 2>();
        }
    }
}

#[test]
fn a_misuse_ends_the_process() {
    const CASE: &str = "IFT_AMX_MISUSE";
    let emulated = install();
    if let Ok(case) = std::env::var(CASE) {
        // SAFETY: the process was started for this.
        unsafe { misuse(case.parse().unwrap()) };
        return;
    }
    // Without the name of the crate. A thread's name would be another where tests run one at a time.
    let (_, path) = module_path!().split_once("::").expect("a module of a crate");
    let name = format!("{path}::a_misuse_ends_the_process");
    for (case, words) in MISUSES.iter().enumerate() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture", "--test-threads=1"])
            .env(CASE, case.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr);
        let signal = child.status.signal();
        if emulated {
            assert!(signal == Some(libc::SIGABRT) && said.contains(words), "{words}: {signal:?} {said}");
        } else {
            assert!(matches!(signal, Some(libc::SIGILL | libc::SIGSEGV)), "{words}: {signal:?} {said}");
        }
    }
}
