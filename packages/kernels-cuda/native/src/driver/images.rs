//! The kernels as nvcc compiled them.

/// Bytes at an address that the driver accepts for an image.
#[allow(dead_code, reason = "without nvcc there are no images")]
#[repr(C, align(16))]
struct Aligned<T: ?Sized>(T);

/// The bytes of a file, aligned to 16.
#[allow(unused_macros, reason = "without nvcc there are no images")]
macro_rules! aligned_bytes {
    ($file:expr) => {{
        const BYTES: &Aligned<[u8]> = &Aligned(*include_bytes!($file));
        &BYTES.0
    }};
}

include!(concat!(env!("OUT_DIR"), "/images.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_aligned() {
        let files: [&[u8]; 4] = [
            aligned_bytes!("api.rs"),
            aligned_bytes!("images.rs"),
            aligned_bytes!("library.rs"),
            aligned_bytes!("timing.rs"),
        ];
        for image in files.iter().chain(IMAGES) {
            assert_eq!(image.as_ptr() as usize % 16, 0);
        }
    }
}
