//! Products by cuBLASLt.
//!
//! Packed data has another number of tokens in every step. Algorithms are therefore chosen for that number rounded up and
//! kept, as numbers without handles; the descriptors, which hold the exact number, are kept for the shapes used last.

mod api;
mod problem;

use std::ffi::c_int;
use std::num::NonZeroUsize;
use std::ptr::null_mut;
use std::sync::Arc;

use ift_kernel_abi::{Code, Error, Result};
use lru::LruCache;

use super::Product;
use super::library::Found;
use api::{Algorithm, Api, Handle, NOT_SUPPORTED, SUCCESS, Status, expect, kind, name_of};
use problem::{Problem, alignment};

/// Shapes whose descriptors are kept: those of several micro-batches.
const MOST_PLANS: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// Rounded shapes whose algorithms are kept.
const MOST_CHOICES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

const INVALID_VALUE: Status = 7;
const ARCH_MISMATCH: Status = 8;

/// What an algorithm is chosen by.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
struct Key {
    sizes: [usize; 3],
    turned: [bool; 2],
    types: [c_int; 2],
    accumulate: bool,
    bias: bool,
    alignments: [u32; 4],
}

impl Key {
    fn of(p: &Product) -> Self {
        Self {
            sizes: [p.m, p.n, p.k],
            turned: [p.trans_a, p.trans_b],
            types: [kind(p.dtype), kind(p.out_dtype)],
            accumulate: p.accumulate,
            bias: p.bias != 0,
            alignments: [p.y, p.a, p.b, p.bias].map(alignment),
        }
    }
}

/// Small sizes as they are, others up to sixteenths of a power of two, of 64 at least.
fn rounded(size: usize) -> usize {
    if size <= 64 { size } else { size.next_multiple_of((size.next_power_of_two() / 16).max(64)) }
}

/// The product that algorithms are chosen for: of more rows, where a size counts rows only and is no row's length.
fn representative(p: &Product) -> Product {
    let rows = if p.trans_a { p.m } else { rounded(p.m) };
    let inner = if p.trans_a && !p.trans_b { rounded(p.k) } else { p.k };
    Product { m: rows, k: inner, ..*p }
}

/// A shape's descriptors and the algorithms that are left for it, the first of which is taken.
struct Plan {
    problem: Problem,
    algorithms: Vec<Algorithm>,
    /// Whether they were chosen for just this shape.
    exact: bool,
}

pub struct Lt {
    api: Arc<Api>,
    handle: Handle,
    workspace: u64,
    choices: LruCache<Key, Vec<Algorithm>>,
    plans: LruCache<Key, Plan>,
}

/// Whether a status says that an algorithm was refused before anything was done. Behind any other a part of the product may
/// have been added to y, and doing it once more would add it twice.
fn is_refusal(status: Status) -> bool {
    matches!(status, INVALID_VALUE | ARCH_MISMATCH | NOT_SUPPORTED)
}

impl Lt {
    /// What NVIDIA recommends for Hopper.
    pub const WORKSPACE: usize = 32 << 20;

    pub fn load(library: Found) -> Result<Self> {
        Ok(Self {
            api: Arc::new(Api::load(library)?),
            handle: null_mut(),
            workspace: 0,
            choices: LruCache::new(MOST_CHOICES),
            plans: LruCache::new(MOST_PLANS),
        })
    }

    /// Begins with the device's context current.
    pub fn start(&mut self, workspace: u64) -> Result<()> {
        self.workspace = workspace;
        // SAFETY: a pointer to a field.
        expect("cublasLtCreate", unsafe { (self.api.create)(&raw mut self.handle) })
    }

    /// Ends, and gives the workspace back.
    pub fn stop(&mut self) -> Option<u64> {
        self.plans.clear();
        if !self.handle.is_null() {
            // SAFETY: from `start`.
            unsafe { (self.api.destroy)(self.handle) };
            self.handle = null_mut();
        }
        (self.workspace != 0).then(|| std::mem::take(&mut self.workspace))
    }

    /// Algorithms chosen for the rounded shape.
    fn choice(&mut self, like: &Product) -> Result<Vec<Algorithm>> {
        let key = Key::of(like);
        if let Some(known) = self.choices.get(&key) {
            return Ok(known.clone());
        }
        let found = Problem::new(&self.api, like)?.algorithms(self.handle, like, Self::WORKSPACE)?;
        self.choices.put(key, found.clone());
        Ok(found)
    }

    fn plan(&mut self, p: &Product) -> Result<Plan> {
        let like = representative(p);
        let exact = [like.m, like.k] == [p.m, p.k];
        let mut algorithms = self.choice(&like)?;
        let problem = Problem::new(&self.api, p)?;
        if !exact {
            algorithms.retain(|algorithm| problem.accepts(self.handle, algorithm, Self::WORKSPACE));
        }
        Ok(Plan { problem, algorithms, exact })
    }

    /// Starts a product on the stream.
    pub fn multiply(&mut self, p: &Product, stream: Handle) -> Result<()> {
        p.expect_types_of_library()?;
        if p.m == 0 || p.n == 0 {
            return Ok(());
        }
        let key = Key::of(p);
        let mut plan = match self.plans.pop(&key) {
            Some(plan) => plan,
            None => self.plan(p)?,
        };
        // A plan that fails is made anew the next time.
        self.run(p, &mut plan, stream)?;
        self.plans.put(key, plan);
        Ok(())
    }

    fn run(&mut self, p: &Product, plan: &mut Plan, stream: Handle) -> Result<()> {
        if p.bias != 0 {
            plan.problem.point(p.bias)?;
        }
        let mut refused: Vec<(Algorithm, Status)> = Vec::new();
        loop {
            let Some(&algorithm) = plan.algorithms.first() else {
                if plan.exact {
                    break;
                }
                plan.exact = true;
                plan.algorithms = plan.problem.algorithms(self.handle, p, Self::WORKSPACE)?;
                plan.algorithms.retain(|new| refused.iter().all(|(old, _)| old != new));
                continue;
            };
            let workspace = (self.workspace, Self::WORKSPACE);
            // SAFETY: the caller has checked the lengths of the operands.
            let status = unsafe { plan.problem.multiply(self.handle, p, &algorithm, workspace, stream) };
            if status == SUCCESS {
                return Ok(());
            }
            if !is_refusal(status) {
                expect(&format!("cublasLtMatmul of {}", p.detail()), status)?;
            }
            plan.algorithms.remove(0);
            refused.push((algorithm, status));
            // Other numbers of rows need not find out by themselves.
            if let Some(choice) = self.choices.peek_mut(&Key::of(&representative(p))) {
                choice.retain(|kept| *kept != algorithm);
            }
        }
        let statuses: Vec<_> = refused.iter().map(|(_, status)| name_of(*status)).collect();
        let tried = match statuses.as_slice() {
            [] => String::new(),
            statuses => format!("; refused were {}", statuses.join(", ")),
        };
        Err(Error::new(Code::Internal, format!("cuBLASLt has no algorithm for {p:?}{tried}")))
    }
}

#[cfg(test)]
mod tests {
    use ift_kernel_abi::FloatDType;

    use super::*;

    fn product(m: usize, k: usize, trans_a: bool, trans_b: bool) -> Product {
        Product {
            m,
            n: 1000,
            k,
            trans_a,
            trans_b,
            alpha: 1.0,
            accumulate: false,
            dtype: FloatDType::Bf16,
            out_dtype: FloatDType::Bf16,
            y: 256,
            a: 256,
            b: 256,
            bias: 0,
        }
    }

    #[test]
    fn sizes_are_rounded_up_by_an_eighth_at_most() {
        for size in [1, 3, 16, 64] {
            assert_eq!(rounded(size), size);
        }
        assert_eq!([65, 1000, 1500, 2048, 2049].map(rounded), [128, 1024, 1536, 2048, 2304]);
        for size in 513..5000 {
            let up = rounded(size);
            assert!(up >= size && up - size <= size / 8 + 64 && rounded(up) == up);
        }
    }

    #[test]
    fn only_counts_of_rows_are_rounded() {
        let sizes = |trans_a, trans_b| {
            let like = representative(&product(999, 777, trans_a, trans_b));
            [like.m, like.n, like.k]
        };
        assert_eq!(sizes(false, true), [1024, 1000, 777]);
        assert_eq!(sizes(false, false), [1024, 1000, 777]);
        assert_eq!(sizes(true, false), [999, 1000, 832]);
        assert_eq!(sizes(true, true), [999, 1000, 777]);
    }
}
