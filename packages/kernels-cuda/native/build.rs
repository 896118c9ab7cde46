//! Compiles the kernels: by nvcc into fat binaries that the library embeds, or, for feature `emulated`, by the host
//! compiler against the emulator. Without nvcc the library holds no kernels and says so when it is opened;
//! IFT_REQUIRE_NVCC=1 makes that an error.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where scripts/cuda-toolkit installs NVIDIA's compiler wheels.
const WHEELS: &str = "../../../.cuda-toolkit/nvidia/cu13";

/// Compute capabilities compiled for; PTX of the first serves those in between and to come. IFT_CUDA_TARGETS=90 (or more, by
/// comma) compiles for a known GPU alone.
const TARGETS: [&str; 4] = ["80", "90", "100", "120"];

fn main() {
    napi_build::setup();
    let cuda = Path::new("../cuda");
    println!("cargo:rerun-if-changed=../cuda");
    for name in ["CUDA_HOME", "IFT_CUDA_TARGETS", "IFT_REQUIRE_NVCC", "CXX"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut sources: Vec<_> = fs::read_dir(cuda)
        .expect("the folder of kernels")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("cu")))
        .collect();
    sources.sort();
    if env::var_os("CARGO_FEATURE_EMULATED").is_some() {
        emulate(cuda, &sources, &out);
    } else {
        embed(&sources, &out);
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} failed");
}

/// An archive of the kernels for the processor, linked whole because kernels register themselves.
fn emulate(cuda: &Path, sources: &[PathBuf], out: &Path) {
    let compiler = env::var_os("CXX").unwrap_or_else(|| "g++".into());
    let mut objects = Vec::new();
    for source in sources.iter().chain([&cuda.join("emulator/library.cpp")]) {
        let object = out.join(source.file_name().expect("a file")).with_extension("o");
        let flags = [
            "-x",
            "c++",
            "-std=c++17",
            "-O2",
            "-ffp-contract=off",
            "-fPIC",
            "-march=native",
            "-Wno-unknown-pragmas",
            "-c",
        ];
        run(Command::new(&compiler).args(flags).arg(source).arg("-o").arg(&object));
        objects.push(object);
    }
    let archive = out.join("libift_emulated.a");
    let _ = fs::remove_file(&archive);
    run(Command::new("ar").arg("crs").arg(&archive).args(&objects));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static:+whole-archive=ift_emulated");
    println!("cargo:rustc-link-lib=stdc++");
}

fn nvcc() -> Option<PathBuf> {
    let home = env::var_os("CUDA_HOME").map(PathBuf::from);
    let home = home.map(|home| home.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/cuda", WHEELS].map(|home| Path::new(home).join("bin"));
    let mut places = home.into_iter().chain(env::split_paths(&path)).chain(usual);
    places.find_map(|place| Some(place.join("nvcc")).filter(|file| file.is_file()))
}

/// Arguments of nvcc that name what to generate.
fn code() -> Vec<String> {
    let named = env::var("IFT_CUDA_TARGETS").unwrap_or_default();
    let (targets, ptx) = match named.as_str() {
        "" => (TARGETS.to_vec(), Some(TARGETS[0])),
        named => (named.split(',').collect(), None),
    };
    let machine = targets.iter().map(|target| format!("arch=compute_{target},code=sm_{target}"));
    let virtual_machine = ptx.map(|target| format!("arch=compute_{target},code=compute_{target}"));
    machine.chain(virtual_machine).flat_map(|code| ["-gencode".to_owned(), code]).collect()
}

/// A list `IMAGES` of the fat binaries, one a family.
fn embed(sources: &[PathBuf], out: &Path) {
    let mut images = String::new();
    match nvcc() {
        Some(nvcc) => {
            for source in sources {
                let image = out.join(source.file_name().expect("a file")).with_extension("fatbin");
                let mut command = Command::new(&nvcc);
                command.args(["-std=c++17", "-O3", "-fatbin", "--compress-mode=size"]);
                command.args(code());
                run(command.arg(source).arg("-o").arg(&image));
                images += &format!("aligned_bytes!({:?}), ", image.display().to_string());
            }
        }
        None if env::var_os("IFT_REQUIRE_NVCC").is_some_and(|value| value == "1") => {
            panic!(
                "IFT_REQUIRE_NVCC is 1 and nvcc is not in CUDA_HOME, PATH or /usr/local/cuda: scripts/cuda-toolkit installs it"
            );
        }
        None => println!(
            "cargo:warning=nvcc was not found: the CUDA backend is built without kernels (scripts/cuda-toolkit installs it)"
        ),
    }
    let text = format!("pub static IMAGES: &[&[u8]] = &[{images}];\n");
    fs::write(out.join("images.rs"), text).expect("the build folder can be written");
}
