//! Element types of kernels and the step from a run-time dtype to a compile-time one.

pub use ift_kernel_abi::{DType, FloatDType};

/// Calls `$body` with the [`crate::element::Element`] that belongs to a [`FloatDType`].
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            $crate::dtype::FloatDType::F32 => {
                type $name = f32;
                $body
            }
            $crate::dtype::FloatDType::Bf16 => {
                type $name = $crate::element::Bf16;
                $body
            }
            $crate::dtype::FloatDType::F16 => {
                type $name = $crate::element::F16;
                $body
            }
        }
    };
}
pub use with_element;
