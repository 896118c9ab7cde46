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

/// Longer words are rarely seen twice.
const LONGEST: usize = 128;
/// Words that are kept; then it begins anew. With their tokens these are some 10 MB.
const MOST: usize = 1 << 16;

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
        if word.len() > LONGEST {
            return;
        }
        if self.places.len() == MOST {
            self.places.clear();
            self.pieces.clear();
        }
        let start = self.pieces.len() as u32;
        self.pieces.extend_from_slice(pieces);
        self.places.insert(word.as_bytes().into(), start..self.pieces.len() as u32);
    }
}
