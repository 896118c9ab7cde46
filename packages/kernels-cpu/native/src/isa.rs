//! Which instruction set a kernel may use, and how a loop written once is compiled for each of them.

/// Instruction sets with own kernels, weakest first. The add-on is compiled for the baseline of its target and picks at
/// run time, so that one binary runs everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Whatever the target guarantees: SSE2 on x86-64, NEON with fused multiply-add on aarch64.
    Portable,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// The same and AVX512_BF16 dot products.
    Avx512Bf16,
    /// The same and AMX tiles in bf16.
    Amx,
}

impl Isa {
    /// Every set, weakest first.
    pub const ALL: [Self; 5] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::Amx];

    /// The strongest set that this processor announces, without AMX, which has to be tried first (`gemm::choose`).
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx512 && is_x86_feature_detected!("avx512bf16") {
                return Self::Avx512Bf16;
            }
            if avx512 {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Portable if cfg!(target_arch = "aarch64") => "neon",
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
            Self::Amx => "amx",
        }
    }
}

/// A loop that the compiler vectorises for each instruction set.
pub trait Loop {
    type Out;
    /// Must be `#[inline(always)]`, and so must everything hot that it calls: only what is inlined into the function
    /// with the target feature is compiled for it. `FMA`: `mul_add` is one instruction.
    ///
    /// # Safety
    /// That of the loop itself; called only by [`vectorised`].
    unsafe fn run<const FMA: bool>(self) -> Self::Out;
}

/// # Safety
/// The processor supports `isa`, and the loop's own conditions hold.
#[inline]
pub unsafe fn vectorised<L: Loop>(isa: Isa, body: L) -> L::Out {
    #[cfg(target_arch = "x86_64")]
    {
        /// # Safety
        /// As for `vectorised`, on a processor with the features.
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn avx2<L: Loop>(body: L) -> L::Out {
            // SAFETY: the caller's.
            unsafe { body.run::<true>() }
        }
        /// # Safety
        /// As for `vectorised`, on a processor with the features.
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
        unsafe fn avx512<L: Loop>(body: L) -> L::Out {
            // SAFETY: the caller's.
            unsafe { body.run::<true>() }
        }
        // SAFETY: the processor supports the set, which has these features; the loop's conditions are the caller's.
        unsafe {
            match isa {
                Isa::Portable => {}
                Isa::Avx2 => return avx2(body),
                Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => return avx512(body),
            }
        }
    }
    let _ = isa;
    // SAFETY: the loop's conditions are the caller's.
    unsafe { if cfg!(target_arch = "aarch64") { body.run::<true>() } else { body.run::<false>() } }
}

/// a · b + c, fused where that is one instruction and not a library call.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}
