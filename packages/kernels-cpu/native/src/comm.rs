//! Collectives of CPU ranks over MPI, put in line behind the kernels that made their data.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ift_collectives::Reduce;
use ift_collectives::mpi::{Abi, MPICH, Mpi, OPEN_MPI};
use ift_kernel_abi::{Code, DType, Error, Result, size};
use napi::bindgen_prelude::{Either, Env, Object};
use napi_derive::napi;

use crate::node::{Failure, device_of, kernel};
use crate::queue::closed;

/// MPI belongs to the process: all devices share it.
static WORLD: Mutex<Option<Mpi>> = Mutex::new(None);

fn with_world<T>(body: impl FnOnce(&mut Mpi) -> Result<T>) -> Result<T> {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let none = || Error::new(Code::BackendClosed, "this process has left the communicator");
    body(world.as_mut().ok_or_else(none)?)
}

/// Which rank this process is, and over which library it talks.
#[napi(object, object_from_js = false)]
pub struct World {
    pub rank: u32,
    pub size: u32,
    pub library: String,
}

fn join(abi: &'static Abi, path: Option<&str>, timeout: Duration) -> Result<World> {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    if world.is_none() {
        *world = Some(Mpi::start(abi, path, timeout)?);
    }
    let ift_collectives::mpi::World { rank, size, library } =
        world.as_ref().map(Mpi::world).ok_or_else(closed)?;
    Ok(World { rank: rank as u32, size: size as u32, library })
}

/// Starts MPI on the device's thread, which waits there for the other ranks. `kind` is 'openmpi' or 'mpich'; `path` names
/// the library, null looks for it. A collective that waits longer than `timeout` seconds for a rank fails.
#[napi(ts_return_type = "Promise<World | Failure>")]
pub fn comm_join<'env>(
    env: &'env Env,
    device: u32,
    kind: String,
    path: Option<String>,
    timeout: f64,
) -> napi::Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let abi = if kind == "mpich" { &MPICH } else { &OPEN_MPI };
    // Half a century is as good as for ever, and an Instant can still count it.
    let timeout = Duration::from_secs_f64(timeout.clamp(0.0, 1.6e9));
    let run = move |before: Result<()>| {
        let world = before.and_then(|()| join(abi, path.as_deref(), timeout));
        deferred.resolve(move |_| {
            Ok(match world {
                Ok(world) => Either::A(world),
                Err(error) => Either::B(Failure::from(error)),
            })
        });
    };
    match device_of(device) {
        Some(device) => device.fence(run),
        None => run(Err(closed())),
    }
    Ok(promise)
}

#[napi]
pub fn comm_all_reduce(device: u32, buf: u32, n: f64, dtype: u32, op: u32) -> Option<Failure> {
    kernel(device, "allReduce", |args| {
        let (dtype, op, n) = (DType::from_code(dtype)?, Reduce::from_code(op)?, size("n", n)?);
        let data = args.output("buf", buf, &[n], dtype)?;
        Ok(move |context: &_| {
            // SAFETY: the queue runs no other kernel meanwhile.
            let data = unsafe { data.all(context) };
            with_world(|mpi| mpi.all_reduce(data, dtype, op))
        })
    })
}

/// The number of ranks, which the lengths of gathered buffers depend on. Waits for a collective that is under way.
fn ranks() -> Result<usize> {
    with_world(|mpi| Ok(mpi.world().size))
}

#[napi]
pub fn comm_reduce_scatter(
    device: u32,
    dst: u32,
    src: u32,
    n: f64,
    dtype: u32,
    world_size: u32,
) -> Option<Failure> {
    kernel(device, "reduceScatter", |args| {
        let (dtype, n, ranks_there) = (DType::from_code(dtype)?, size("n", n)?, world_size as usize);
        let out = args.output("dst", dst, &[n], dtype)?;
        let data = args.input("src", src, &[ranks_there, n], dtype)?;
        Ok(move |context: &_| {
            expect_ranks(ranks_there)?;
            // SAFETY: the queue runs no other kernel meanwhile, and `data` does not overlap it.
            let out = unsafe { out.all(context) };
            with_world(|mpi| mpi.reduce_scatter(out, data.slice(context), dtype))
        })
    })
}

#[napi]
pub fn comm_all_gather(
    device: u32,
    dst: u32,
    src: u32,
    n: f64,
    dtype: u32,
    world_size: u32,
) -> Option<Failure> {
    kernel(device, "allGather", |args| {
        let (dtype, n, ranks_there) = (DType::from_code(dtype)?, size("n", n)?, world_size as usize);
        let out = args.output("dst", dst, &[ranks_there, n], dtype)?;
        let data = args.input("src", src, &[n], dtype)?;
        Ok(move |context: &_| {
            expect_ranks(ranks_there)?;
            // SAFETY: the queue runs no other kernel meanwhile, and `data` does not overlap it.
            let out = unsafe { out.all(context) };
            with_world(|mpi| mpi.all_gather(out, data.slice(context)))
        })
    })
}

/// Lengths were checked against the number of ranks that the caller named.
fn expect_ranks(named: usize) -> Result<()> {
    let there = ranks()?;
    if there == named {
        return Ok(());
    }
    Err(Error::new(Code::Argument, format!("the buffers are for {named} ranks, there are {there}")))
}

#[napi]
pub fn comm_broadcast(device: u32, buf: u32, n: f64, dtype: u32, root: u32) -> Option<Failure> {
    kernel(device, "broadcast", |args| {
        let (dtype, n) = (DType::from_code(dtype)?, size("n", n)?);
        let data = args.output("buf", buf, &[n], dtype)?;
        Ok(move |context: &_| {
            // SAFETY: the queue runs no other kernel meanwhile.
            let data = unsafe { data.all(context) };
            with_world(|mpi| mpi.broadcast(data, root as usize))
        })
    })
}

#[napi]
pub fn comm_barrier(device: u32) -> Option<Failure> {
    kernel(device, "barrier", |_| Ok(|_: &_| with_world(Mpi::barrier)))
}

/// Waits for every rank and ends MPI in this process.
#[napi(ts_return_type = "Promise<Failure | null>")]
pub fn comm_leave<'env>(env: &'env Env, device: u32) -> napi::Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let run = move |before: Result<()>| {
        let left = before.and_then(|()| {
            let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner).take();
            world.map_or(Ok(()), Mpi::finish)
        });
        deferred.resolve(move |_| Ok(left.err().map(Failure::from)));
    };
    match device_of(device) {
        Some(device) => device.fence(run),
        None => run(Err(closed())),
    }
    Ok(promise)
}

/// Longer than a kernel takes; a thread that is still in MPI then is in a call that does not return.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends this process, and through the launcher every rank, with an exit code. Does not return.
#[napi]
pub fn comm_abort(code: i32) {
    ift_collectives::mpi::stop_waiting();
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Ok(world) = WORLD.try_lock() {
            if let Some(mpi) = world.as_ref() {
                mpi.abort(code);
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::process::exit(code);
}
