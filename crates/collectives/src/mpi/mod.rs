//! Ranks of an MPI launcher. Data travels as bytes, and every sum is taken here in rank order, so results do not depend
//! on which algorithm the library chooses. Every call is non-blocking and polled: a rank that does not come ends the wait
//! with its name.

mod abi;
mod api;
mod collectives;

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ift_kernel_abi::{Code, Error, Result};

use abi::Handle;
pub use abi::{Abi, MPICH, OPEN_MPI};
use api::Api;

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
