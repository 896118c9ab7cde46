//! How NCCL is called, against a library with its names that the test builds. No test of NCCL itself.

use std::ffi::{CStr, c_char, c_int};
use std::path::PathBuf;
use std::process::Command;

use ift_collectives::Reduce;
use ift_collectives::nccl::{FUNCTIONS, Nccl, NcclLibrary, UniqueId, candidates};
use ift_kernel_abi::{Code, DType};

/// Compiles the mock; none, with the reason printed, where there is no C++ compiler. Under CI there has to be one.
fn mock(name: &str, flags: &[&str]) -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("lib{name}-{}.so", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mock_nccl.cpp");
    let mut command = Command::new("c++");
    command.args(["-std=c++17", "-shared", "-fPIC", "-pthread", "-o"]).arg(&file).arg(source).args(flags);
    match command.output() {
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "the mock of NCCL needs a C++ compiler: {error}");
            println!("skipped: the mock of NCCL needs a C++ compiler ({error})");
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(file.to_string_lossy().into_owned())
        }
    }
}

fn address<T>(data: &mut [T]) -> usize {
    data.as_mut_ptr() as usize
}

/// One rank's run through every collective; returns what it got.
fn run(file: &str, id: UniqueId, rank: usize, size: usize) -> Nccl {
    let comm = NcclLibrary::open(&[file.to_owned()]).unwrap().join(id, rank, size).unwrap();
    assert_eq!((comm.rank(), comm.size()), (rank, size));
    let (r, s) = (rank as f32, size as f32);
    let total = s * (s - 1.0) / 2.0;
    // SAFETY: the mock works on host memory and before it returns.
    unsafe {
        let mut sum: Vec<f32> = (0..5).map(|i| i as f32 + r).collect();
        comm.all_reduce(address(&mut sum), 5, DType::F32, Reduce::Sum, 77).unwrap();
        assert_eq!(sum, (0..5).map(|i| i as f32 * s + total).collect::<Vec<_>>());
        let mut max = [rank as i32, -(rank as i32)];
        comm.all_reduce(address(&mut max), 2, DType::I32, Reduce::Max, 77).unwrap();
        assert_eq!(max, [size as i32 - 1, 0]);
        let (mut parts, mut part) = ((0..2 * size).map(|i| i as f32 + r).collect::<Vec<_>>(), [0.0; 2]);
        comm.reduce_scatter(address(&mut part), address(&mut parts), 2, DType::F32, 77).unwrap();
        assert_eq!(part, [0, 1].map(|i| (2 * rank + i) as f32 * s + total));
        let (mut own, mut every) = ([rank as u16; 3], vec![0u16; 3 * size]);
        comm.all_gather(address(&mut every), address(&mut own), 3, DType::Bf16, 77).unwrap();
        assert_eq!(every, (0..3 * size).map(|i| (i / 3) as u16).collect::<Vec<_>>());
        let mut bytes = [rank as u8; 4];
        comm.group(|| comm.broadcast(address(&mut bytes), 4, DType::U8, 1, 77)).unwrap();
        assert_eq!(bytes, [1; 4]);
        let refused = comm.all_reduce(address(&mut own), 3, DType::Bf16, Reduce::Sum, 77).unwrap_err();
        assert_eq!(refused.code, Code::Dtype);
        let root = comm.broadcast(address(&mut bytes), 4, DType::U8, size, 77).unwrap_err();
        assert_eq!(root.code, Code::Argument);
    }
    comm
}

#[test]
fn every_rank_begins_with_the_id_of_rank_0_and_calls_in_order() {
    let Some(file) = mock("nccl", &[]) else { return };
    let first = NcclLibrary::open(std::slice::from_ref(&file)).unwrap();
    assert_eq!(first.version, 23007);
    let id = first.unique_id().unwrap();
    assert_ne!(id, first.unique_id().unwrap());
    let comms: Vec<_> = std::thread::scope(|scope| {
        let ranks: Vec<_> = (0..3)
            .map(|rank| {
                let file = &file;
                scope.spawn(move || run(file, id, rank, 3))
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    });
    // SAFETY: functions and a variable of the mock.
    let (calls, async_error) = unsafe {
        let library = libloading::Library::new(&file).unwrap();
        let calls = *library.get::<unsafe extern "C" fn(c_int) -> *const c_char>("mock_calls").unwrap();
        let error = *library.get::<*mut c_int>("mock_async_error").unwrap();
        std::mem::forget(library);
        (calls, error)
    };
    for (rank, comm) in comms.into_iter().enumerate() {
        assert_eq!(comm.description(), format!("NCCL 2.30.7 ({file})"));
        comm.check_async().unwrap();
        // SAFETY: only this thread is left.
        unsafe { *async_error = 6 };
        let lost = comm.check_async().unwrap_err();
        assert_eq!(lost.code, Code::Collective);
        assert_eq!(lost.message, "a collective failed: remote process exited (6)");
        // SAFETY: as above.
        unsafe { *async_error = 0 };
        if rank == 0 {
            comm.leave().unwrap()
        } else {
            comm.abort().unwrap()
        }
        // SAFETY: a text of the mock.
        let said = unsafe { CStr::from_ptr(calls(rank as c_int)) }.to_str().unwrap();
        let expected = format!(
            "init {rank} of 3\nallReduce n=5 dtype=7 0 stream=77\nallReduce n=2 dtype=2 2 stream=77\n\
             reduceScatter n=2 dtype=7 0 stream=77\nallGather n=3 dtype=9 -1 stream=77\n\
             broadcast n=4 dtype=1 1 stream=77\n{}\n",
            if rank == 0 { "destroy" } else { "abort" }
        );
        assert_eq!(said, expected);
    }
    let stranger = NcclLibrary::open(&[file]).unwrap().join(UniqueId([9; 128]), 0, 1);
    let Err(stranger) = stranger else { panic!("a foreign id was taken") };
    assert_eq!(stranger.message, "ncclCommInitRank failed: invalid argument (4)");
}

#[test]
fn a_library_that_is_missing_old_or_incomplete_is_told_by_name() {
    let Err(missing) = NcclLibrary::open(&candidates(Some("/not/there/libnccl.so.2"), |_| None)) else {
        panic!("a library that is not there was opened")
    };
    assert_eq!(missing.code, Code::LibraryMissing);
    assert!(missing.message.contains("/not/there/libnccl.so.2"), "{}", missing.message);
    let Some(old) = mock("nccl-old", &["-DVERSION=20705"]) else { return };
    let Err(old) = NcclLibrary::open(&[old]) else { panic!("an old version was taken") };
    assert_eq!(old.code, Code::BackendUnavailable);
    assert!(old.message.contains("is NCCL 2.7.5, expected 2.10.3 or newer"), "{}", old.message);
    let Some(cut) = mock("nccl-cut", &["-DWITHOUT_BROADCAST"]) else { return };
    let Err(cut) = NcclLibrary::open(&[cut]) else { panic!("an incomplete library was taken") };
    assert_eq!(cut.code, Code::LibraryMissing);
    assert!(cut.message.contains("lacks the function ncclBroadcast"), "{}", cut.message);
    assert_eq!(FUNCTIONS.len(), 13);
}

#[test]
fn the_toolkit_and_python_packages_are_searched_behind_the_loader() {
    let prefix = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{}", std::process::id()));
    std::fs::create_dir_all(prefix.join("lib/python3.12")).unwrap();
    let there = prefix.to_string_lossy().into_owned();
    let files = candidates(None, |name| match name {
        "CUDA_HOME" => Some("/opt/cuda".to_owned()),
        "VIRTUAL_ENV" => Some(there.clone()),
        _ => None,
    });
    let python = format!("{there}/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2");
    let expected =
        ["libnccl.so.2", "/opt/cuda/lib64/libnccl.so.2", "/usr/local/cuda/lib64/libnccl.so.2", &python];
    assert_eq!(files, expected);
    std::fs::remove_dir_all(prefix).unwrap();
}

#[test]
fn the_folder_of_cuda_and_that_of_the_wheel_beside_it_come_first() {
    let files = candidates(None, |name| (name == "IFT_CUDA_LIB").then(|| "/site/nvidia/cu13/lib".to_owned()));
    let expected = [
        "/site/nvidia/cu13/lib/libnccl.so.2",
        "/site/nvidia/nccl/lib/libnccl.so.2",
        "libnccl.so.2",
        "/usr/local/cuda/lib64/libnccl.so.2",
    ];
    assert_eq!(files, expected);
}

#[test]
fn a_named_folder_is_looked_in() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    assert_eq!(candidates(Some(folder), |_| None), [format!("{folder}/libnccl.so.2")]);
    assert_eq!(candidates(Some("/not/there"), |_| None), ["/not/there"]);
}
