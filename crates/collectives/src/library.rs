//! Finding a shared library of the machine.

use ift_kernel_abi::{Code, Error, Result};
use libloading::Library;

/// Who sees the symbols of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbols {
    /// Whoever asks this library for them.
    Local,
    /// Every library that is loaded later too, as the components of an MPI expect.
    Global,
}

/// Opens the first of `names` that can be; each is a path or a name that the loader looks for. The error tells what was
/// tried and what the loader said to each.
pub fn open_first<S: AsRef<str>>(what: &str, names: &[S], symbols: Symbols) -> Result<(Library, String)> {
    let mut tried = Vec::new();
    for name in names {
        match open(name.as_ref(), symbols) {
            Ok(library) => return Ok((library, name.as_ref().to_owned())),
            Err(error) => {
                let text = error.to_string();
                tried.push(format!(
                    "  {}: {}",
                    name.as_ref(),
                    text.lines().next().unwrap_or("no reason given")
                ));
            }
        }
    }
    let message = format!("{what} cannot be loaded. Looked for:\n{}", tried.join("\n"));
    Err(Error::new(Code::LibraryMissing, message))
}

#[cfg(unix)]
fn open(name: &str, symbols: Symbols) -> std::result::Result<Library, libloading::Error> {
    use libloading::os::unix;
    let scope = if symbols == Symbols::Global { unix::RTLD_GLOBAL } else { unix::RTLD_LOCAL };
    // SAFETY: initialisers of a library that the user installed or named.
    unsafe { unix::Library::open(Some(name), unix::RTLD_NOW | scope) }.map(Library::from)
}

#[cfg(not(unix))]
fn open(name: &str, _: Symbols) -> std::result::Result<Library, libloading::Error> {
    // SAFETY: initialisers of a library that the user installed or named.
    unsafe { Library::new(name) }
}

/// A symbol as a value: a function pointer, or the address of a variable. Valid while the library is open.
///
/// # Safety
/// `T` must be the type of the symbol.
pub unsafe fn symbol<T: Copy>(library: &Library, file: &str, name: &str) -> Result<T> {
    // SAFETY: the caller's.
    unsafe { library.get::<T>(name.as_bytes()) }.map(|symbol| *symbol).map_err(|error| {
        let message = format!("{file} lacks the function {name}: {error}");
        Error::new(Code::LibraryMissing, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_for_is_told() {
        let error =
            open_first("A library", &["libnot-there-1.so", "/not/there/lib.so"], Symbols::Local).unwrap_err();
        assert_eq!(error.code, Code::LibraryMissing);
        assert!(error.message.contains("libnot-there-1.so: "), "{}", error.message);
        assert!(error.message.contains("/not/there/lib.so: "), "{}", error.message);
    }
}
