//! Node-API bindings.

use std::sync::Arc;

use napi::bindgen_prelude::{AsyncTask, Env, Int32Array};
use napi::{Error, Result, Task};
use napi_derive::napi;
use tokenizers::{NormalizedString, Normalizer};

use crate::encoder::{Encoder, caught};
use crate::pool;

/// A tokenizer of the library.
#[napi]
pub struct NativeTokenizer {
    encoder: Arc<Encoder>,
}

/// A batch on its way through another thread.
pub struct EncodeTask {
    encoder: Arc<Encoder>,
    texts: Vec<String>,
}

impl Task for EncodeTask {
    type Output = Vec<i32>;
    type JsValue = Int32Array;

    fn compute(&mut self) -> Result<Vec<i32>> {
        let joined = || Ok(self.encoder.encode(&self.texts)?.joined());
        caught(joined).map_err(Error::from_reason)
    }

    fn resolve(&mut self, _: Env, joined: Vec<i32>) -> Result<Int32Array> {
        Ok(Int32Array::new(joined))
    }
}

/// Ids on their way through another thread.
pub struct DecodeTask {
    encoder: Arc<Encoder>,
    ids: Vec<u32>,
}

impl Task for DecodeTask {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        let decode = || self.encoder.tokenizer().decode(&self.ids, false);
        caught(|| decode().map_err(|error| error.to_string())).map_err(Error::from_reason)
    }

    fn resolve(&mut self, _: Env, text: String) -> Result<String> {
        Ok(text)
    }
}

#[napi]
impl NativeTokenizer {
    /// Threads that batches of all tokenizers are shared among. Without effect after the first large batch.
    #[napi]
    pub fn set_threads(threads: u32) {
        pool::set_threads(threads as usize);
    }

    /// Of the text of a tokenizer.json. `with_words`: `encodeBatch` gives the word of each token too. `bpe` and `added` are its model and
    /// its added tokens as JSON, where it has stand-ins for them.
    #[napi(factory)]
    pub fn open(json: String, with_words: bool, bpe: Option<String>, added: Option<String>) -> Result<Self> {
        let apart = bpe.as_deref().zip(added.as_deref());
        let encoder = Encoder::open(&json, apart, with_words).map_err(Error::from_reason)?;
        Ok(Self { encoder: Arc::new(encoder) })
    }

    /// One array: the number of tokens of each text, then the ids of all, their places [tokens, 2] in UTF-16 code units, and their
    /// words where these were asked for.
    #[napi(ts_return_type = "Promise<Int32Array>")]
    pub fn encode_batch(&self, texts: Vec<String>) -> AsyncTask<EncodeTask> {
        AsyncTask::new(EncodeTask { encoder: self.encoder.clone(), texts })
    }

    #[napi]
    pub fn token_to_id(&self, token: String) -> Option<u32> {
        self.encoder.tokenizer().token_to_id(&token)
    }

    /// What the normaliser makes of a text; none without one.
    #[napi]
    pub fn normalize(&self, text: String) -> Result<Option<String>> {
        let Some(normalizer) = self.encoder.tokenizer().get_normalizer() else { return Ok(None) };
        let mut normalized = NormalizedString::from(text);
        caught(|| normalizer.normalize(&mut normalized).map_err(|error| error.to_string()))
            .map_err(Error::from_reason)?;
        Ok(Some(normalized.get().to_owned()))
    }

    /// The text of ids, special tokens among them.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn decode(&self, ids: Vec<u32>) -> AsyncTask<DecodeTask> {
        AsyncTask::new(DecodeTask { encoder: self.encoder.clone(), ids })
    }
}
