//! The door to JavaScript.

use std::sync::Arc;

use llguidance::{Matcher, ParserFactory};
use napi::bindgen_prelude::{AsyncTask, Env, Uint8Array, Uint32Array};
use napi::{Error, Result, Task};
use napi_derive::napi;

use crate::constraint::{Kind, compile, mask};
use crate::vocabulary::factory;

/// Bytes of the tokens of a model.
#[napi]
pub struct Vocabulary {
    factory: Arc<ParserFactory>,
}

/// A constraint on its way through another thread.
pub struct CompileTask {
    factory: Arc<ParserFactory>,
    kind: Kind,
    text: String,
}

impl Task for CompileTask {
    type Output = Matcher;
    type JsValue = Constraint;

    fn compute(&mut self) -> Result<Matcher> {
        compile(&self.factory, &self.kind, &self.text).map_err(Error::from_reason)
    }

    fn resolve(&mut self, _: Env, matcher: Matcher) -> Result<Constraint> {
        Ok(Constraint { matcher })
    }
}

#[napi]
impl Vocabulary {
    /// `bytes` of all tokens end to end, those of token i up to `ends[i]`; one without bytes is in no text. `stops` end an answer.
    #[napi(factory)]
    pub fn open(bytes: Uint8Array, ends: Uint32Array, stops: Vec<u32>) -> Result<Self> {
        let factory = factory(&bytes, &ends, &stops).map_err(Error::from_reason)?;
        Ok(Self { factory: Arc::new(factory) })
    }

    /// `kind`: schema, regex, choices or lark.
    #[napi(ts_return_type = "Promise<Constraint>")]
    pub fn compile(&self, kind: String, text: String) -> Result<AsyncTask<CompileTask>> {
        let Some(kind) = Kind::named(&kind) else {
            return Err(Error::from_reason(format!("no kind of constraint is called {kind}")));
        };
        Ok(AsyncTask::new(CompileTask { factory: self.factory.clone(), kind, text }))
    }
}

/// Where an answer under a constraint stands.
#[napi]
pub struct Constraint {
    matcher: Matcher,
}

#[napi]
impl Constraint {
    /// Another answer, from here on.
    #[napi]
    pub fn fork(&self) -> Constraint {
        Constraint { matcher: self.matcher.deep_clone() }
    }

    /// Writes the tokens that may come next: bit `i % 32` of word `i / 32` for token i.
    #[napi]
    pub fn mask(&mut self, mut words: Uint32Array) -> Result<()> {
        // SAFETY: JavaScript runs on this thread alone and does not while this call does, so nothing else sees the array.
        let words = unsafe { words.as_mut() };
        mask(&mut self.matcher, words).map_err(Error::from_reason)
    }

    /// Takes a token; one that may not come is an error.
    #[napi]
    pub fn accept(&mut self, id: u32) -> Result<()> {
        self.matcher.consume_token(id).map_err(|error| Error::from_reason(error.to_string()))
    }

    /// Whether nothing but the end may follow.
    #[napi(getter)]
    pub fn ended(&self) -> bool {
        self.matcher.is_stopped()
    }
}
