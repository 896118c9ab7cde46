//! Ranks of an MPI launcher. Data travels as bytes, and every sum is taken here in rank order, so results do not depend
//! on which algorithm the library chooses. Every call is non-blocking and polled: a rank that does not come ends the wait
//! with its name.

mod abi;
mod api;

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ift_kernel_abi::{Code, DType, Error, Result};

use abi::Handle;
pub use abi::{Abi, MPICH, OPEN_MPI};
use api::Api;

use crate::Reduce;
use crate::element::reduce;

/// Bytes of one rank in one exchange: bounds the memory of a reduction, and stays below the 2^31 of MPI's counts.
const PIECE: usize = 8 << 20;
/// Up to here a reduction gathers everything everywhere: one exchange instead of two.
const SMALL: usize = 32 << 10;
/// Waits longer than this tell the other ranks that they wait.
const SLOW: Duration = Duration::from_secs(2);
/// Tag of the messages "I wait in collective n".
const WAITING: c_int = 7301;

/// A rank's word that it waits: the number of the collective that it is in.
struct Peer {
    rank: usize,
    /// Where the pending receive puts the next word.
    word: Box<u64>,
    receive: Handle,
    /// Number of the last collective that the rank was heard to wait in.
    heard: u64,
}

/// Whether this process is about to end.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Ends the waits of this process: each fails at its next poll.
pub fn stop_waiting() {
    STOPPED.store(true, Ordering::Relaxed);
}

/// The communicator of all ranks. One thread at a time may use it.
pub struct Mpi {
    api: Api,
    rank: usize,
    size: usize,
    timeout: Duration,
    /// Collectives begun.
    count: u64,
    peers: Vec<Peer>,
    /// Words sent and not yet known to have left; the box is what the library reads.
    words: Vec<(Handle, Box<u64>)>,
    scratch: Vec<u8>,
}

/// Where MPI was found and which rank this process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub rank: usize,
    pub size: usize,
    /// Library and version, and its file.
    pub library: String,
}

fn as_count(bytes: usize) -> c_int {
    // Pieces are bounded by PIECE.
    c_int::try_from(bytes).expect("a piece of less than 2 GiB")
}

impl Mpi {
    /// Starts MPI in this process. Waits, without a bound of its own, until every rank has done the same.
    pub fn start(abi: &'static Abi, named: Option<&str>, timeout: Duration) -> Result<Self> {
        let api = Api::open(abi, named)?;
        let (mut rank, mut size, mut started, mut ended, mut provided) = (0, 0, 0, 0, 0);
        // SAFETY: the arguments live as long as the calls.
        unsafe {
            api.check("MPI_Finalized", (api.mpi.finalized)(&raw mut ended))?;
            api.check("MPI_Initialized", (api.mpi.initialized)(&raw mut started))?;
            if ended != 0 {
                let message = "MPI was ended in this process and cannot be started again";
                return Err(Error::new(Code::Collective, message));
            }
            if started == 0 {
                let (none, null) = (std::ptr::null_mut(), std::ptr::null_mut());
                let wanted = abi.thread_serialized;
                let code = (api.mpi.init_thread)(none, null, wanted, &raw mut provided);
                api.check("MPI_Init_thread", code)?;
            }
            api.check("MPI_Comm_set_errhandler", (api.mpi.set_errhandler)(api.world, api.errors_return))?;
            api.check("MPI_Comm_rank", (api.mpi.comm_rank)(api.world, &raw mut rank))?;
            api.check("MPI_Comm_size", (api.mpi.comm_size)(api.world, &raw mut size))?;
        }
        let (rank, size) = (rank as usize, size as usize);
        let mut mpi = Self {
            api,
            rank,
            size,
            timeout,
            count: 0,
            peers: Vec::new(),
            words: Vec::new(),
            scratch: Vec::new(),
        };
        for other in (0..size).filter(|other| *other != rank) {
            let mut peer = Peer { rank: other, word: Box::new(0), receive: 0, heard: 0 };
            mpi.listen(&mut peer)?;
            mpi.peers.push(peer);
        }
        Ok(mpi)
    }

    pub fn world(&self) -> World {
        let library = format!("{} ({})", self.api.version(), self.api.file);
        World { rank: self.rank, size: self.size, library }
    }

    fn listen(&self, peer: &mut Peer) -> Result<()> {
        let into: *mut c_void = (&raw mut *peer.word).cast();
        let (world, byte) = (self.api.world, self.api.byte);
        // SAFETY: the box outlives the receive, which is cancelled in `finish`.
        let code = unsafe {
            (self.api.mpi.irecv)(into, 8, byte, peer.rank as c_int, WAITING, world, &raw mut peer.receive)
        };
        self.api.check("MPI_Irecv", code)
    }

    fn test(&self, request: &mut Handle, function: &str) -> Result<bool> {
        let mut done = 0;
        // SAFETY: a request of this library.
        let code =
            unsafe { (self.api.mpi.test)(&raw mut *request, &raw mut done, self.api.abi.status_ignore as _) };
        self.api.check(function, code)?;
        Ok(done != 0)
    }

    /// Polls until the request is done, or `timeout` has passed and not every rank has come.
    fn wait(&mut self, mut request: Handle, function: &str, what: &str) -> Result<()> {
        self.count += 1;
        let began = Instant::now();
        let mut polls = 0u32;
        let mut told = false;
        loop {
            if self.test(&mut request, function)? {
                return Ok(());
            }
            if STOPPED.load(Ordering::Relaxed) {
                return Err(Error::new(Code::Collective, format!("{what} was given up: this rank ends")));
            }
            polls += 1;
            // Ranks may share cores: whoever waits lets the others run.
            if polls < 200 {
                std::thread::yield_now();
                continue;
            }
            std::thread::sleep(Duration::from_micros(if polls < 2000 { 20 } else { 200 }));
            let waited = began.elapsed();
            if waited < SLOW {
                continue;
            }
            if !told {
                told = true;
                self.tell_the_others()?;
            }
            self.hear_the_others()?;
            if waited >= self.timeout {
                return Err(self.missing(what, waited));
            }
        }
    }

    /// Sends every other rank the number of the collective that this one waits in.
    fn tell_the_others(&mut self) -> Result<()> {
        for index in 0..self.peers.len() {
            let word = Box::new(self.count);
            let mut request = 0;
            let from: *const c_void = (&raw const *word).cast();
            let (to, byte, world) = (self.peers[index].rank as c_int, self.api.byte, self.api.world);
            // SAFETY: the box is kept until the request is done.
            let code = unsafe { (self.api.mpi.isend)(from, 8, byte, to, WAITING, world, &raw mut request) };
            self.api.check("MPI_Isend", code)?;
            self.words.push((request, word));
        }
        Ok(())
    }

    fn hear_the_others(&mut self) -> Result<()> {
        let mut peers = std::mem::take(&mut self.peers);
        let heard = peers.iter_mut().try_for_each(|peer| {
            while self.test(&mut peer.receive, "MPI_Irecv")? {
                peer.heard = *peer.word;
                self.listen(peer)?;
            }
            Ok(())
        });
        self.peers = peers;
        heard?;
        let mut words = std::mem::take(&mut self.words);
        words.retain_mut(|(request, _)| !matches!(self.test(request, "MPI_Isend"), Ok(true)));
        self.words = words;
        Ok(())
    }

    /// Ranks that were not heard to wait where this one does.
    fn missing(&self, what: &str, waited: Duration) -> Error {
        let missing: Vec<_> = self
            .peers
            .iter()
            .filter(|peer| peer.heard < self.count)
            .map(|peer| peer.rank.to_string())
            .collect();
        let (rank, size, seconds) = (self.rank, self.size, waited.as_secs());
        let message = match missing.len() {
            0 => format!("rank {rank} waited {seconds} s in {what} though all {size} ranks are there"),
            1 => format!(
                "rank {} of {size} did not come: rank {rank} waited {seconds} s for it in {what}",
                missing[0]
            ),
            _ => format!(
                "ranks {} of {size} did not come: rank {rank} waited {seconds} s for them in {what}",
                missing.join(", ")
            ),
        };
        Error::new(Code::RankMissing, message)
    }

    /// Every rank's `from` to every rank: into [size, from].
    fn gather_piece(&mut self, into: *mut u8, from: *const u8, bytes: usize, what: &str) -> Result<()> {
        let (world, byte, count) = (self.api.world, self.api.byte, as_count(bytes));
        let mut request = 0;
        // SAFETY: the callers keep both buffers until the wait is over; a wait that fails ends the process or leaks.
        let code = unsafe {
            (self.api.mpi.iallgather)(
                from.cast(),
                count,
                byte,
                into.cast(),
                count,
                byte,
                world,
                &raw mut request,
            )
        };
        self.api.check("MPI_Iallgather", code)?;
        self.wait(request, "MPI_Iallgather", what)
    }

    /// Part r of every rank's `from` [size, bytes] to rank r: into [size, bytes].
    fn exchange_piece(&mut self, into: *mut u8, from: *const u8, bytes: usize, what: &str) -> Result<()> {
        let (world, byte, count) = (self.api.world, self.api.byte, as_count(bytes));
        let mut request = 0;
        // SAFETY: as in `gather_piece`.
        let code = unsafe {
            (self.api.mpi.ialltoall)(
                from.cast(),
                count,
                byte,
                into.cast(),
                count,
                byte,
                world,
                &raw mut request,
            )
        };
        self.api.check("MPI_Ialltoall", code)?;
        self.wait(request, "MPI_Ialltoall", what)
    }

    /// At least `bytes` of scratch, out of `self` so that it can be used beside it.
    fn take_scratch(&mut self, bytes: usize) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.len() < bytes {
            scratch.resize(bytes, 0);
        }
        scratch
    }

    /// Keeps scratch for the next call; after a failure the library may still write to it, so it is never freed.
    fn keep_scratch(&mut self, scratch: Vec<u8>, result: Result<()>) -> Result<()> {
        if result.is_ok() {
            self.scratch = scratch;
        } else {
            std::mem::forget(scratch);
        }
        result
    }

    /// data [n] of every rank becomes the reduction of all, the same bits on every rank.
    pub fn all_reduce(&mut self, data: &mut [u8], dtype: DType, op: Reduce) -> Result<()> {
        let what = format!("all-reduce of {} {}", data.len() / dtype.size(), dtype.name());
        let size = self.size;
        if data.len() <= SMALL {
            let mut scratch = self.take_scratch(data.len() * size);
            let result = self
                .gather_piece(scratch.as_mut_ptr(), data.as_ptr(), data.len(), &what)
                .and_then(|()| reduce(data, &scratch[..data.len() * size], dtype, op));
            return self.keep_scratch(scratch, result);
        }
        for piece in data.chunks_mut(PIECE * size) {
            // Each rank reduces one part; the last parts are padded.
            let part = piece.len().div_ceil(size).next_multiple_of(dtype.size());
            let mut scratch = self.take_scratch((2 * size + 1) * part);
            let result = (|| {
                let (padded, rest) = scratch.split_at_mut(size * part);
                let (parts, rest) = rest.split_at_mut(size * part);
                let own = &mut rest[..part];
                padded[..piece.len()].copy_from_slice(piece);
                padded[piece.len()..].fill(0);
                self.exchange_piece(parts.as_mut_ptr(), padded.as_ptr(), part, &what)?;
                reduce(own, parts, dtype, op)?;
                self.gather_piece(padded.as_mut_ptr(), own.as_ptr(), part, &what)?;
                piece.copy_from_slice(&padded[..piece.len()]);
                Ok(())
            })();
            self.keep_scratch(scratch, result)?;
        }
        Ok(())
    }

    /// out [n] on rank r = the sum over ranks of data [size, n] at part r.
    pub fn reduce_scatter(&mut self, out: &mut [u8], data: &[u8], dtype: DType) -> Result<()> {
        let (size, bytes) = (self.size, out.len());
        let what = format!("reduce-scatter of {} {}", data.len() / dtype.size(), dtype.name());
        let mut at = 0;
        while at < bytes {
            let part = PIECE.min(bytes - at);
            let mut scratch = self.take_scratch(2 * size * part);
            let result = (|| {
                let (sent, rest) = scratch.split_at_mut(size * part);
                let parts = &mut rest[..size * part];
                for (rank, place) in sent.chunks_exact_mut(part).enumerate() {
                    place.copy_from_slice(&data[rank * bytes + at..][..part]);
                }
                self.exchange_piece(parts.as_mut_ptr(), sent.as_ptr(), part, &what)?;
                reduce(&mut out[at..at + part], parts, dtype, Reduce::Sum)
            })();
            self.keep_scratch(scratch, result)?;
            at += part;
        }
        Ok(())
    }

    /// out [size, n] = data [n] of every rank, in their order.
    pub fn all_gather(&mut self, out: &mut [u8], data: &[u8]) -> Result<()> {
        let (size, bytes) = (self.size, data.len());
        let what = format!("all-gather of {bytes} bytes");
        let mut at = 0;
        while at < bytes {
            let part = PIECE.min(bytes - at);
            let mut scratch = self.take_scratch(size * part);
            let result = self.gather_piece(scratch.as_mut_ptr(), data[at..].as_ptr(), part, &what);
            if result.is_ok() {
                for (rank, piece) in scratch[..size * part].chunks_exact(part).enumerate() {
                    out[rank * bytes + at..][..part].copy_from_slice(piece);
                }
            }
            self.keep_scratch(scratch, result)?;
            at += part;
        }
        Ok(())
    }

    /// data of rank `root` to every rank.
    pub fn broadcast(&mut self, data: &mut [u8], root: usize) -> Result<()> {
        if root >= self.size {
            let message = format!("broadcast from rank {root} of {}", self.size);
            return Err(Error::new(Code::Argument, message));
        }
        let what = format!("broadcast of {} bytes from rank {root}", data.len());
        let (world, byte) = (self.api.world, self.api.byte);
        for piece in data.chunks_mut(PIECE) {
            let mut request = 0;
            // SAFETY: as in `gather_piece`.
            let code = unsafe {
                let (into, count) = (piece.as_mut_ptr().cast(), as_count(piece.len()));
                (self.api.mpi.ibcast)(into, count, byte, root as c_int, world, &raw mut request)
            };
            self.api.check("MPI_Ibcast", code)?;
            self.wait(request, "MPI_Ibcast", &what)?;
        }
        Ok(())
    }

    /// Returns when every rank has called it.
    pub fn barrier(&mut self) -> Result<()> {
        let mut request = 0;
        // SAFETY: no buffers.
        let code = unsafe { (self.api.mpi.ibarrier)(self.api.world, &raw mut request) };
        self.api.check("MPI_Ibarrier", code)?;
        self.wait(request, "MPI_Ibarrier", "barrier")
    }

    /// Waits for every rank and ends MPI in this process.
    pub fn finish(mut self) -> Result<()> {
        self.barrier()?;
        let ignore = self.api.abi.status_ignore as *mut c_void;
        for peer in &mut self.peers {
            // SAFETY: pending receives of this object.
            unsafe {
                self.api.check("MPI_Cancel", (self.api.mpi.cancel)(&raw mut peer.receive))?;
                self.api.check("MPI_Wait", (self.api.mpi.wait)(&raw mut peer.receive, ignore))?;
            }
        }
        // Words to ranks that listen no more are of no use to anyone, and their boxes must outlive the library.
        std::mem::forget(std::mem::take(&mut self.words));
        // SAFETY: nothing is pending but words.
        self.api.check("MPI_Finalize", unsafe { (self.api.mpi.finalize)() })
    }

    /// Ends every rank with this exit code, as far as the launcher can reach them. Does not return.
    pub fn abort(&self, code: i32) {
        // SAFETY: ends the process.
        unsafe { (self.api.mpi.abort)(self.api.world, code) };
    }
}
