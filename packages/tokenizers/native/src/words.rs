//! Tokens of words that were seen before.

use std::collections::HashMap;
use std::ops::Range;

use ahash::RandomState;

/// A token of a word: its id, and the bytes of the word that it stands for.
#[derive(Clone, Copy)]
pub struct Piece {
    pub id: u32,
    pub start: u32,
    pub end: u32,
}

/// Words of more bytes or tokens are rarely seen twice.
const LONGEST: usize = 128;
const MOST_TOKENS: usize = 32;
/// Words that are kept, and tokens of all of them; a cache that has so many is emptied. A full one of words of a few bytes and two tokens
/// has some 7 MB, and the largest less than 30 MB: 3.5 for the table, 9.5 for keys of `LONGEST` bytes, 12.6 for the capacity of `pieces`.
const MOST_WORDS: usize = 1 << 16;
const MOST_PIECES: usize = 1 << 19;

/// The tokens of each word, in one list.
#[derive(Default)]
pub struct Words {
    places: HashMap<Box<[u8]>, Range<u32>, RandomState>,
    pieces: Vec<Piece>,
}

impl Words {
    pub fn get(&self, word: &str) -> Option<&[Piece]> {
        let Range { start, end } = self.places.get(word.as_bytes())?;
        Some(&self.pieces[*start as usize..*end as usize])
    }

    pub fn insert(&mut self, word: &str, pieces: &[Piece]) {
        if word.len() > LONGEST || pieces.len() > MOST_TOKENS {
            return;
        }
        if self.places.len() == MOST_WORDS || self.pieces.len() + pieces.len() > MOST_PIECES {
            self.places.clear();
            self.pieces.clear();
        }
        let start = self.pieces.len() as u32;
        self.pieces.extend_from_slice(pieces);
        self.places.insert(word.as_bytes().into(), start..self.pieces.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(count: usize) -> Vec<Piece> {
        (0..count as u32).map(|at| Piece { id: at, start: at, end: at + 1 }).collect()
    }

    #[test]
    fn a_cache_has_no_more_words_and_tokens_than_its_bounds() {
        for tokens in [1, 7, 9, MOST_TOKENS] {
            let mut words = Words::default();
            let pieces = pieces(tokens);
            for number in 0..3 * MOST_WORDS {
                let word = format!("{number:0>32}");
                words.insert(&word, &pieces);
                assert_eq!(words.get(&word).map(<[Piece]>::len), Some(tokens));
            }
            assert!(words.places.len() <= MOST_WORDS && words.pieces.len() <= MOST_PIECES, "{tokens}");
        }
    }

    #[test]
    fn long_words_and_those_of_many_tokens_are_not_kept() {
        let mut words = Words::default();
        words.insert(&"a".repeat(LONGEST + 1), &pieces(1));
        words.insert("many", &pieces(MOST_TOKENS + 1));
        assert!(words.places.is_empty() && words.pieces.is_empty());
    }
}
