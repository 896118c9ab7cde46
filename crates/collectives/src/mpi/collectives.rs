//! The collectives: data in pieces of a bounded size, and sums in rank order.

use std::ffi::{c_int, c_void};

use ift_kernel_abi::{Code, DType, Error, Result};

use super::Mpi;
use super::abi::Handle;
use crate::Reduce;
use crate::element::reduce;

/// Bytes of one rank in one exchange: bounds the memory of a reduction, and stays below the 2^31 of MPI's counts.
const PIECE: usize = 8 << 20;
/// Up to here a reduction gathers everything everywhere: one exchange instead of two.
const SMALL: usize = 32 << 10;

/// An exchange of as many bytes with every rank: from, count, type, into, count, type, communicator, request.
type Exchange = unsafe extern "C" fn(
    *const c_void,
    c_int,
    Handle,
    *mut c_void,
    c_int,
    Handle,
    Handle,
    *mut Handle,
) -> c_int;

fn as_count(bytes: usize) -> c_int {
    // Pieces are bounded by PIECE.
    c_int::try_from(bytes).expect("a piece of less than 2 GiB")
}

impl Mpi {
    /// Every rank's `from` to every rank: into [size, from].
    fn gather_piece(&mut self, into: *mut u8, from: *const u8, bytes: usize, what: &str) -> Result<()> {
        self.piece((self.api.mpi.iallgather, "MPI_Iallgather"), into, from, bytes, what)
    }

    /// Part r of every rank's `from` [size, bytes] to rank r: into [size, bytes].
    fn exchange_piece(&mut self, into: *mut u8, from: *const u8, bytes: usize, what: &str) -> Result<()> {
        self.piece((self.api.mpi.ialltoall, "MPI_Ialltoall"), into, from, bytes, what)
    }

    fn piece(
        &mut self,
        (begin, name): (Exchange, &'static str),
        into: *mut u8,
        from: *const u8,
        bytes: usize,
        what: &str,
    ) -> Result<()> {
        let (world, byte, count) = (self.api.world, self.api.byte, as_count(bytes));
        let mut request = 0;
        // SAFETY: the callers keep both buffers until the wait is over; a wait that fails ends the process or leaks.
        let code =
            unsafe { begin(from.cast(), count, byte, into.cast(), count, byte, world, &raw mut request) };
        self.api.check(name, code)?;
        self.wait(request, name, what)
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
            // SAFETY: as in `piece`.
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
}
