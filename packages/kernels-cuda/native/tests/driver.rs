//! The driver of real GPUs, without one: over stubs of libcuda and cuBLASLt that hold it to their rules. What kernels and
//! products compute is tested elsewhere; here it is that every call is allowed where it is made.

#![cfg(all(unix, not(feature = "emulated")))]

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use ift_kernel_abi::{Code, Error, FloatDType, Result};
use ift_kernels_cuda::device::Device;
use ift_kernels_cuda::driver::{Driver, Product};
use ift_kernels_cuda::kernels::elementwise::{axpby, cast, fill};
use ift_kernels_cuda::kernels::gemm::gemm;
use ift_kernels_cuda::launch::Context;
use ift_kernels_cuda::node;
use ift_kernels_cuda::plan::inventory;

mod stub;
use stub::Machine;

const ILLEGAL_ADDRESS: i32 = 700;
const F32: u32 = 0;
const BF16: u32 = 1;

/// A device by its number, as JavaScript has it.
fn register(driver: Arc<dyn Driver>) -> (u32, Rc<Device>) {
    let number = node::register(driver).expect("a device").device;
    (number, node::device_of(number).expect("it is open"))
}

fn close(number: u32, device: Rc<Device>) {
    drop(device);
    node::close(number);
}

fn wait(device: &Device) -> Result<()> {
    let (done, waited) = channel();
    device.fence(move |result| done.send(result).expect("somebody waits"));
    waited.recv().expect("an answer")
}

fn read(device: &Device, id: u32, bytes: usize) -> Vec<u8> {
    let (done, waited) = channel();
    device.read(id, 0, bytes, move |result| done.send(result).expect("somebody waits")).unwrap();
    waited.recv().expect("an answer").unwrap()
}

fn expect(outcome: Option<node::Failure>) {
    if let Some(failure) = outcome {
        panic!("{}: {}", failure.code, failure.message);
    }
}

/// y [m, 8] in `out` = a [m, 16] · bᵀ in bf16, with or without a bias.
fn multiply(number: u32, [y, a, b]: [u32; 3], bias: u32, m: usize, out: u32) {
    let numbers = [y, a, b, bias, m as u32, 8, 16, 0, 1, 1, 0, BF16, out, 0].map(f64::from);
    expect(gemm(number, &numbers));
}

#[test]
fn every_handle_is_given_back_once() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open(0));
    // More than both halves of the pinned memory.
    let data: Vec<u8> = (0..40usize << 20).map(|i| (i % 251) as u8).collect();
    let (x, y) = (device.alloc(data.len()).unwrap(), device.alloc(1 << 20).unwrap());
    device.write(x, &data, 0).unwrap();
    for at in 0..100 {
        device.write(y, &[at; 10_000], 10_000 * usize::from(at)).unwrap();
    }
    assert!(read(&device, x, data.len()) == data);
    assert!(read(&device, y, 1_000_000).chunks(10_000).zip(0..).all(|(piece, at)| piece == [at; 10_000]));
    expect(fill(number, y, 1.0, 1000.0, F32));
    multiply(number, [x, y, y], 0, 4, BF16);
    multiply(number, [x, y, y], y, 4, F32);
    wait(&device).unwrap();
    assert_eq!(machine.launched(), ["ift_fill_32", "ift_cast_bf16_to_f32"]);
    close(number, device);
    machine.expect_clean();
}

#[test]
fn a_recording_keeps_what_its_replays_copy_from() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open(0));
    let [x, y] = [device.alloc(4096).unwrap(), device.alloc(4096).unwrap()];
    device.begin_recording().unwrap();
    device.write(x, &[7; 100], 0).unwrap();
    expect(cast(number, y, x, 100.0, F32, F32));
    multiply(number, [x, y, y], y, 4, F32);
    let recording = device.end_recording().unwrap();
    assert_eq!(read(&device, x, 100), [0; 100]);
    for other in [1, 2] {
        device.write(x, &[other; 100], 0).unwrap();
        device.replay(recording).unwrap();
        assert_eq!(read(&device, x, 100), [7; 100]);
    }
    device.forget_recording(recording).unwrap();
    wait(&device).unwrap();
    // A device that is closed while it records, and before its queue has come to what was forgotten.
    device.begin_recording().unwrap();
    device.write(x, &[7; 100], 0).unwrap();
    let recording = device.end_recording().unwrap();
    wait(&device).unwrap();
    let slow = |_: &Context| {
        std::thread::sleep(Duration::from_millis(200));
        Ok(())
    };
    device.kernel("slow", |_| Ok(slow)).unwrap();
    device.forget_recording(recording).unwrap();
    close(number, device);
    machine.expect_clean();
    let (number, device) = register(machine.open(0));
    let x = device.alloc(4096).unwrap();
    device.begin_recording().unwrap();
    device.write(x, &[7; 100], 0).unwrap();
    // Asks the queue, which has then come to the recording.
    device.inventory().unwrap();
    close(number, device);
    machine.expect_clean();
}

#[test]
fn memory_that_ends_while_work_is_recorded() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open(0));
    let (kept, x) = (device.alloc(1 << 20).unwrap(), device.alloc(4096).unwrap());
    expect(fill(number, kept, 0.0, 1000.0, F32));
    device.free(kept).unwrap();
    machine.limit_memory(machine.given() + 100_000);
    device.begin_recording().unwrap();
    expect(fill(number, x, 0.0, 1000.0, F32));
    let error = device.alloc(1 << 19).unwrap_err();
    assert_eq!(error.code, Code::Recording);
    let recording = device.end_recording().unwrap();
    device.forget_recording(recording).unwrap();
    wait(&device).unwrap();
    // Nothing was broken: what is kept goes back to the device for it.
    device.alloc(1 << 19).unwrap();
    device.begin_recording().unwrap();
    expect(fill(number, x, 0.0, 1000.0, F32));
    let recording = device.end_recording().unwrap();
    device.replay(recording).unwrap();
    wait(&device).unwrap();
    // Forgetting waits for the device, too.
    device.begin_recording().unwrap();
    assert_eq!(device.forget_recording(recording).unwrap_err().code, Code::Recording);
    device.inventory().unwrap();
    close(number, device);
    machine.expect_clean();
}

#[test]
fn an_asynchronous_error_names_what_was_launched_and_stays() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open(0));
    let [x, y] = [device.alloc(4096).unwrap(), device.alloc(4096).unwrap()];
    expect(fill(number, x, 0.0, 1000.0, F32));
    wait(&device).unwrap();
    machine.fail(1, ILLEGAL_ADDRESS);
    expect(cast(number, y, x, 1000.0, F32, F32));
    expect(axpby(number, y, 1.0, x, 1.0, y, 1000.0, F32));
    multiply(number, [x, y, y], 0, 4, BF16);
    let Error { code, message } = wait(&device).unwrap_err();
    assert_eq!(code, Code::DeviceLost);
    let named = "Launched since the last wait, the last one first: gemm 4x8x16 nt bf16 -> bf16, ift_axpby_f32, \
                 ift_cast_f32_to_f32. CUDA_LAUNCH_BLOCKING=1 names the one that failed";
    assert!(message.starts_with("waiting for the GPU: CUDA_ERROR_ILLEGAL_ADDRESS: "), "{message}");
    assert!(message.ends_with(named), "{message}");
    // Every later call says so at once, with the first error.
    let before = machine.launched().len();
    expect(fill(number, x, 0.0, 1000.0, F32));
    for error in [wait(&device).unwrap_err(), device.alloc(64 << 20).unwrap_err()] {
        assert_eq!(error.code, Code::DeviceLost);
        assert!(error.message.contains(&format!("the GPU was lost before: {message}")), "{}", error.message);
    }
    assert_eq!(machine.launched().len(), before);
    close(number, device);
    machine.expect_clean();
}

#[test]
fn launches_that_are_waited_for_name_the_kernel() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open_with(0, true, |_| true));
    let [x, y] = [device.alloc(4096).unwrap(), device.alloc(4096).unwrap()];
    machine.fail(1, ILLEGAL_ADDRESS);
    expect(cast(number, y, x, 1000.0, F32, F32));
    expect(axpby(number, y, 1.0, x, 1.0, y, 1000.0, F32));
    expect(fill(number, x, 0.0, 1000.0, F32));
    let error = wait(&device).unwrap_err();
    let expected =
        "axpby: ift_axpby_f32: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered";
    assert_eq!((error.code, error.message.as_str()), (Code::DeviceLost, expected));
    assert_eq!(machine.launched(), ["ift_cast_f32_to_f32", "ift_axpby_f32"]);
    close(number, device);
    machine.expect_clean();
}

#[test]
fn two_devices_of_one_thread() {
    let Some(machine) = Machine::new() else { return };
    let devices = [register(machine.open(0)), register(machine.open(1))];
    let mut ids = Vec::new();
    for bytes in [1000, 100_000, 10_000_000] {
        for (number, device) in &devices {
            let id = device.alloc(bytes).unwrap();
            device.write(id, &vec![*number as u8 + 1; bytes], 0).unwrap();
            let copy = device.alloc(bytes).unwrap();
            expect(cast(*number, copy, id, 10.0, F32, F32));
            device.free(copy).unwrap();
            ids.push((device, id));
        }
    }
    for (device, id) in ids {
        assert!(read(device, id, 1000).iter().all(|byte| *byte > 0));
        device.free(id).unwrap();
    }
    // What is kept goes back to either.
    machine.limit_memory(machine.given());
    for (_, device) in &devices {
        device.alloc(9_000_000).unwrap();
    }
    for (number, device) in devices {
        close(number, device);
    }
    machine.expect_clean();
    // Whoever was called last, memory goes back where it came from.
    machine.limit_memory(usize::MAX);
    let gpus = [machine.open(0), machine.open(1)];
    let addresses = gpus.each_ref().map(|gpu| gpu.alloc(1000).unwrap());
    for (gpu, address) in gpus.iter().zip(addresses) {
        gpu.free(address);
    }
    drop(gpus);
    machine.expect_clean();
}

fn product(m: usize) -> Product {
    Product {
        m,
        n: 512,
        k: 256,
        trans_a: false,
        trans_b: true,
        alpha: 1.0,
        accumulate: false,
        dtype: FloatDType::Bf16,
        out_dtype: FloatDType::Bf16,
        y: 4096,
        a: 8192,
        b: 16384,
        bias: 0,
    }
}

#[test]
fn an_algorithm_that_is_refused_gives_way_to_the_next() {
    const REFUSED: i32 = 15;
    let Some(machine) = Machine::new() else { return };
    let gpu = machine.open(0);
    // The first is not what it says, the second is refused when it is used.
    machine.algorithm(1, REFUSED, 0, 0);
    machine.algorithm(2, 0, 0, REFUSED);
    gpu.gemm(&product(100)).unwrap();
    assert_eq!(machine.tried(), "2 3");
    gpu.gemm(&product(100)).unwrap();
    // Other numbers of rows of the same choice know it too.
    gpu.gemm(&product(101)).unwrap();
    assert_eq!((machine.tried().as_str(), machine.asked()), ("3 3", 1));
    // Not one of the choice serves for another number: it is asked for by itself.
    (3..9).for_each(|number| machine.algorithm(number, 0, REFUSED, 0));
    gpu.gemm(&product(102)).unwrap();
    assert_eq!((machine.tried().as_str(), machine.asked()), ("2 3", 2));
    gpu.gemm(&product(102)).unwrap();
    assert_eq!((machine.tried().as_str(), machine.asked()), ("3", 2));
    // All of them refused.
    (1..9).for_each(|number| machine.algorithm(number, 0, 0, REFUSED));
    let error = gpu.gemm(&product(103)).unwrap_err();
    assert!(error.message.contains("no algorithm for Product { m: 103"), "{}", error.message);
    assert!(error.message.contains("refused were CUBLAS_STATUS_NOT_SUPPORTED, CUBLAS"), "{}", error.message);
    drop(gpu);
    machine.expect_clean();
}

#[test]
fn a_product_that_may_have_begun_is_not_begun_again() {
    const EXECUTION_FAILED: i32 = 13;
    let Some(machine) = Machine::new() else { return };
    let gpu = machine.open(0);
    machine.algorithm(1, 0, 0, EXECUTION_FAILED);
    let error = gpu.gemm(&product(100)).unwrap_err();
    assert_eq!(machine.tried(), "1");
    let expected =
        "cublasLtMatmul of 100x512x256 nt bf16 -> bf16: cuBLAS status 13, CUBLAS_STATUS_EXECUTION_FAILED";
    assert_eq!(error.message, expected);
    drop(gpu);
    machine.expect_clean();
}

#[test]
fn packed_batches_of_ever_new_lengths_leave_no_plans_behind() {
    let Some(machine) = Machine::new() else { return };
    let gpu = machine.open(0);
    for m in 1..2049 {
        gpu.gemm(&product(m)).unwrap();
    }
    // Up to 64 by themselves, then in steps of 64 up to 1024 and of 128 up to 2048.
    assert_eq!(machine.asked(), 64 + 15 + 8);
    assert!(machine.most_objects() < 4 * 260, "{}", machine.most_objects());
    drop(gpu);
    machine.expect_clean();
}

#[test]
fn the_library_is_asked_for_no_product_that_it_does_not_have() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open(0));
    let buffers = [0; 3].map(|_| device.alloc(1 << 16).unwrap());
    for dtype in 0..3 {
        for out in 0..3 {
            for (bias, beta) in [(0, 0), (buffers[2], 0), (0, 1), (buffers[2], 1)] {
                let [y, a, b] = buffers;
                let numbers = [y, a, b, bias, 4, 8, 16, 0, 1, 1, beta, dtype, out, 0].map(f64::from);
                expect(gemm(number, &numbers));
                wait(&device).unwrap();
            }
        }
    }
    close(number, device);
    machine.expect_clean();
}

#[test]
fn the_inventory_tells_what_each_kernel_is_and_which_is_missing() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open_with(0, false, |name| name != "ift_rms_norm_f16"));
    let kernels = device.inventory().unwrap();
    assert_eq!(kernels.len(), inventory::kernels().len());
    for kernel in kernels {
        if kernel.name == "ift_rms_norm_f16" {
            assert_eq!(kernel.error.unwrap(), "no kernel named ift_rms_norm_f16 in this add-on");
            continue;
        }
        assert_eq!(kernel.error, None);
        let sizes = [kernel.largest_block, kernel.shared_bytes, kernel.const_bytes, kernel.local_bytes];
        assert_eq!((sizes, kernel.registers), ([1024, 16, 544, 8], 40));
        assert_eq!(kernel.dynamic_shared as usize, inventory::kernels()[&kernel.name]);
    }
    close(number, device);
    machine.expect_clean();
}

#[test]
fn kernels_without_a_place_in_the_inventory_are_refused() {
    let Some(machine) = Machine::new() else { return };
    let gpu = machine.open(0);
    let geometry = ift_kernels_cuda::plan::geometry::Geometry { grid: [1; 3], block: [1; 3] };
    let error = gpu.launch("ift_none", &geometry, 0, &[0; 8]).unwrap_err();
    assert_eq!(error.message, "ift_none is not in the list of kernels");
    drop(gpu);
    machine.expect_clean();
}

#[test]
fn a_profile_measures_launches_and_leaves_no_events() {
    let Some(machine) = Machine::new() else { return };
    let (number, device) = register(machine.open(0));
    let [x, y] = [device.alloc(4096).unwrap(), device.alloc(4096).unwrap()];
    device.start_profile().unwrap();
    for _ in 0..3 {
        expect(cast(number, y, x, 1000.0, F32, F32));
    }
    device.begin_recording().unwrap();
    expect(fill(number, x, 0.0, 1000.0, F32));
    let recording = device.end_recording().unwrap();
    device.replay(recording).unwrap();
    multiply(number, [x, y, y], 0, 4, BF16);
    let times = device.stop_profile().unwrap();
    let rows: Vec<_> = times.iter().map(|t| (t.kernel.as_str(), t.detail.as_str(), t.calls, t.ms)).collect();
    let expected = [
        ("gemm", "4x8x16 nt bf16 -> bf16", 1, 0.25),
        ("ift_cast_f32_to_f32", "", 3, 0.75),
        ("replay", "of 1 launches", 1, 0.25),
    ];
    assert_eq!(rows, expected);
    // One that is never stopped.
    device.start_profile().unwrap();
    expect(cast(number, y, x, 1000.0, F32, F32));
    device.inventory().unwrap();
    close(number, device);
    machine.expect_clean();
}
