//! What a character is to the expressions that cut texts into words.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tokenizers::utils::SysRegex;

/// The classes that the published expressions tell apart; no character has two of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Class {
    Letter = 1,
    Number,
    Space,
    Other,
}

/// Asks the matcher of the library itself, so that its version of Unicode decides.
struct Asked {
    classes: [(SysRegex, Class); 3],
    known: Box<[AtomicU8]>,
}

static ASKED: LazyLock<Asked> = LazyLock::new(|| {
    let regex = |pattern| SysRegex::new(pattern).expect("an expression of one class");
    Asked {
        classes: [
            (regex(r"\p{L}"), Class::Letter),
            (regex(r"\p{N}"), Class::Number),
            (regex(r"\s"), Class::Space),
        ],
        known: (0..=char::MAX as u32).map(|_| AtomicU8::new(0)).collect(),
    }
});

fn ask(character: char) -> Class {
    let mut bytes = [0; 4];
    let text: &str = character.encode_utf8(&mut bytes);
    let matches = |regex: &SysRegex| regex.find_iter(text).next().is_some();
    ASKED.classes.iter().find(|(regex, _)| matches(regex)).map_or(Class::Other, |&(_, class)| class)
}

/// The class of a character; each is asked about once.
#[inline]
pub fn class_of(character: char) -> Class {
    let known = &ASKED.known[character as usize];
    match known.load(Relaxed) {
        1 => Class::Letter,
        2 => Class::Number,
        3 => Class::Space,
        4 => Class::Other,
        _ => {
            let class = ask(character);
            known.store(class as u8, Relaxed);
            class
        }
    }
}
