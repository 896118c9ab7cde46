//! Collectives of GPU ranks over NCCL, put in line behind the kernels that made their data.

use std::time::Duration;

use ift_collectives::Reduce;
use ift_collectives::mpi::{MPICH, Mpi, OPEN_MPI};
use ift_collectives::nccl::{ID_BYTES, Nccl, NcclLibrary, UniqueId, candidates};
use ift_kernel_abi::{Code, DType, Error, Result, size};
use napi::bindgen_prelude::{Either, Env, Object, Uint8Array};
use napi_derive::napi;

use crate::device::address;
use crate::launch::Context;
use crate::node::{Failure, device_of, kernel, outcome};
use crate::queue::closed_error;

/// Which rank this process is, and over which library it talks.
#[napi(object, object_from_js = false)]
pub struct World {
    pub rank: u32,
    pub size: u32,
    pub library: String,
}

fn open(library: Option<&str>) -> Result<NcclLibrary> {
    NcclLibrary::open(&candidates(library, |name| std::env::var(name).ok()))
}

fn id_of(bytes: &[u8]) -> Result<UniqueId> {
    let expected = || {
        let message = format!("the id of the ranks has {} bytes, expected {ID_BYTES}", bytes.len());
        Error::new(Code::Collective, message)
    };
    bytes.try_into().map(UniqueId).map_err(|_| expected())
}

/// What rank 0 makes and every rank needs to join. `library` names the file of NCCL, null looks for it.
#[napi]
pub fn comm_id(library: Option<String>) -> Either<Uint8Array, Failure> {
    match open(library.as_deref()).and_then(|nccl| nccl.unique_id()) {
        Ok(UniqueId(bytes)) => Either::A(Uint8Array::from(bytes.to_vec())),
        Err(error) => Either::B(error.into()),
    }
}

/// Runs `body` on the device's thread behind all queued before; its failure is a value.
fn promise<'env, T, V>(
    env: &'env Env,
    device: u32,
    body: impl FnOnce(&Context) -> Result<T> + Send + 'static,
    value: impl FnOnce(T) -> V + Send + 'static,
) -> napi::Result<Object<'env>>
where
    T: Send + 'static,
    V: napi::bindgen_prelude::ToNapiValue + 'static,
{
    let (deferred, promise) = env.create_deferred()?;
    let run = move |before: Result<&Context>| {
        let result = before.and_then(body);
        deferred.resolve(move |_| {
            Ok(match result {
                Ok(done) => Either::A(value(done)),
                Err(error) => Either::B(Failure::from(error)),
            })
        });
    };
    match device_of(device) {
        Some(device) => device.on_queue("a call of all ranks", run),
        None => run(Err(closed_error())),
    }
    Ok(promise)
}

/// Gives the id of rank 0 to every rank over the MPI that started them; others pass anything of its length.
#[napi(ts_return_type = "Promise<Uint8Array | Failure>")]
pub fn comm_share<'env>(
    env: &'env Env,
    device: u32,
    kind: String,
    path: Option<String>,
    timeout: f64,
    id: Uint8Array,
) -> napi::Result<Object<'env>> {
    let abi = if kind == "mpich" { &MPICH } else { &OPEN_MPI };
    let timeout = Duration::from_secs_f64(timeout.clamp(0.0, 1.6e9));
    let mut id = id.to_vec();
    let share = move |context: &Context| {
        let mut mpi = Mpi::start(abi, path.as_deref(), timeout)?;
        mpi.broadcast(&mut id, 0)?;
        *context.mpi.borrow_mut() = Some(mpi);
        Ok(id)
    };
    promise(env, device, share, Uint8Array::from)
}

/// Joins the ranks that begin with the same id; waits on the device's thread until all have come.
#[napi(ts_return_type = "Promise<World | Failure>")]
pub fn comm_join<'env>(
    env: &'env Env,
    device: u32,
    id: Uint8Array,
    rank: u32,
    world_size: u32,
    library: Option<String>,
) -> napi::Result<Object<'env>> {
    let id = id.to_vec();
    let join = move |context: &Context| {
        let nccl = open(library.as_deref())?.join(id_of(&id)?, rank as usize, world_size as usize)?;
        let library = nccl.description();
        *context.ranks.borrow_mut() = Some(nccl);
        Ok(World { rank, size: world_size, library })
    };
    promise(env, device, join, |world| world)
}

/// Calls `body` with the ranks of the device and its stream.
fn with_ranks(context: &Context, body: impl FnOnce(&Nccl, usize) -> Result<()>) -> Result<()> {
    let ranks = context.ranks.borrow();
    let none = || Error::new(Code::BackendClosed, "this device is in no communicator");
    body(ranks.as_ref().ok_or_else(none)?, context.driver().stream())
}

/// Lengths were checked against the number of ranks that the caller named.
fn expect_ranks(ranks: &Nccl, named: usize) -> Result<()> {
    if ranks.size() == named {
        return Ok(());
    }
    let message = format!("the buffers are for {named} ranks, there are {}", ranks.size());
    Err(Error::new(Code::Argument, message))
}

#[napi]
pub fn comm_all_reduce(device: u32, buf: u32, n: f64, dtype: u32, op: u32) -> Option<Failure> {
    kernel(device, "allReduce", |args| {
        let (dtype, op, n) = (DType::from_code(dtype)?, Reduce::from_code(op)?, size("n", n)?);
        let data = address(args.output("buf", buf, &[n], dtype)?) as usize;
        Ok(move |context: &Context| {
            // SAFETY: checked above; memory lives until the work queued before its release has run.
            with_ranks(context, |ranks, stream| unsafe { ranks.all_reduce(data, n, dtype, op, stream) })
        })
    })
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
        let (dtype, n, named) = (DType::from_code(dtype)?, size("n", n)?, world_size as usize);
        let out = address(args.output("dst", dst, &[n], dtype)?) as usize;
        let data = address(args.input("src", src, &[named, n], dtype)?) as usize;
        Ok(move |context: &Context| {
            with_ranks(context, |ranks, stream| {
                expect_ranks(ranks, named)?;
                // SAFETY: as in `comm_all_reduce`.
                unsafe { ranks.reduce_scatter(out, data, n, dtype, stream) }
            })
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
        let (dtype, n, named) = (DType::from_code(dtype)?, size("n", n)?, world_size as usize);
        let out = address(args.output("dst", dst, &[named, n], dtype)?) as usize;
        let data = address(args.input("src", src, &[n], dtype)?) as usize;
        Ok(move |context: &Context| {
            with_ranks(context, |ranks, stream| {
                expect_ranks(ranks, named)?;
                // SAFETY: as in `comm_all_reduce`.
                unsafe { ranks.all_gather(out, data, n, dtype, stream) }
            })
        })
    })
}

#[napi]
pub fn comm_broadcast(device: u32, buf: u32, n: f64, dtype: u32, root: u32) -> Option<Failure> {
    kernel(device, "broadcast", |args| {
        let (dtype, n) = (DType::from_code(dtype)?, size("n", n)?);
        let data = address(args.output("buf", buf, &[n], dtype)?) as usize;
        Ok(move |context: &Context| {
            // SAFETY: as in `comm_all_reduce`.
            with_ranks(context, |ranks, stream| unsafe {
                ranks.broadcast(data, n, dtype, root as usize, stream)
            })
        })
    })
}

/// A reduction of one number: what is queued behind it runs when every rank has come here.
fn meet(context: &Context) -> Result<()> {
    let word = context.word();
    context.driver().upload(word, &[0; 4])?;
    with_ranks(context, |ranks, stream| {
        // SAFETY: the word is the device's, and outlives its work.
        unsafe { ranks.all_reduce(word as usize, 1, DType::I32, Reduce::Max, stream) }
    })
}

#[napi]
pub fn comm_barrier(device: u32) -> Option<Failure> {
    kernel(device, "barrier", |_| Ok(meet))
}

/// Waits for every rank and ends the communicator.
#[napi(ts_return_type = "Promise<Failure | null>")]
pub fn comm_leave<'env>(env: &'env Env, device: u32) -> napi::Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let run = move |before: Result<&Context>| {
        let left = before.and_then(|context| {
            meet(context)?;
            context.driver().synchronize()?;
            context.ranks.take().map_or(Ok(()), Nccl::leave)?;
            context.mpi.take().map_or(Ok(()), Mpi::finish)
        });
        deferred.resolve(move |_| Ok(outcome(left)));
    };
    match device_of(device) {
        Some(device) => device.on_queue("a call of all ranks", run),
        None => run(Err(closed_error())),
    }
    Ok(promise)
}

/// Ends this process with an exit code: the device's thread may be in a collective that does not return. The launcher,
/// or the connection to rank 0, ends the others.
#[napi]
pub fn comm_abort(code: i32) {
    unsafe extern "C" {
        fn _exit(code: std::ffi::c_int) -> !;
    }
    // Handlers of a normal exit tear the GPU's context down, which waits for that collective.
    // SAFETY: the C library's function; it takes any number and does not return.
    unsafe { _exit(code) }
}
