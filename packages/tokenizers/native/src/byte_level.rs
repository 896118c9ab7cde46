//! Byte-level BPE the short way. The library makes a text of its own of every word, with the origin of each of its bytes; here a
//! word stays a part of the text, and only one that is new goes to the library's model.

use std::sync::{LazyLock, Mutex};

use aho_corasick::AhoCorasick;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::{Model, NormalizedString, Normalizer, Tokenizer};
use unicode_normalization_alignments::{IsNormalized, is_nfc_quick};

use crate::cut::Cuts;
use crate::offsets::Units;
use crate::words::{Piece, Words};

/// GPT-2's alphabet: printable bytes are themselves, others the characters from U+0100.
static ALPHABET: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        printable @ (b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) => printable as char,
        _ => next.next().expect("68 characters"),
    })
});

/// What the library makes of a tokenizer whose text takes no other way than words, bytes and merges.
pub struct ByteLevel {
    cuts: Cuts,
    /// A text that holds one of them is cut at it first, and takes the long way.
    added: Option<AhoCorasick>,
    composes: bool,
    /// Caches not in use; each thread takes one.
    seen: Mutex<Vec<Words>>,
}

/// This text takes the long way.
pub struct Elsewhere;

impl ByteLevel {
    /// None for a tokenizer of another kind.
    pub fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let bpe = bpe_of(tokenizer)?;
        // Each of them changes ids or places after the model.
        if tokenizer.get_post_processor().is_some()
            || tokenizer.get_truncation().is_some()
            || tokenizer.get_padding().is_some()
        {
            return None;
        }
        if bpe.dropout.is_some_and(|dropout| dropout > 0.0)
            || bpe.byte_fallback
            || bpe.continuing_subword_prefix.is_some()
            || bpe.end_of_word_suffix.is_some()
        {
            return None;
        }
        let composes = match tokenizer.get_normalizer() {
            None => false,
            Some(NormalizerWrapper::NFC(_)) => true,
            Some(_) => return None,
        };
        let mut added = Vec::new();
        for token in tokenizer.get_added_tokens_decoder().into_values() {
            if let Some(normalizer) = tokenizer.get_normalizer() {
                let mut text = NormalizedString::from(token.content.as_str());
                normalizer.normalize(&mut text).ok()?;
                added.push(text.get().to_owned());
            }
            added.push(token.content);
        }
        added.retain(|text| !text.is_empty());
        Some(Self {
            cuts: Cuts::of(tokenizer.get_pre_tokenizer()?)?,
            added: if added.is_empty() { None } else { Some(AhoCorasick::new(added).ok()?) },
            composes,
            seen: Mutex::default(),
        })
    }

    /// Words that were seen before, for one thread at a time.
    pub fn take_words(&self) -> Words {
        self.seen.lock().ok().and_then(|mut seen| seen.pop()).unwrap_or_default()
    }

    pub fn give_back(&self, words: Words) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(words);
        }
    }

    /// Calls `emit` with the id of every token, and its place in UTF-16 code units.
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        words: &mut Words,
        mut emit: impl FnMut(u32, usize, usize),
    ) -> Result<(), Elsewhere> {
        if self.added.as_ref().is_some_and(|added| added.is_match(text))
            || (self.composes && !text.is_ascii() && is_nfc_quick(text.chars()) != IsNormalized::Yes)
        {
            return Err(Elsewhere);
        }
        let bpe = bpe_of(tokenizer).ok_or(Elsewhere)?;
        let mut units = Units::new(text);
        let mut outcome = Ok(());
        let mut fresh = Vec::new();
        self.cuts.words(text, &mut |word, place| {
            if outcome.is_err() {
                return;
            }
            let mut give = |pieces: &[Piece]| {
                for &Piece { id, start, end } in pieces {
                    let (start, end) = units.touched(place + start as usize, place + end as usize);
                    emit(id, start, end);
                }
            };
            if let Some(known) = words.get(word) {
                give(known);
                return;
            }
            outcome = tokenize(bpe, word, &mut fresh);
            if outcome.is_ok() {
                give(&fresh);
                words.insert(word, &fresh);
            }
        });
        outcome
    }
}

fn bpe_of(tokenizer: &Tokenizer) -> Option<&BPE> {
    match tokenizer.get_model() {
        ModelWrapper::BPE(bpe) => Some(bpe),
        _ => None,
    }
}

/// The tokens of one word by the library's model, which is given bytes as characters.
fn tokenize(bpe: &BPE, word: &str, pieces: &mut Vec<Piece>) -> Result<(), Elsewhere> {
    pieces.clear();
    let spelled: String = word.bytes().map(|byte| ALPHABET[byte as usize]).collect();
    let mut bytes = 0;
    let mut at = 0;
    for token in bpe.tokenize(&spelled).map_err(|_| Elsewhere)? {
        // A character that the model leaves out moves the places of those after it.
        let part = spelled.get(token.offsets.0..token.offsets.1).ok_or(Elsewhere)?;
        if token.offsets.0 != at {
            return Err(Elsewhere);
        }
        at = token.offsets.1;
        let start = bytes;
        bytes += part.chars().count() as u32;
        pieces.push(Piece { id: token.id, start, end: bytes });
    }
    if at == spelled.len() { Ok(()) } else { Err(Elsewhere) }
}
