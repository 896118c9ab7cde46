//! Texts to token ids in typed arrays, over Hugging Face's `tokenizers`.
//!
//! That library decides every id and offset (`encoder`). Byte-level BPE, which most models have, goes a shorter way to the same
//! result (`byte_level`): words are found in the text itself, by a scanner where the expression is a published one (`scan`), and those
//! seen before are taken from a cache (`words`). Batches are shared among the threads of one `pool`.

mod byte_level;
mod characters;
mod cut;
mod encoder;
mod node;
mod offsets;
mod pool;
#[cfg(test)]
mod sample_texts;
mod scan;
mod words;
