//! Kernels of the modules that are loaded on a device.

use std::collections::HashMap;
use std::ffi::{CString, c_int};
use std::ptr::null_mut;
use std::sync::Mutex;

use ift_kernel_abi::{Code, Error, Result};

use super::api::{Api, Handle, SUCCESS};
use super::{KernelFacts, expect_listed, lock};
use crate::plan::inventory;

// Attributes of a function.
const LARGEST_BLOCK: c_int = 0;
const SHARED_BYTES: c_int = 1;
const CONST_BYTES: c_int = 2;
const LOCAL_BYTES: c_int = 3;
const REGISTERS: c_int = 4;
const MAX_DYNAMIC_SHARED: c_int = 8;
/// Shared memory that a block has without asking.
const PLAIN_SHARED: usize = 48 << 10;

/// A kernel, and the dynamic shared memory that it was last allowed.
#[derive(Clone, Copy)]
struct Function {
    handle: usize,
    shared: usize,
}

#[derive(Default)]
pub struct Functions {
    modules: Vec<Handle>,
    found: Mutex<HashMap<String, Function>>,
}

impl Functions {
    /// Loads modules; the context is current.
    pub fn load(&mut self, api: &Api, images: &[&[u8]]) -> Result<()> {
        for image in images {
            let mut module = null_mut();
            // SAFETY: a pointer to a local, and a whole image.
            let status = unsafe { (api.module_load)(&raw mut module, image.as_ptr().cast()) };
            api.expect("cuModuleLoadData", status)?;
            self.modules.push(module);
        }
        Ok(())
    }

    /// # Safety
    /// The context is current, and no kernel runs.
    pub unsafe fn unload(&mut self, api: &Api) {
        for module in self.modules.drain(..) {
            // SAFETY: from `load`.
            unsafe { (api.module_unload)(module) };
        }
    }

    fn find(&self, api: &Api, name: &str) -> Result<Handle> {
        expect_listed(name)?;
        let symbol = CString::new(name).map_err(|_| Error::new(Code::Internal, "a name with a zero"))?;
        for module in &self.modules {
            let mut function = null_mut();
            // SAFETY: a loaded module.
            if unsafe { (api.module_function)(&raw mut function, *module, symbol.as_ptr()) } == SUCCESS {
                return Ok(function);
            }
        }
        Err(Error::new(Code::Internal, format!("no kernel named {name} in this add-on")))
    }

    /// The kernel of that name, allowed `shared` bytes of dynamic shared memory.
    pub fn get(&self, api: &Api, name: &str, shared: usize) -> Result<Handle> {
        let mut found = lock(&self.found);
        let known = found.get(name).copied();
        let function = match known {
            Some(function) => function,
            None => Function { handle: self.find(api, name)? as usize, shared: PLAIN_SHARED },
        };
        let handle = function.handle as Handle;
        if shared > function.shared {
            // SAFETY: a function of a loaded module.
            let status = unsafe { (api.function_set)(handle, MAX_DYNAMIC_SHARED, shared as c_int) };
            api.expect(&format!("{shared} bytes of shared memory for {name}"), status)?;
        }
        if known.is_none_or(|known| shared > known.shared) {
            let shared = shared.max(function.shared);
            found.insert(name.to_owned(), Function { handle: function.handle, shared });
        }
        Ok(handle)
    }

    /// Every kernel that is launched. The context is current.
    pub fn inventory(&self, api: &Api) -> Vec<KernelFacts> {
        let kernels = inventory::kernels().iter();
        kernels
            .map(|(name, &shared)| {
                let mut facts = KernelFacts {
                    name: name.clone(),
                    dynamic_shared: shared as u32,
                    ..KernelFacts::default()
                };
                facts.error = self.describe(api, shared, &mut facts).err().map(|error| error.message);
                facts
            })
            .collect()
    }

    fn describe(&self, api: &Api, shared: usize, facts: &mut KernelFacts) -> Result<()> {
        let function = self.get(api, &facts.name, shared)?;
        for (attribute, into) in [
            (LARGEST_BLOCK, &mut facts.largest_block),
            (SHARED_BYTES, &mut facts.shared_bytes),
            (CONST_BYTES, &mut facts.const_bytes),
            (LOCAL_BYTES, &mut facts.local_bytes),
            (REGISTERS, &mut facts.registers),
        ] {
            let mut value = 0;
            // SAFETY: a pointer to a local, and a function of a loaded module.
            let status = unsafe { (api.function_get)(&raw mut value, attribute, function) };
            api.expect("cuFuncGetAttribute", status)?;
            *into = value as u32;
        }
        Ok(())
    }
}
