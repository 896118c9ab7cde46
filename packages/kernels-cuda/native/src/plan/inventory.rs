//! The kernels that are launched, by name, and the dynamic shared memory that their launches ask for at most. A launch of
//! any other name is refused.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ift_kernel_abi::MAX_HEAD_DIM;

use super::attention;

/// Names of the kernels without dynamic shared memory of note; alternatives stand in braces. F is every float type.
const NAMES: &[&str] = &[
    "ift_adafactor_{moments,roots,sizes,totals}",
    "ift_adafactor_step_F",
    "ift_adamw_F",
    "ift_add_2d_F",
    "ift_copy_2d_{16,32}",
    "ift_axpby_F",
    "ift_cast_F_to_F",
    "ift_clip_factor",
    "ift_cross_entropy_F_F",
    "ift_dropout_F",
    "ift_fill_{8,16,32}",
    "ift_gather_rows_{16,32}",
    "ift_scatter_rows_F_F",
    "ift_layer_norm_{,backward_}F",
    "ift_rms_norm_{,backward_}F",
    "ift_row_norms_F",
    "ift_lion_F",
    "ift_mul_F",
    "ift_random_F",
    "ift_rope_F",
    "ift_scale_columns_F",
    "ift_squared_norm",
    "ift_squares_F",
    "ift_sum_{rows,products,normalised}_F",
    "ift_sum_parts",
    "ift_swiglu_{,backward_}F",
    "ift_{gelu_tanh,gelu_erf,silu,relu,tanh,sigmoid}_{,backward_}F",
    "ift_top_rows_F",
    "ift_{quantize,dequantize}_{nf4,int8}_F",
    "ift_{sum_largest,mean_largest,quantize_scales}",
    "ift_{nf4,int8}_product_{1,2,4,8,16}_F",
];

/// Every name of a pattern.
fn names(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (choices, after) = rest.split_once('}').expect("a brace is closed");
    choices.split(',').flat_map(|choice| names(&format!("{before}{choice}{after}"))).collect()
}

/// Every kernel and the most bytes of dynamic shared memory that it is launched with.
pub fn kernels() -> &'static BTreeMap<String, usize> {
    static KERNELS: OnceLock<BTreeMap<String, usize>> = OnceLock::new();
    KERNELS.get_or_init(|| {
        let patterns = NAMES.iter().map(|pattern| pattern.replace('F', "{f32,bf16,f16}"));
        let plain = patterns.flat_map(|pattern| names(&pattern)).map(|name| {
            // A cosine and a sine of each pair: of the largest head that attention takes.
            let shared = if name.starts_with("ift_rope_") { 4 * MAX_HEAD_DIM } else { 0 };
            (name, shared)
        });
        plain.chain(attention::kernels()).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_all_their_names() {
        assert_eq!(names("a_{x,y}_{1,2}"), ["a_x_1", "a_x_2", "a_y_1", "a_y_2"]);
        assert_eq!(names("a_{,b_}c"), ["a_c", "a_b_c"]);
        assert!(kernels().contains_key("ift_cast_bf16_to_f32"));
    }

    /// The kernels of the .cu files and those that are launched are the same ones.
    #[cfg(feature = "emulated")]
    #[test]
    fn what_is_compiled_is_what_is_launched() {
        let compiled = crate::driver::emulated::compiled();
        let launched: Vec<_> = kernels().keys().cloned().collect();
        assert_eq!(launched, compiled);
    }
}
