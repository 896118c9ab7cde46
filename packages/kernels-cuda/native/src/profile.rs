//! Time by kernel, of the launches between the start of a profile and its end.

use std::collections::BTreeMap;

/// Calls of one kernel. `detail` sets them apart from others of the kernel: the shape of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    pub kernel: String,
    pub detail: String,
    pub calls: u64,
    pub ms: f64,
}

/// Times added up by kernel and detail.
#[derive(Default)]
pub struct Table(BTreeMap<(String, String), (u64, f64)>);

impl Table {
    pub fn add(&mut self, kernel: &str, detail: &str, ms: f64) {
        let (calls, sum) = self.0.entry((kernel.to_owned(), detail.to_owned())).or_default();
        *calls += 1;
        *sum += ms;
    }

    pub fn into_times(self) -> Vec<KernelTime> {
        let times = self.0.into_iter();
        times.map(|((kernel, detail), (calls, ms))| KernelTime { kernel, detail, calls, ms }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_kernel_and_shape_are_added_up() {
        let mut table = Table::default();
        table.add("gemm", "2x2x2", 0.5);
        table.add("copy", "", 1.0);
        table.add("gemm", "2x2x2", 0.25);
        table.add("gemm", "3x2x2", 2.0);
        let time = |kernel: &str, detail: &str, calls, ms| KernelTime {
            kernel: kernel.to_owned(),
            detail: detail.to_owned(),
            calls,
            ms,
        };
        let expected =
            [time("copy", "", 1, 1.0), time("gemm", "2x2x2", 2, 0.75), time("gemm", "3x2x2", 1, 2.0)];
        assert_eq!(table.into_times(), expected);
    }
}
