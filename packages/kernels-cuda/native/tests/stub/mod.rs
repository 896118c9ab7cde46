//! The stubs of the driver and of cuBLASLt, compiled by the test and loaded anew for each device machine that a test wants.

use std::ffi::{CStr, c_char, c_int, c_long};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ift_kernels_cuda::driver::cuda::{Cuda, Sources};
use ift_kernels_cuda::plan::inventory;
use libloading::Library;

/// A machine with two devices that nothing else uses.
pub struct Machine {
    driver: Library,
    lt: Library,
    driver_file: String,
    lt_file: String,
}

fn compile(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lib{name}-{}.so", std::process::id()));
    let source = format!("{}/tests/stub/{name}.cpp", env!("CARGO_MANIFEST_DIR"));
    // Without unique symbols copies of the library have states of their own.
    let flags = ["-std=c++17", "-shared", "-fPIC", "-fno-gnu-unique", "-pthread", "-Wall", "-Werror", "-o"];
    let output =
        Command::new("c++").args(flags).arg(&file).arg(source).output().expect("the compiler answered");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

fn copy(file: &Path) -> String {
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}.so", file.display(), COPIES.fetch_add(1, Ordering::Relaxed));
    std::fs::copy(file, &name).expect("the folder can be written");
    name
}

/// An image of the stub at a multiple of 16.
fn image(names: &[&str]) -> Vec<u128> {
    let text = format!("stub\n{}\n\0", names.join("\n"));
    let mut image = vec![0u128; text.len().div_ceil(16)];
    // SAFETY: the numbers have room for the text.
    unsafe { image.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len()) };
    image
}

fn lines(text: *const c_char) -> Vec<String> {
    // SAFETY: a text of a stub.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().lines().map(str::to_owned).collect()
}

macro_rules! controls {
    ($library:ident: $($(#[$doc:meta])* $name:ident = $symbol:literal ($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $($(#[$doc])* pub fn $name(&self, $($argument: $type),*) $(-> $result)? {
            // SAFETY: the type of the stub's function.
            unsafe {
                let control = self.$library.get::<unsafe extern "C" fn($($type),*) $(-> $result)?>($symbol);
                control.expect($symbol.to_str().unwrap())($($argument),*)
            }
        })*
    };
}

impl Machine {
    /// None, with the reason printed, where there is no C++ compiler; in CI there is one.
    pub fn new() -> Option<Self> {
        if let Err(error) = Command::new("c++").arg("--version").output() {
            assert!(std::env::var_os("CI").is_none(), "CI has no C++ compiler: {error}");
            println!("skipped: the stub of the driver needs a C++ compiler ({error})");
            return None;
        }
        static BUILT: OnceLock<[PathBuf; 2]> = OnceLock::new();
        let [driver, lt] =
            BUILT.get_or_init(|| ["cuda", "cublaslt"].map(compile)).each_ref().map(|file| copy(file));
        // SAFETY: the stubs have no initialisers of note.
        let [driver_library, lt_library] =
            [&driver, &lt].map(|file| unsafe { Library::new(file) }.expect("a library"));
        Some(Self { driver: driver_library, lt: lt_library, driver_file: driver, lt_file: lt })
    }

    /// Opens a device with all kernels.
    pub fn open(&self, index: u32) -> Arc<Cuda> {
        self.open_with(index, false, |_| true)
    }

    pub fn open_with(&self, index: u32, blocking: bool, has: impl Fn(&str) -> bool) -> Arc<Cuda> {
        let names: Vec<_> =
            inventory::kernels().keys().map(String::as_str).filter(|name| has(name)).collect();
        let (first, second) = names.split_at(names.len() / 2);
        let images = [image(first), image(second)];
        // SAFETY: the bytes of the numbers.
        let images = images.each_ref().map(|image| unsafe {
            std::slice::from_raw_parts(image.as_ptr().cast::<u8>(), size_of_val(image.as_slice()))
        });
        let sources = Sources {
            driver: Some(&self.driver_file),
            cublas_lt: Some(&self.lt_file),
            images: &images,
            blocking,
        };
        Arc::new(Cuda::open_from(&sources, index).expect("a device"))
    }

    controls! { driver:
        contexts = c"stub_contexts"() -> c_int;
        /// Bytes that the devices have.
        limit_memory = c"stub_memory"(bytes: usize);
        given = c"stub_given"() -> usize;
        /// The launch behind `after` others fails with a status, when it is waited for.
        fail = c"stub_fail"(after: c_long, status: c_int);
        broken_rules_text = c"stub_broken_rules"() -> *const c_char;
        launched_text = c"stub_launched"() -> *const c_char;
    }

    controls! { lt:
        objects = c"stub_objects"() -> usize;
        most_objects = c"stub_most_objects"() -> usize;
        /// Calls for algorithms.
        asked = c"stub_asked"() -> c_int;
        /// An algorithm's state among the results, the status of a check and that of a product.
        algorithm = c"stub_algorithm"(number: c_int, state: c_int, check: c_int, product: c_int);
        tried_text = c"stub_tried"() -> *const c_char;
        lt_broken_rules_text = c"stub_broken_rules"() -> *const c_char;
    }

    /// Names of the kernels that were launched or recorded.
    pub fn launched(&self) -> Vec<String> {
        lines(self.launched_text())
    }

    /// Algorithms of the products since the last call.
    pub fn tried(&self) -> String {
        lines(self.tried_text()).join("").trim().to_owned()
    }

    pub fn broken_rules(&self) -> Vec<String> {
        let mut rules = lines(self.broken_rules_text());
        rules.extend(lines(self.lt_broken_rules_text()));
        rules
    }

    /// Waits for the queues of closed devices; no rule was broken and nothing is left.
    pub fn expect_clean(&self) {
        let begin = Instant::now();
        while self.contexts() > 0 {
            assert!(begin.elapsed() < Duration::from_secs(20), "a device is not given back");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(self.broken_rules(), [""; 0]);
        assert_eq!((self.given(), self.objects()), (0, 0));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for file in [&self.driver_file, &self.lt_file] {
            let _ = std::fs::remove_file(file);
        }
    }
}
