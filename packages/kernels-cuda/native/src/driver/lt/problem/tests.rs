//! NVIDIA's own library, which describes products without a GPU: scripts/cuda-libraries installs it.

use std::path::Path;

use ift_kernel_abi::FloatDType;

use super::*;
use crate::driver::cuda::{CUBLAS_HINT, CUBLAS_LT};
use crate::driver::library;

/// Where scripts/cuda-libraries installs it.
const WHEEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../.cuda-libraries/nvidia/cu13/lib");

const INVALID_VALUE: c_int = 7;

/// cuBLASLt; none, with the reason printed, where there is none. In CI that is a failure unless IFT_SKIP names `cublas`.
fn installed() -> Option<Arc<Api>> {
    let wheel = Path::new(WHEEL).join(CUBLAS_LT);
    let found = if std::env::var_os("IFT_CUDA_LIB").is_none() && wheel.is_file() {
        library::open_file(&wheel.to_string_lossy(), CUBLAS_HINT)
    } else {
        library::open(CUBLAS_LT, CUBLAS_HINT)
    };
    match found {
        Ok(library) => Some(Arc::new(Api::load(library).expect("every function"))),
        Err(error) => {
            let named =
                std::env::var("IFT_SKIP").is_ok_and(|names| names.split(',').any(|name| name == "cublas"));
            assert!(std::env::var_os("CI").is_none() || named, "{}: scripts/cuda-libraries", error.message);
            println!("skipped: cuBLASLt is not installed (scripts/cuda-libraries): {}", error.message);
            None
        }
    }
}

fn products() -> impl Iterator<Item = Product> {
    let types = [FloatDType::F32, FloatDType::Bf16, FloatDType::F16];
    let pairs = types.into_iter().flat_map(move |dtype| types.map(|out| (dtype, out)));
    let choices = pairs.flat_map(|pair| (0..8u32).map(move |bits| (pair, bits)));
    let products = choices.map(|((dtype, out_dtype), bits)| Product {
        m: 1000,
        n: 4096,
        k: 512,
        trans_a: bits & 1 != 0,
        trans_b: bits & 2 != 0,
        alpha: 1.0,
        accumulate: false,
        dtype,
        out_dtype,
        y: 256,
        a: 512,
        b: 768,
        bias: if bits & 4 != 0 { 1024 } else { 0 },
    });
    products.filter(Product::has_types_of_library)
}

#[test]
fn every_product_is_described_by_the_library() {
    let Some(api) = installed() else { return };
    assert_eq!(products().count(), 5 * 8);
    for product in products() {
        let problem = Problem::new(&api, &product).unwrap_or_else(|error| panic!("{product:?}: {error}"));
        if product.bias != 0 {
            problem.point(product.bias + 512).unwrap();
        }
        Preference::new(&api, &product, 32 << 20).unwrap();
    }
}

#[test]
fn an_attribute_of_another_size_is_refused_by_the_library() {
    let Some(api) = installed() else { return };
    let product = products().next().expect("a product");
    let problem = Problem::new(&api, &product).unwrap();
    let preference = Preference::new(&api, &product, 32 << 20).unwrap();
    let value = [0u64; 2];
    let value: *const c_void = value.as_ptr().cast();
    let sized = |attribute, bytes| {
        // SAFETY: the value has more bytes than are named.
        unsafe { (api.desc_set)(problem.desc, attribute, value, bytes) }
    };
    for (attribute, bytes) in
        [(DESC_TRANSA, 4), (DESC_TRANSB, 4), (DESC_EPILOGUE, 4), (DESC_BIAS_TYPE, 4), (DESC_BIAS_POINTER, 8)]
    {
        // A larger one would be read short, a smaller one beyond its end.
        assert_eq!(
            [sized(attribute, bytes - 1), sized(attribute, bytes)],
            [INVALID_VALUE, SUCCESS],
            "{attribute}"
        );
    }
    let sized = |attribute, bytes| {
        // SAFETY: as above.
        unsafe { (api.preference_set)(preference.handle, attribute, value, bytes) }
    };
    let alignments = PREFERENCE_ALIGNMENT_A..PREFERENCE_ALIGNMENT_A + 4;
    for (attribute, bytes) in alignments.map(|attribute| (attribute, 4)).chain([(PREFERENCE_WORKSPACE, 8)]) {
        assert_eq!(
            [sized(attribute, bytes - 1), sized(attribute, bytes)],
            [INVALID_VALUE, SUCCESS],
            "{attribute}"
        );
    }
}

/// What `status` 1 of cublasLtCreate means: everything above works without a GPU, and nothing else does.
#[test]
fn the_results_of_the_library_have_the_size_that_is_read() {
    // cublasLtMatmulAlgo_t and cublasLtMatmulHeuristicResult_t of cublasLt.h.
    assert_eq!((size_of::<Algorithm>(), size_of::<Heuristic>()), (64, 96));
    let Some(api) = installed() else { return };
    let mut handle = null_mut();
    // SAFETY: a pointer to a local.
    let status = unsafe { (api.create)(&raw mut handle) };
    assert!(status == 1 || status == SUCCESS, "cublasLtCreate: {status}");
    if status == SUCCESS {
        // SAFETY: just made.
        unsafe { (api.destroy)(handle) };
    }
}
