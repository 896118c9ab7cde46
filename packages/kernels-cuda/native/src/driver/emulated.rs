//! A device that is this process: kernels run at once on the processor, through the emulator.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use half::{bf16, f16};
use ift_kernel_abi::{Code, Error, FloatDType, Result};

use super::{Driver, Facts, KernelFacts, Product, expect_listed, lock};
use crate::plan::geometry::Geometry;
use crate::plan::inventory;
use crate::profile::{KernelTime, Table};

unsafe extern "C" {
    fn ift_emu_launch(
        name: *const c_char,
        args: *const c_void,
        grid_x: u32,
        grid_y: u32,
        grid_z: u32,
        block_x: u32,
        block_y: u32,
        block_z: u32,
        shared: usize,
        schedule: u32,
    ) -> c_int;
    fn ift_emu_error() -> *const c_char;
    fn ift_emu_name(index: usize) -> *const c_char;
}

/// Names of the kernels in this build, in order.
pub fn compiled() -> Vec<String> {
    // SAFETY: names are null-terminated and live as long as the process.
    let name = |index| unsafe {
        let name = ift_emu_name(index);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    };
    (0..).map_while(name).collect()
}

const ALIGN: usize = 256;

/// What was written down instead of done.
enum Recorded {
    Launch { name: String, geometry: Geometry, shared: usize, args: Vec<u8> },
    Product(Product),
    Upload { to: u64, data: Vec<u8> },
}

#[derive(Default)]
struct Recordings {
    open: Option<Vec<Recorded>>,
    kept: HashMap<u64, Arc<Vec<Recorded>>>,
    next: u64,
}

pub struct Emulated {
    facts: Facts,
    /// Order of threads, 0 to 3 (emulator/README.md).
    schedule: u32,
    blocks: Mutex<HashMap<u64, Layout>>,
    /// Bytes given out.
    given: AtomicUsize,
    /// Launches until the device is lost; never when it starts at 0.
    life: AtomicU64,
    mortal: bool,
    recordings: Mutex<Recordings>,
    profile: Mutex<Option<Table>>,
}

impl Emulated {
    /// `memory` is how many bytes it has and gives out, 0 for 8 GiB; after `life` launches it is lost, never for 0.
    pub fn new(schedule: u32, memory: usize, life: u64) -> Self {
        let facts = Facts {
            name: format!("emulated GPU, schedule {schedule}"),
            capability: (8, 0),
            multiprocessors: 1,
            memory: if memory == 0 { 8 << 30 } else { memory },
        };
        Self {
            facts,
            schedule,
            blocks: Mutex::default(),
            given: AtomicUsize::new(0),
            life: AtomicU64::new(life),
            mortal: life > 0,
            recordings: Mutex::default(),
            profile: Mutex::default(),
        }
    }
}

impl Emulated {
    fn recordings(&self) -> MutexGuard<'_, Recordings> {
        lock(&self.recordings)
    }

    fn profile(&self) -> MutexGuard<'_, Option<Table>> {
        lock(&self.profile)
    }

    /// Does `work`, and counts its time where that is wanted.
    fn time<T>(&self, kernel: &str, detail: impl FnOnce() -> String, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        if let Some(table) = &mut *self.profile() {
            table.add(kernel, &detail(), begin.elapsed().as_secs_f64() * 1e3);
        }
        result
    }

    /// Whether a recording took `what` down.
    fn record(&self, what: impl FnOnce() -> Recorded) -> bool {
        let mut recordings = self.recordings();
        recordings.open.as_mut().map(|open| open.push(what())).is_some()
    }
}

impl Driver for Emulated {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn attach(&self) -> Result<()> {
        Ok(())
    }

    fn alloc(&self, bytes: usize) -> Result<u64> {
        let refused = || Error::new(Code::OutOfMemory, format!("the device has no {bytes} bytes left"));
        let layout = Layout::from_size_align(bytes.max(1), ALIGN).map_err(|_| refused())?;
        let size = layout.size();
        let fits = |given: usize| given.checked_add(size).filter(|&sum| sum <= self.facts.memory);
        let gave = self.given.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        gave.map_err(|_| refused())?;
        // SAFETY: the size is not zero.
        let address = unsafe { alloc(layout) };
        if address.is_null() {
            self.given.fetch_sub(size, Ordering::AcqRel);
            return Err(refused());
        }
        lock(&self.blocks).insert(address as u64, layout);
        Ok(address as u64)
    }

    fn free(&self, address: u64) {
        let layout = lock(&self.blocks).remove(&address);
        if let Some(layout) = layout {
            self.given.fetch_sub(layout.size(), Ordering::AcqRel);
            // SAFETY: from `alloc` with this layout, and taken out of the table.
            unsafe { dealloc(address as *mut u8, layout) };
        }
    }

    fn upload(&self, to: u64, data: &[u8]) -> Result<()> {
        if self.record(|| Recorded::Upload { to, data: data.to_vec() }) {
            return Ok(());
        }
        // SAFETY: the caller has checked the range.
        unsafe { (to as *mut u8).copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        Ok(())
    }

    fn upload_filled(
        &self,
        to: u64,
        bytes: usize,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        // Small pieces, so that tests see several.
        let mut piece = vec![0; bytes.min(4096)];
        for at in (0..bytes).step_by(4096) {
            let piece = &mut piece[..(bytes - at).min(4096)];
            fill(piece)?;
            self.upload(to + at as u64, piece)?;
        }
        Ok(())
    }

    fn download(&self, from: u64, data: &mut [u8]) -> Result<()> {
        // SAFETY: as above.
        unsafe { data.as_mut_ptr().copy_from_nonoverlapping(from as *const u8, data.len()) };
        Ok(())
    }

    fn launch(&self, name: &str, geometry: &Geometry, shared: usize, args: &[u8]) -> Result<()> {
        expect_listed(name)?;
        let call =
            || Recorded::Launch { name: name.to_owned(), geometry: *geometry, shared, args: args.to_vec() };
        if self.record(call) {
            return Ok(());
        }
        let internal = |message| Error::new(Code::Internal, message);
        let last = |left: u64| left.checked_sub(1);
        if self.mortal && self.life.fetch_update(Ordering::AcqRel, Ordering::Acquire, last).is_err() {
            let message = format!("{name}: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure");
            return Err(Error::new(Code::DeviceLost, message));
        }
        let symbol = CString::new(name).map_err(|_| internal("a kernel name with a zero".to_owned()))?;
        let Geometry { grid, block } = geometry;
        // SAFETY: the kernel reads `args` as its struct before the call returns.
        let status = self.time(name, String::new, || unsafe {
            let args = args.as_ptr().cast();
            let ([gx, gy, gz], [bx, by, bz]) = (*grid, *block);
            ift_emu_launch(symbol.as_ptr(), args, gx, gy, gz, bx, by, bz, shared, self.schedule)
        });
        if status == 0 {
            return Ok(());
        }
        // SAFETY: a string of the emulator, valid until the next launch of this thread.
        let message = unsafe { CStr::from_ptr(ift_emu_error()) }.to_string_lossy().into_owned();
        Err(internal(message))
    }

    fn gemm(&self, p: &Product) -> Result<()> {
        p.expect_types_of_library()?;
        if !self.record(|| Recorded::Product(*p)) {
            // SAFETY: the caller has checked the lengths.
            self.time("gemm", || p.detail(), || unsafe { product(p) });
        }
        Ok(())
    }

    fn begin_recording(&self) -> Result<()> {
        self.recordings().open = Some(Vec::new());
        Ok(())
    }

    fn end_recording(&self) -> Result<u64> {
        let mut recordings = self.recordings();
        let recorded =
            recordings.open.take().ok_or_else(|| Error::new(Code::Recording, "nothing was begun"))?;
        recordings.next += 1;
        let number = recordings.next;
        recordings.kept.insert(number, Arc::new(recorded));
        Ok(number)
    }

    fn replay(&self, recording: u64) -> Result<()> {
        let recorded = self.recordings().kept.get(&recording).cloned();
        let recorded = recorded.ok_or_else(|| Error::new(Code::Recording, "there is no such recording"))?;
        for one in &*recorded {
            match one {
                Recorded::Launch { name, geometry, shared, args } => {
                    self.launch(name, geometry, *shared, args)?
                }
                Recorded::Product(product) => self.gemm(product)?,
                Recorded::Upload { to, data } => self.upload(*to, data)?,
            }
        }
        Ok(())
    }

    fn forget_recording(&self, recording: u64) {
        self.recordings().kept.remove(&recording);
    }

    fn abandon_recording(&self) {
        self.recordings().open = None;
    }

    fn stream(&self) -> usize {
        0
    }

    fn inventory(&self) -> Vec<KernelFacts> {
        let kernels = inventory::kernels().iter();
        kernels
            .map(|(name, &shared)| KernelFacts {
                name: name.clone(),
                dynamic_shared: shared as u32,
                ..KernelFacts::default()
            })
            .collect()
    }

    fn start_profile(&self) -> Result<()> {
        *self.profile() = Some(Table::default());
        Ok(())
    }

    fn stop_profile(&self) -> Result<Vec<KernelTime>> {
        Ok(self.profile().take().map_or_else(Vec::new, Table::into_times))
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

/// # Safety
/// `count` elements stand at `at`, and nothing writes to them meanwhile.
unsafe fn load(at: u64, count: usize, dtype: FloatDType) -> Vec<f32> {
    // SAFETY: the caller's elements.
    unsafe {
        match dtype {
            FloatDType::F32 => std::slice::from_raw_parts(at as *const f32, count).to_vec(),
            FloatDType::Bf16 => {
                std::slice::from_raw_parts(at as *const bf16, count).iter().map(|x| x.to_f32()).collect()
            }
            FloatDType::F16 => {
                std::slice::from_raw_parts(at as *const f16, count).iter().map(|x| x.to_f32()).collect()
            }
        }
    }
}

/// # Safety
/// There is room for the elements at `at`, and nothing else uses it meanwhile.
unsafe fn store(at: u64, values: &[f32], dtype: FloatDType) {
    // SAFETY: the caller's room.
    unsafe {
        match dtype {
            FloatDType::F32 => {
                (at as *mut f32).copy_from_nonoverlapping(values.as_ptr(), values.len());
            }
            FloatDType::Bf16 => {
                for (i, x) in values.iter().enumerate() {
                    (at as *mut bf16).add(i).write(bf16::from_f32(*x));
                }
            }
            FloatDType::F16 => {
                for (i, x) in values.iter().enumerate() {
                    (at as *mut f16).add(i).write(f16::from_f32(*x));
                }
            }
        }
    }
}

fn transposed(x: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..cols).flat_map(|c| (0..rows).map(move |r| x[r * cols + c])).collect()
}

/// Sums in f32, as tensor cores do, and rounds once.
///
/// # Safety
/// The operands hold the elements of the product, and y overlaps no other.
unsafe fn product(p: &Product) {
    let Product { m, n, k, .. } = *p;
    // SAFETY: the caller's operands.
    let (mut a, mut b) = unsafe { (load(p.a, m * k, p.dtype), load(p.b, k * n, p.dtype)) };
    if p.trans_a {
        a = transposed(&a, k, m);
    }
    if p.trans_b {
        b = transposed(&b, n, k);
    }
    // SAFETY: the caller's operand.
    let bias = if p.bias == 0 { None } else { Some(unsafe { load(p.bias, n, p.out_dtype) }) };
    let mut sum = vec![0f32; n];
    for row in 0..m {
        sum.fill(0.0);
        for (&x, line) in a[row * k..][..k].iter().zip(b.chunks_exact(n.max(1))) {
            for (sum, y) in sum.iter_mut().zip(line) {
                *sum += x * y;
            }
        }
        let at = p.y + (row * n * p.out_dtype.size()) as u64;
        // SAFETY: a row of the caller's y.
        let before = if p.accumulate { unsafe { load(at, n, p.out_dtype) } } else { Vec::new() };
        for (c, sum) in sum.iter_mut().enumerate() {
            *sum = *sum * p.alpha
                + before.get(c).copied().unwrap_or(0.0)
                + bias.as_ref().map_or(0.0, |bias| bias[c]);
        }
        // SAFETY: as above.
        unsafe { store(at, &sum, p.out_dtype) };
    }
}
