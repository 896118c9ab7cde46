//! Work that is captured from a stream: CUDA graphs, and the memory that they copy from.

use std::collections::HashMap;
use std::ffi::c_int;
use std::ptr::null_mut;

use ift_kernel_abi::{Result, no_recording};

use super::api::{Api, Handle};

/// What a recording needs as long as it may be replayed.
#[derive(Default)]
struct Recorded {
    /// Pinned memory that its uploads are copied from, each time.
    constants: Vec<Handle>,
    launches: usize,
}

/// The recordings of a stream. The context is current in every call.
#[derive(Default)]
pub struct Graphs {
    /// The recording that has been begun.
    open: Option<Recorded>,
    /// By the handle of what was instantiated.
    kept: HashMap<u64, Recorded>,
}

impl Recorded {
    fn release(self, api: &Api) {
        for memory in self.constants {
            // SAFETY: from `constant`; nothing copies from it any more.
            unsafe { (api.host_free)(memory) };
        }
    }
}

impl Graphs {
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub fn begin(&mut self, api: &Api, stream: Handle) -> Result<()> {
        // Other threads may allocate meanwhile, and so may this one for what an upload is copied from.
        const RELAXED: c_int = 2;
        // SAFETY: the device's own stream.
        api.expect("cuStreamBeginCapture", unsafe { (api.begin_capture)(stream, RELAXED) })?;
        self.open = Some(Recorded::default());
        Ok(())
    }

    /// Whether a launch is taken down.
    pub fn takes_launch(&mut self) -> bool {
        self.open.as_mut().map(|open| open.launches += 1).is_some()
    }

    /// A copy of `data` that the recording under way may copy from; none when there is none.
    pub fn constant(&mut self, api: &Api, data: &[u8]) -> Result<Option<Handle>> {
        let Some(open) = &mut self.open else { return Ok(None) };
        let mut memory: Handle = null_mut();
        // SAFETY: a pointer to a local; the new memory has the bytes of `data`.
        unsafe {
            api.expect("cuMemHostAlloc", (api.host_alloc)(&raw mut memory, data.len().max(1), 0))?;
            memory.cast::<u8>().copy_from_nonoverlapping(data.as_ptr(), data.len());
        }
        open.constants.push(memory);
        Ok(Some(memory))
    }

    /// Ends the recording that is under way; its graph, and what it needs.
    fn take(&mut self, api: &Api, stream: Handle) -> Option<(Result<Handle>, Recorded)> {
        let recorded = self.open.take()?;
        let mut graph = null_mut();
        // SAFETY: a pointer to a local.
        let status = unsafe { (api.end_capture)(stream, &raw mut graph) };
        Some((api.expect("cuStreamEndCapture", status).map(|()| graph), recorded))
    }

    /// Ends the recording that is under way; its number.
    pub fn end(&mut self, api: &Api, stream: Handle) -> Result<u64> {
        let (graph, recorded) = self.take(api, stream).ok_or_else(no_recording)?;
        let mut recording = null_mut();
        let made = graph.and_then(|graph| {
            // SAFETY: a pointer to a local; the graph is not needed once it is instantiated.
            let status = unsafe {
                let status = (api.graph_instantiate)(&raw mut recording, graph, 0);
                (api.graph_destroy)(graph);
                status
            };
            api.expect("cuGraphInstantiate", status)
        });
        if let Err(error) = made {
            recorded.release(api);
            return Err(error);
        }
        self.kept.insert(recording as u64, recorded);
        Ok(recording as u64)
    }

    /// Ends the recording that is under way, if there is one, and forgets it.
    pub fn abandon(&mut self, api: &Api, stream: Handle) {
        if let Some((graph, recorded)) = self.take(api, stream) {
            if let Ok(graph) = graph {
                // SAFETY: a graph of which nothing was made.
                unsafe { (api.graph_destroy)(graph) };
            }
            recorded.release(api);
        }
    }

    /// Launches of a recording; none when there is no such recording.
    pub fn launches(&self, recording: u64) -> Option<usize> {
        self.kept.get(&recording).map(|kept| kept.launches)
    }

    /// Forgets a recording, of which no replay runs.
    pub fn forget(&mut self, api: &Api, recording: u64) {
        if let Some(recorded) = self.kept.remove(&recording) {
            // SAFETY: a handle of `end`, forgotten once.
            unsafe { (api.graph_forget)(recording as Handle) };
            recorded.release(api);
        }
    }

    pub fn forget_all(&mut self, api: &Api) {
        for recording in self.kept.keys().copied().collect::<Vec<_>>() {
            self.forget(api, recording);
        }
    }
}
