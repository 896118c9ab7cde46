//! Matrix products, each by the way that suits its shape: blocks that fit the caches (`blocked`), dot products, and those
//! with a narrow side. A result has the same bits on any number of threads; where a row must have the same bits in any company,
//! products go through `invariant` instead.

pub mod ahead;
mod blocked;
pub(crate) mod dot;
#[cfg(target_arch = "x86_64")]
mod few;
pub mod invariant;
pub mod micro;
pub mod operand;
pub mod pack;
pub mod store;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(target_arch = "x86_64")]
mod thin;
#[cfg(target_arch = "x86_64")]
pub(crate) mod transpose;
#[cfg(target_arch = "x86_64")]
mod turned;

use crate::dtype::FloatDType;
use crate::element::Element;
#[cfg(target_arch = "x86_64")]
use crate::element::f32_to_bf16;
use crate::isa::Isa;
use crate::pool::{Pool, scratch};
use crate::with_element;
use blocked::Product;
use micro::{MOST_FACTORS, Micro};
use operand::Operand;
use store::Output;

/// y [m, n] = alpha · op(a) · op(b) + beta · y (+ bias [n] on every row), row-major.
/// a is [m, k] ([k, m] when `trans_a`), b is [k, n] ([n, k] when `trans_b`); beta is 1 when `accumulate`, else 0.
#[derive(Clone, Copy, Debug)]
pub struct GemmParams {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub trans_a: bool,
    pub trans_b: bool,
    pub alpha: f32,
    pub accumulate: bool,
    /// Of a, b and bias.
    pub dtype: FloatDType,
    /// Of y.
    pub out_dtype: FloatDType,
}

/// A second product of the same rows and columns, added to the first before the sum is rounded:
/// alpha · op(a) · op(b) with a [m, k] and b [k, n] stored as the first's.
#[derive(Clone, Copy, Debug)]
pub struct Plus {
    pub a: *const u8,
    pub b: *const u8,
    pub k: usize,
    pub alpha: f32,
}

/// From this k on a second product of few k goes along with the first.
const SHALLOW: usize = 64;

/// With at most this many rows on one side a product is a set of dot products: packing would cost as much as the rest.
const DOT_ROWS: usize = 16;
/// ... but for short sums, where adding up the lanes would.
const DOT_DEPTH: usize = 256;

/// The strongest instruction set that works here, and a note for the device's description where AMX is announced and
/// does not work.
pub fn choose() -> (Isa, Option<&'static str>) {
    let best = Isa::detect();
    #[cfg(target_arch = "x86_64")]
    if best == Isa::Avx512Bf16 && micro::amx::permitted() {
        return if self_test(Isa::Amx) {
            (Isa::Amx, None)
        } else {
            (best, Some("AMX is not used: its self-test gave wrong products"))
        };
    }
    (best, None)
}

/// Every set that works here, weakest first; in tests AMX too where its instructions can be emulated.
pub fn supported() -> Vec<Isa> {
    #[cfg(not(all(test, target_arch = "x86_64", target_os = "linux")))]
    let best = choose().0;
    #[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
    let best = match Isa::detect() {
        Isa::Avx512Bf16 => {
            micro::amx::emulator::install();
            Isa::Amx
        }
        best => best,
    };
    Isa::ALL.into_iter().filter(|isa| *isa <= best).collect()
}

/// Whether bf16 products on `isa` equal those in portable f32, over every shape of tile.
#[cfg(target_arch = "x86_64")]
fn self_test(isa: Isa) -> bool {
    let pool = Pool::new(1);
    [(70, 80, 1000, false, true), (17, 33, 50, true, false), (9, 8, 32, false, false)].into_iter().all(
        |(m, n, k, trans_a, trans_b)| {
            // Small whole numbers: products and their sums are exact in any order.
            let whole = |count, step: usize| -> Vec<u16> {
                (0..count).map(|i| f32_to_bf16((i * step % 17) as f32 - 8.0)).collect()
            };
            let (a, b) = (whole(m * k, 7), whole(k * n, 11));
            let p = GemmParams {
                m,
                n,
                k,
                trans_a,
                trans_b,
                alpha: 1.0,
                accumulate: false,
                dtype: FloatDType::Bf16,
                out_dtype: FloatDType::F32,
            };
            let product = |isa| {
                let mut y = vec![0f32; m * n];
                let (y_at, a, b) = (y.as_mut_ptr().cast(), a.as_ptr().cast(), b.as_ptr().cast());
                // SAFETY: operands of these sizes; the set was detected.
                unsafe { gemm(&pool, isa, y_at, a, b, std::ptr::null(), &p) };
                y
            };
            product(isa) == product(Isa::Portable)
        },
    )
}

/// # Safety
/// `y`, `a`, `b` and `bias` (null for none) hold the elements that `p` names; y overlaps no input; the processor has `isa`.
pub unsafe fn gemm(
    pool: &Pool,
    isa: Isa,
    y: *mut u8,
    a: *const u8,
    b: *const u8,
    bias: *const u8,
    p: &GemmParams,
) {
    #[cfg(target_arch = "x86_64")]
    if thin::takes(isa, p, bias) {
        // SAFETY: the caller's operands, which `takes` has looked at.
        return unsafe { thin::multiply(pool, isa, y, a, b, p) };
    }
    // SAFETY: the caller's operands; the micro-kernel is of the instruction set.
    unsafe { multiply(pool, isa, Micro::of(isa, p.dtype), y, a, b, bias, p, None) };
}

/// [`gemm`] with a second product of few k, which goes along as further depth of the first where that is exact.
///
/// # Safety
/// As for [`gemm`]; the operands of `plus` hold the elements that it names.
#[expect(clippy::too_many_arguments, reason = "gemm's, and the second product")]
pub unsafe fn gemm_plus(
    pool: &Pool,
    isa: Isa,
    y: *mut u8,
    a: *const u8,
    b: *const u8,
    bias: *const u8,
    p: &GemmParams,
    plus: &Plus,
) {
    let micro = Micro::of(isa, p.dtype);
    let factor = plus.alpha / p.alpha;
    // Times a power of two no value is rounded: b can take the factor.
    let exact = factor.is_normal() && factor.to_bits() & 0x007f_ffff == 0;
    #[cfg(target_arch = "x86_64")]
    let few = few::takes(isa, p.dtype, p.m.min(p.n));
    #[cfg(not(target_arch = "x86_64"))]
    let few = false;
    let deep = p.k > SHALLOW && p.m > DOT_ROWS && p.n > DOT_ROWS && !p.trans_a && !few;
    let fits = plus.k > 0 && plus.k <= micro.depth;
    if !(exact && deep && fits) {
        let rest = GemmParams { k: plus.k, alpha: plus.alpha, accumulate: true, ..*p };
        // SAFETY: the caller's operands.
        unsafe {
            gemm(pool, isa, y, a, b, bias, p);
            gemm(pool, isa, y, plus.a, plus.b, std::ptr::null(), &rest);
        }
        return;
    }
    let mut scaled = scratch::<u8>(p.n * plus.k * p.dtype.size());
    // SAFETY: b of the second product, and room for as many elements.
    with_element!(p.dtype, T => unsafe {
        let (to, from) = (scaled.as_mut_ptr().cast::<T>(), plus.b.cast::<T>());
        for i in 0..p.n * plus.k {
            *to.add(i) = T::store(factor * from.add(i).read_unaligned().load());
        }
    });
    let plus = Plus { b: scaled.as_ptr(), ..*plus };
    // SAFETY: the caller's operands, and b times the factor.
    unsafe { multiply(pool, isa, micro, y, a, b, bias, p, Some(&plus)) };
}

/// # Safety
/// As for [`gemm_plus`]; the processor has the instructions of `micro`.
#[expect(
    clippy::too_many_arguments,
    reason = "gemm's, the micro-kernel that tests force, and the second product"
)]
unsafe fn multiply(
    pool: &Pool,
    isa: Isa,
    micro: &Micro,
    y: *mut u8,
    a: *const u8,
    b: *const u8,
    bias: *const u8,
    p: &GemmParams,
    plus: Option<&Plus>,
) {
    let &GemmParams { m, n, k, dtype, .. } = p;
    if m == 0 || n == 0 {
        return;
    }
    let mut left = Operand { at: a, ld: if p.trans_a { m } else { k }, transposed: p.trans_a, dtype };
    let mut right = Operand { at: b, ld: if p.trans_b { k } else { n }, transposed: !p.trans_b, dtype };
    let mut out = Output {
        at: y,
        ld: n,
        transposed: false,
        dtype: p.out_dtype,
        alpha: p.alpha,
        add: p.accumulate,
        bias,
        bias_dtype: dtype,
    };
    let (mut rows, mut cols) = (m, n);
    // The narrow b of an adapter's gradient.
    let narrow = !p.trans_a && !p.trans_b && n <= DOT_ROWS && m > n;
    #[cfg(target_arch = "x86_64")]
    if !left.transposed && (!right.transposed || narrow) && plus.is_none() && few::takes(isa, dtype, m.min(n))
    {
        let (small, large) = if m <= n { ((left, m), (right, n)) } else { ((right, n), (left, m)) };
        // SAFETY: the caller's operands.
        return unsafe { few::multiply(pool, isa, small, large, k, &out, m <= n, false) };
    }
    // For dot products it is turned, at the price of a few of its rows.
    let narrow = narrow && k >= DOT_DEPTH;
    let mut turned = scratch::<u8>(if narrow { n * k * dtype.size() } else { 0 });
    if narrow {
        // SAFETY: b [k, n], and room for as many elements.
        with_element!(dtype, T => unsafe { turn(turned.as_mut_ptr().cast::<T>(), b.cast::<T>(), k, n) });
        right = Operand { at: turned.as_ptr(), ld: k, transposed: false, dtype };
    }
    if !left.transposed && !right.transposed && (m <= DOT_ROWS || n <= DOT_ROWS && k >= DOT_DEPTH) {
        // SAFETY: the caller's operands.
        return unsafe { dots(pool, isa, left, right, &out, (m, n, k)) };
    }
    // A transposed a packs well as B. With few columns y^T = op(b)^T · op(a)^T also fills the micro-kernel better.
    if p.trans_a && n <= micro.nr && m > n {
        (left, right) = (right, left);
        (rows, cols) = (cols, rows);
        out.transposed = true;
    }
    let own = Product { left, right, k };
    let mut products = [own; MOST_FACTORS];
    if let Some(plus) = plus {
        products[1] = Product {
            left: Operand { at: plus.a, ld: plus.k, ..left },
            right: Operand { at: plus.b, ld: if p.trans_b { plus.k } else { n }, ..right },
            k: plus.k,
        };
    }
    let products = &products[..1 + usize::from(plus.is_some())];
    // SAFETY: the caller's operands.
    unsafe { blocked::multiply(pool, isa, micro, (rows, cols), products, &out) };
}

/// to [cols, rows] = x [rows, cols]^T.
///
/// # Safety
/// Both hold the elements, and do not overlap.
unsafe fn turn<T: Element>(to: *mut T, x: *const T, rows: usize, cols: usize) {
    for col in 0..cols {
        for row in 0..rows {
            // SAFETY: the caller's elements.
            unsafe { *to.add(col * rows + row) = x.add(row * cols + col).read_unaligned() };
        }
    }
}

/// A product with few rows on one side; the other side is cut among the threads.
///
/// # Safety
/// x [m, k] and w [n, k] are contiguous along k, and the output holds their products; the processor has `isa`.
unsafe fn dots(
    pool: &Pool,
    isa: Isa,
    x: Operand,
    w: Operand,
    out: &Output,
    (m, n, k): (usize, usize, usize),
) {
    /// Rows of the long side whose products are kept at a time.
    const STRIP: usize = 64;
    let long = m.max(n);
    pool.ranges(long, 16, |range| {
        let mut c = scratch::<f32>(STRIP * m.min(n));
        for first in range.clone().step_by(STRIP) {
            let strip = first..(first + STRIP).min(range.end);
            let (rows, cols) = if n >= m { (0..m, strip) } else { (strip, 0..n) };
            let ldc = cols.len();
            // SAFETY: rows of the caller's operands; `c` has room for a strip of products, and other ranges have other parts of y.
            unsafe {
                dot::products(isa, c.as_mut_ptr(), ldc, (x, rows.clone()), (w, cols.clone()), k);
                store::store(isa, out, c.as_ptr(), ldc, rows, cols);
            }
        }
    });
}
