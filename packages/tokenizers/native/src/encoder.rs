//! Texts to ids and places, many at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;
use tokenizers::models::bpe::BPE;
use tokenizers::{AddedToken, Tokenizer};

use crate::byte_level::ByteLevel;
use crate::offsets::Characters;
use crate::pool::pool;
use crate::words::Words;

pub type Result<T> = std::result::Result<T, String>;

/// Tokens of texts, one after another.
#[derive(Default)]
pub struct Encoded {
    /// Tokens of each text.
    pub lengths: Vec<i32>,
    pub ids: Vec<i32>,
    /// [tokens, 2] start and end in UTF-16 code units.
    pub offsets: Vec<i32>,
    /// The word of each token, when they were asked for.
    pub words: Vec<i32>,
}

impl Encoded {
    fn push(&mut self, id: u32, start: usize, end: usize) {
        self.ids.push(id as i32);
        self.offsets.push(start as i32);
        self.offsets.push(end as i32);
    }

    /// All in one, in the order of the fields.
    pub fn joined(self) -> Vec<i32> {
        let Self { mut lengths, ids, offsets, words } = self;
        lengths.reserve_exact(ids.len() + offsets.len() + words.len());
        lengths.extend(ids);
        lengths.extend(offsets);
        lengths.extend(words);
        lengths
    }

    fn append(&mut self, mut other: Self) {
        self.lengths.append(&mut other.lengths);
        self.ids.append(&mut other.ids);
        self.offsets.append(&mut other.offsets);
        self.words.append(&mut other.words);
    }
}

/// Bytes below which threads cost more than they bring.
const LEAST_SHARED: usize = 1 << 14;

pub struct Encoder {
    tokenizer: Tokenizer,
    byte_level: Option<ByteLevel>,
    with_words: bool,
}

/// Work in the library, which panics on some files and texts.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("the tokenizers library gave up: {}", message.unwrap_or("without a reason")))
    })
}

impl Encoder {
    /// `json` is the text of a tokenizer.json. `bpe` has its model and its added tokens, as JSON, where they stand beside it: the library
    /// copies a model of any kind three times on the way, which takes seconds for a large one. `with_words` asks for the word of each
    /// token, which the short way does not know.
    pub fn open(json: &str, bpe: Option<(&str, &str)>, with_words: bool) -> Result<Self> {
        caught(|| {
            let mut tokenizer: Tokenizer =
                json.parse().map_err(|error: tokenizers::Error| error.to_string())?;
            if let Some((model, added)) = bpe {
                let model: BPE = serde_json::from_str(model).map_err(|error| error.to_string())?;
                let added: Vec<AddedToken> =
                    serde_json::from_str(added).map_err(|error| error.to_string())?;
                tokenizer.with_model(model);
                tokenizer.add_tokens(added).map_err(|error| error.to_string())?;
            }
            let byte_level = if with_words { None } else { ByteLevel::of(&tokenizer) };
            Ok(Self { tokenizer, byte_level, with_words })
        })
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Texts in order, on the threads of the pool where they are many and there is one.
    pub fn encode(&self, texts: &[String]) -> Result<Encoded> {
        caught(|| {
            let length: usize = texts.iter().map(String::len).sum();
            let shared = if length < LEAST_SHARED { None } else { pool() };
            let Some(pool) = shared else { return self.encode_part(texts) };
            let part = texts.len().div_ceil(4 * pool.current_num_threads());
            let parts =
                || texts.par_chunks(part).map(|texts| self.encode_part(texts)).collect::<Result<Vec<_>>>();
            let mut all = Encoded::default();
            for part in pool.install(parts)? {
                all.append(part);
            }
            Ok(all)
        })
    }

    fn encode_part(&self, texts: &[String]) -> Result<Encoded> {
        let mut words = self.byte_level.as_ref().map(ByteLevel::take_words).unwrap_or_default();
        let mut encoded = Encoded::default();
        for text in texts {
            let before = encoded.ids.len();
            if !self.encode_short(text, &mut words, &mut encoded) {
                self.encode_long(text, &mut encoded)?;
            }
            encoded.lengths.push((encoded.ids.len() - before) as i32);
        }
        if let Some(byte_level) = &self.byte_level {
            byte_level.give_back(words);
        }
        Ok(encoded)
    }

    fn encode_short(&self, text: &str, words: &mut Words, encoded: &mut Encoded) -> bool {
        let Some(byte_level) = &self.byte_level else { return false };
        let before = encoded.ids.len();
        let emit = |id, start, end| encoded.push(id, start, end);
        let done = byte_level.encode(&self.tokenizer, text, words, emit).is_ok();
        if !done {
            encoded.ids.truncate(before);
            encoded.offsets.truncate(2 * before);
        }
        done
    }

    fn encode_long(&self, text: &str, encoded: &mut Encoded) -> Result<()> {
        let found = self.tokenizer.encode_char_offsets(text, false).map_err(|error| error.to_string())?;
        let characters = Characters::of(text);
        let unit = |place| {
            let outside =
                || format!("the tokenizers library places a token at character {place}, outside the text");
            characters.unit(place).ok_or_else(outside)
        };
        for (&id, &(start, end)) in found.get_ids().iter().zip(found.get_offsets()) {
            encoded.push(id, unit(start)?, unit(end)?);
        }
        if self.with_words {
            encoded.words.extend(found.get_word_ids().iter().map(|word| word.map_or(-1, |word| word as i32)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sample_texts::texts;

    fn regex(pattern: &str) -> Value {
        json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false })
    }

    fn bytes(use_regex: bool) -> Value {
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
    }

    /// A byte-level BPE with a few merges; `left_out` is no piece of it.
    fn byte_level(steps: &[Value], normalizer: Value, left_out: &str) -> Encoder {
        let pieces = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let mut pieces: Vec<String> = pieces.into_iter().map(String::from).collect();
        pieces.sort();
        pieces.retain(|piece| piece != left_out);
        let merges = ["t h", "th e", "Ġ a", "Ã ©", "' s", "Ġ Ġ", "ð Ł", "1 2", "12 3"];
        pieces.extend(merges.iter().map(|pair| pair.replace(' ', "")));
        let vocab: serde_json::Map<String, Value> =
            pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), json!(id))).collect();
        let json = json!({
            "version": "1.0",
            "added_tokens": [{ "id": vocab.len(), "content": "BB", "single_word": false, "lstrip": false,
                "rstrip": true, "normalized": false, "special": false }],
            "normalizer": normalizer,
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": steps },
            "post_processor": null,
            "decoder": null,
            "model": { "type": "BPE", "vocab": vocab, "merges": merges },
        });
        Encoder::open(&json.to_string(), None, false).expect("a tokenizer")
    }

    fn assert_same(encoder: &Encoder, least: usize) {
        let mut words = Words::default();
        let mut short = 0;
        for text in texts(5_000) {
            let mut expected = Encoded::default();
            encoder.encode_long(&text, &mut expected).expect("tokens");
            let mut found = Encoded::default();
            if encoder.encode_short(&text, &mut words, &mut found) {
                short += 1;
                assert_eq!((&found.ids, &found.offsets), (&expected.ids, &expected.offsets), "{text:?}");
            } else {
                assert!(found.ids.is_empty() && found.offsets.is_empty());
            }
        }
        assert!(short >= least, "{short} texts went the short way");
    }

    #[test]
    fn the_short_way_gives_what_the_long_way_gives() {
        let digits = |alone: bool| json!({ "type": "Digits", "individual_digits": alone });
        for steps in [
            vec![bytes(true)],
            vec![digits(true), bytes(true)],
            vec![digits(false), bytes(false)],
            vec![regex(r"\p{N}"), regex(crate::scan::GPT2), bytes(false)],
            vec![regex(crate::scan::LLAMA3), bytes(false)],
            vec![regex(crate::scan::QWEN2), bytes(false)],
            vec![regex(r"\p{N}{1,2}"), regex("[一-龥]+"), regex(r"\s+|[a-z]+"), bytes(false)],
        ] {
            assert_same(&byte_level(&steps, Value::Null, ""), 4_000);
            assert_same(&byte_level(&steps, json!({ "type": "NFC" }), ""), 3_000);
        }
    }

    #[test]
    fn a_text_with_bytes_that_the_model_lacks_goes_the_long_way() {
        assert_same(&byte_level(&[bytes(true)], Value::Null, "Â"), 2_000);
    }

    #[test]
    fn other_tokenizers_have_no_short_way() {
        let spaced =
            json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true });
        for (steps, normalizer) in [
            (vec![spaced], Value::Null),
            (vec![json!({ "type": "Whitespace" }), bytes(true)], Value::Null),
            (vec![bytes(true)], json!({ "type": "Lowercase" })),
        ] {
            assert!(byte_level(&steps, normalizer, "").byte_level.is_none());
        }
    }

    #[test]
    fn steps_after_the_model_have_no_short_way() {
        use tokenizers::processors::byte_level::ByteLevel as Trims;
        use tokenizers::{PaddingParams, TruncationParams};
        let plain = byte_level(&[bytes(true)], Value::Null, "").tokenizer;
        let (mut processed, mut padded, mut truncated) = (plain.clone(), plain.clone(), plain.clone());
        processed.with_post_processor(Some(Trims::default().trim_offsets(true)));
        padded.with_padding(Some(PaddingParams::default()));
        truncated.with_truncation(Some(TruncationParams::default())).expect("a length");
        assert!(ByteLevel::of(&plain).is_some());
        for other in [processed, padded, truncated] {
            assert!(ByteLevel::of(&other).is_none());
        }
    }

    #[test]
    fn many_steps_go_the_long_way_and_do_not_nest() {
        let digits = json!({ "type": "Digits", "individual_digits": true });
        let steps = |count: usize| [vec![digits.clone(); count], vec![bytes(true)]].concat();
        assert!(byte_level(&steps(15), Value::Null, "").byte_level.is_some());
        let encoder = byte_level(&steps(5_000), Value::Null, "");
        assert!(encoder.byte_level.is_none());
        let few = byte_level(&steps(1), Value::Null, "");
        let texts = vec!["a1".repeat(200); 64];
        crate::pool::set_threads(2);
        let (found, expected) =
            (encoder.encode(&texts).expect("tokens"), few.encode(&texts).expect("tokens"));
        assert_eq!((found.ids, found.offsets), (expected.ids, expected.offsets));
    }

    #[test]
    fn many_texts_are_those_of_each() {
        let encoder = byte_level(&[bytes(true)], Value::Null, "");
        let all: Vec<String> = texts(3_000).collect();
        crate::pool::set_threads(2);
        let together = encoder.encode(&all).expect("tokens");
        let mut apart = Encoded::default();
        for text in &all {
            apart.append(encoder.encode(std::slice::from_ref(text)).expect("tokens"));
        }
        assert_eq!(together.lengths, apart.lengths);
        assert_eq!(together.ids, apart.ids);
        assert_eq!(together.offsets, apart.offsets);
        assert_eq!(together.joined(), [apart.lengths, apart.ids, apart.offsets].concat());
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_an_error() {
        assert!(Encoder::open("{}", None, false).is_err());
    }

    #[test]
    fn a_model_beside_the_rest_is_the_same_tokenizer() {
        let added = json!([
            { "id": 3, "content": "<a>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": true },
        ]);
        let model =
            json!({ "type": "BPE", "vocab": { "a": 0, "b": 1, "ab": 2, "<a>": 3 }, "merges": ["a b"] });
        let whole = json!({ "version": "1.0", "added_tokens": added, "normalizer": null, "pre_tokenizer": null,
            "post_processor": null, "decoder": null, "model": model });
        let mut rest = whole.clone();
        rest["added_tokens"] = json!([]);
        rest["model"] = json!({ "type": "BPE", "vocab": {}, "merges": [] });
        let apart = Some((model.to_string(), added.to_string()));
        let apart = apart.as_ref().map(|(model, added)| (model.as_str(), added.as_str()));
        let one = Encoder::open(&whole.to_string(), None, false).expect("a tokenizer");
        let other = Encoder::open(&rest.to_string(), apart, false).expect("a tokenizer");
        let texts = ["ab<a> ba".to_string()];
        let (one, other) = (one.encode(&texts).expect("tokens"), other.encode(&texts).expect("tokens"));
        assert_eq!((one.ids, one.offsets), (other.ids, other.offsets));
        let broken = Encoder::open(&rest.to_string(), Some(("{}", "[]")), false);
        assert!(broken.err().expect("an error").contains("vocab/merges"));
    }
}
