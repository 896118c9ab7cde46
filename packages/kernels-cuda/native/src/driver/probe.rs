//! What of NVIDIA's software a machine has, for `ift doctor`: nothing here needs a GPU, and nothing fails.

use std::env;

use ift_collectives::nccl::{NcclLibrary, candidates};
use ift_kernel_abi::{Code, Error, Result};

use super::{api, cuda, library};

const NCCL: &str = "libnccl.so.2";
const NCCL_HINT: &str = "training on several GPUs needs it: pip install nvidia-nccl-cu13";

/// One thing that was looked for, and what was found or why not.
pub struct Finding {
    pub name: String,
    pub found: bool,
    pub text: String,
}

/// 10000 · major + 100 · minor + patch, as cuBLAS and NCCL count.
fn version(number: usize) -> String {
    format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100)
}

fn cublas() -> Result<String> {
    let library = library::open(cuda::CUBLAS_LT, cuda::CUBLAS_HINT)?;
    // SAFETY: the type of cublasLt.h; it has no effect.
    let number = unsafe { library.function::<unsafe extern "C" fn() -> usize>("cublasLtGetVersion")?() };
    Ok(format!("{}, {}", version(number), library.file(cuda::CUBLAS_LT)))
}

/// As a rank would find it.
fn nccl() -> Result<String> {
    let nccl = NcclLibrary::open(&candidates(None, |name| env::var(name).ok())).map_err(|error| {
        let tried = error.message.replace(":\n  ", " ").replace("\n  ", ", ");
        Error::new(error.code, format!("{NCCL_HINT}. {tried}"))
    })?;
    let file = if nccl.file.contains('/') { None } else { library::loaded_from(NCCL) };
    Ok(format!("{}, {}", version(nccl.version as usize), file.unwrap_or(nccl.file)))
}

fn finding(name: impl Into<String>, result: Result<String>) -> Finding {
    let found = result.is_ok();
    Finding { name: name.into(), found, text: result.unwrap_or_else(|error| error.message) }
}

/// Driver, devices, cuBLASLt and NCCL, in this order.
pub fn probe() -> Vec<Finding> {
    let kernels = if cuda::has_kernels() {
        Ok("sm_80, sm_90, sm_100, sm_120 and PTX of compute_80".to_owned())
    } else {
        Err(Error::new(Code::BackendUnavailable, "this add-on was built without nvcc and holds none"))
    };
    let mut findings = vec![finding("GPU kernels", kernels)];
    match api::installed() {
        Err(error) => findings.push(finding("NVIDIA driver", Err(error))),
        Ok(installed) => {
            let (major, minor) = installed.cuda;
            let text = format!("for CUDA {major}.{minor}, {}", installed.file);
            findings.push(finding("NVIDIA driver", Ok(text)));
            match installed.devices {
                Err(error) => findings.push(finding("GPUs", Err(error))),
                Ok(devices) if devices.is_empty() => {
                    let message = "the driver shows none (CUDA_VISIBLE_DEVICES limits them)";
                    findings.push(finding("GPUs", Err(Error::new(Code::BackendUnavailable, message))));
                }
                Ok(devices) => findings.extend(devices.iter().enumerate().map(|(index, facts)| {
                    let (major, minor) = facts.capability;
                    let gib = facts.memory as f64 / f64::from(1 << 30);
                    let text = format!("{}, compute capability {major}.{minor}, {gib:.1} GiB", facts.name);
                    finding(format!("cuda:{index}"), Ok(text))
                })),
            }
        }
    }
    findings.push(finding("cuBLASLt", cublas()));
    findings.push(finding("NCCL", nccl()));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_as_their_libraries_write_them() {
        assert_eq!(version(130_002), "13.0.2");
        assert_eq!(version(23_203), "2.32.3");
    }

    #[test]
    fn every_machine_gets_a_line_for_each_library() {
        let findings = probe();
        for name in ["GPU kernels", "NVIDIA driver", "cuBLASLt", "NCCL"] {
            let found = findings.iter().find(|finding| finding.name == name).expect("a line");
            assert!(!found.text.is_empty());
        }
    }
}
