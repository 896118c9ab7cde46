//! Where NVIDIA's libraries lie on a machine. Nothing is linked: the add-on loads everywhere, and what is missing is an
//! error that names the file and what to install.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use ift_kernel_abi::{Code, Error, Result};
use libloading::Library;

/// A library and the path or name under which it was found.
pub struct Found {
    pub library: Library,
    pub path: String,
}

/// Folders below a Python's site-packages that hold CUDA 13's libraries.
fn python_folders() -> Vec<PathBuf> {
    let homes = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let mut folders = Vec::new();
    for home in homes {
        let pythons = fs::read_dir(home.join("lib")).into_iter().flatten().flatten();
        for python in pythons.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3")) {
            folders.push(python.path().join("site-packages/nvidia/cu13/lib"));
        }
    }
    folders
}

/// Files to try for `name`, in order: IFT_CUDA_LIB's folder, the loader's own, the toolkit's, Python's.
fn places(name: &str) -> Vec<String> {
    let named = env::var_os("IFT_CUDA_LIB").map(PathBuf::from);
    let home = env::var_os("CUDA_HOME").map(PathBuf::from);
    let toolkits = home.into_iter().chain([PathBuf::from("/usr/local/cuda")]);
    let toolkits = toolkits.flat_map(|home| [home.join("lib64"), home.join("targets/x86_64-linux/lib")]);
    let file = |folder: &Path| folder.join(name).display().to_string();
    let mut places: Vec<_> = named.iter().map(|folder| file(folder)).collect();
    places.push(name.to_owned());
    places.extend(toolkits.chain(python_folders()).map(|folder| file(&folder)));
    places
}

/// Opens the first of the places of `name`. `hint` says what to install.
pub fn open(name: &str, hint: &str) -> Result<Found> {
    let mut tried = Vec::new();
    for path in places(name) {
        // SAFETY: initialisers of NVIDIA's own library.
        match unsafe { Library::new(&path) } {
            Ok(library) => return Ok(Found { library, path }),
            Err(error) => tried.push(format!("{path} ({error})")),
        }
    }
    let mut message = format!("{name} cannot be loaded: {hint}. Looked for {}", tried.join(", "));
    let others = of_other_majors(name, &folders(name));
    if !others.is_empty() {
        let others: Vec<_> = others.iter().map(|path| path.display().to_string()).collect();
        message += &format!(
            ". There is {}, which is for another major version of CUDA and cannot stand in; both may be installed",
            others.join(", ")
        );
    }
    Err(Error::new(Code::BackendUnavailable, message))
}

/// Opens a file. `hint` says what to install.
pub fn open_file(path: &str, hint: &str) -> Result<Found> {
    // SAFETY: initialisers of the library that the caller names.
    match unsafe { Library::new(path) } {
        Ok(library) => Ok(Found { library, path: path.to_owned() }),
        Err(error) => {
            Err(Error::new(Code::BackendUnavailable, format!("{path} cannot be loaded: {hint} ({error})")))
        }
    }
}

/// Folders in which `name` could have been, the loader's own included.
fn folders(name: &str) -> Vec<PathBuf> {
    let listed = env::var_os("LD_LIBRARY_PATH");
    let listed = listed.iter().flat_map(env::split_paths);
    let system = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let of_places = places(name).into_iter().filter_map(|path| Path::new(&path).parent().map(Path::to_owned));
    let mut folders: Vec<_> = listed.chain(of_places).chain(system.map(PathBuf::from)).collect();
    // Where the wheels of CUDA 12 put theirs, beside those of CUDA 13.
    let older = folders.iter().filter(|folder| folder.ends_with("nvidia/cu13/lib"));
    let older: Vec<_> =
        older.filter_map(|lib| lib.ancestors().nth(2).map(|nvidia| nvidia.join("cublas/lib"))).collect();
    folders.extend(older);
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// The same library for other majors: `libcublasLt.so.12` where `libcublasLt.so.13` was looked for.
fn of_other_majors(name: &str, folders: &[PathBuf]) -> Vec<PathBuf> {
    let Some((stem, major)) = name.rsplit_once('.') else { return Vec::new() };
    let is_other = |file: &str| {
        let version = file.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
        version.is_some_and(|version| version != major && version.parse::<u32>().is_ok())
    };
    let mut found = Vec::new();
    for file in folders.iter().flat_map(fs::read_dir).flatten().flatten() {
        if is_other(&file.file_name().to_string_lossy()) && !found.contains(&file.path()) {
            found.push(file.path());
        }
    }
    found.sort();
    found
}

/// Where the library of that name, already open, was loaded from, as far as the system tells.
pub fn loaded_from(name: &str) -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let of_library = |path: &&str| {
        Path::new(path).file_name().is_some_and(|file| file.to_string_lossy().starts_with(name))
    };
    let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let loaded = paths.find(of_library).map(str::to_owned);
    loaded.or_else(|| {
        // A link's target may have another name: libcuda.so.1 is libcuda.so.580.65.06.
        let stem = name.split(".so").next()?;
        let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
        paths.find(|path| path.contains(&format!("/{stem}.so"))).map(str::to_owned)
    })
}

impl Found {
    /// The file that is open.
    pub fn file(&self, name: &str) -> String {
        if self.path.contains('/') {
            return self.path.clone();
        }
        loaded_from(name).unwrap_or_else(|| self.path.clone())
    }

    /// A function as a value, valid while the library is open.
    ///
    /// # Safety
    /// `T` must be the type of the function.
    pub unsafe fn function<T: Copy>(&self, name: &str) -> Result<T> {
        // SAFETY: the caller's.
        unsafe { self.library.get::<T>(name.as_bytes()) }.map(|symbol| *symbol).map_err(|error| {
            let message = format!("{} lacks the function {name}: {error}", self.path);
            Error::new(Code::BackendUnavailable, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named_with_every_place() {
        let error = open("libift-none.so.13", "install it").err().expect("there is no such library");
        assert_eq!(error.code, Code::BackendUnavailable);
        assert!(error.message.starts_with("libift-none.so.13 cannot be loaded: install it. Looked for "));
        assert!(error.message.contains("/usr/local/cuda/lib64/libift-none.so.13"));
        assert!(!error.message.contains("another major"));
    }

    #[test]
    fn a_library_of_another_major_is_named() {
        let folder = env::temp_dir().join(format!("ift-majors-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for file in ["libcublasLt.so", "libcublasLt.so.12", "libcublasLt.so.12.4.5", "libcublas.so.12"] {
            fs::write(folder.join(file), "").unwrap();
        }
        let others = of_other_majors("libcublasLt.so.13", &[folder.clone(), folder.clone()]);
        assert_eq!(others, [folder.join("libcublasLt.so.12")]);
        assert!(of_other_majors("libcublasLt.so.12", std::slice::from_ref(&folder)).is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }
}
