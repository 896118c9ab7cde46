//! Matrix products in any types, by the library of the device. It takes outputs of the type of the inputs or in f32, with a
//! bias of the output's type; the rest is converted around it.

use ift_kernel_abi::{Code, Error, FloatDType, Result, product as elements};

use super::elementwise::Cast;
use crate::device::{Checked, address};
use crate::driver::Product;
use crate::launch::Context;

/// Int8 matrices are written out for products on this device.
pub fn refuse_int8(scales: Option<u32>) -> Result<()> {
    match scales {
        None => Ok(()),
        Some(_) => {
            Err(Error::new(Code::Argument, "products over an int8 matrix itself are not for this device"))
        }
    }
}

/// A product and the conversions around it.
pub struct AnyProduct {
    before: Vec<Cast>,
    product: Product,
    after: Option<Cast>,
}

impl AnyProduct {
    /// Of a product whose bias has the type of its inputs.
    pub fn of(args: &Checked<'_>, mut product: Product) -> Result<Self> {
        let Product { m, n, dtype, out_dtype, y, .. } = product;
        let (mut before, mut after) = (Vec::new(), None);
        if !product.has_types_of_library() {
            let whole = elements(&[m, n])?;
            let sum = address(args.scratch(elements(&[whole, 4])?)?);
            if product.accumulate {
                before.push(Cast::of((sum, FloatDType::F32), (y, out_dtype), whole)?);
            }
            after = Some(Cast::of((y, out_dtype), (sum, FloatDType::F32), whole)?);
            product = Product { y: sum, out_dtype: FloatDType::F32, ..product };
        }
        if product.bias != 0 && product.out_dtype != dtype {
            let bias = address(args.scratch(elements(&[n, product.out_dtype.size()])?)?);
            before.push(Cast::of((bias, product.out_dtype), (product.bias, dtype), n)?);
            product.bias = bias;
        }
        Ok(Self { before, product, after })
    }

    pub fn run(&self, context: &Context) -> Result<()> {
        self.before.iter().try_for_each(|cast| cast.run(context))?;
        context.driver().gemm(&self.product)?;
        self.after.iter().try_for_each(|cast| cast.run(context))
    }
}
