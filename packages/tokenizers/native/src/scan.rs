//! The published expressions of byte-level tokenizers as scanners: the same words as a matcher that goes back, in one pass.

use crate::characters::{Class, class_of};

/// An expression that is known by its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Published {
    /// Every number character alone.
    EachNumber,
    /// GPT-2's (Radford et al. 2019).
    Gpt2,
    /// That of tiktoken's cl100k_base and of those after it, with this many number characters together.
    Cl100k { digits: usize },
}

pub const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
pub const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
pub const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A match cannot be told here: the expression itself is to be asked.
pub struct Unsure;

impl Published {
    pub fn of(pattern: &str) -> Option<Self> {
        match pattern {
            r"\p{N}" => Some(Self::EachNumber),
            GPT2 => Some(Self::Gpt2),
            LLAMA3 => Some(Self::Cl100k { digits: 3 }),
            QWEN2 => Some(Self::Cl100k { digits: 1 }),
            _ => None,
        }
    }

    /// The end of the word that begins at `from`, which is before the end of the text.
    #[inline]
    pub fn end_of_word(self, text: &str, from: usize) -> Result<usize, Unsure> {
        match self {
            Self::EachNumber => Ok(numbers_apart(text, from)),
            Self::Gpt2 => Ok(gpt2(text, from)),
            Self::Cl100k { digits } => cl100k(text, from, digits),
        }
    }
}

/// The character at a place, its class and where it ends; none at the end.
#[inline]
fn at(text: &str, place: usize) -> Option<(char, Class, usize)> {
    let &byte = text.as_bytes().get(place)?;
    let character = if byte < 0x80 { byte as char } else { text[place..].chars().next()? };
    Some((character, class_of(character), place + character.len_utf8()))
}

/// The end of the run of one class that goes on at `place`.
#[inline]
fn run(text: &str, mut place: usize, class: Class) -> usize {
    while let Some((_, found, end)) = at(text, place)
        && found == class
    {
        place = end;
    }
    place
}

fn numbers_apart(text: &str, from: usize) -> usize {
    let mut place = from;
    while let Some((_, class, end)) = at(text, place) {
        if class == Class::Number {
            return if place == from { end } else { place };
        }
        place = end;
    }
    place
}

/// `'s|'t|'m|'d` and `'re|'ve|'ll` after an apostrophe.
fn contraction(rest: &[u8]) -> usize {
    match rest {
        [b's' | b't' | b'm' | b'd', ..] => 1,
        [b'r' | b'v', b'e', ..] | [b'l', b'l', ..] => 2,
        _ => 0,
    }
}

/// `\s+(?!\S)|\s+`: a run of white space gives its last character to the word after it.
fn blanks(text: &str, from: usize) -> usize {
    let end = run(text, from, Class::Space);
    let last = text[from..end].chars().next_back().map_or(end, |character| end - character.len_utf8());
    if end == text.len() || last == from { end } else { last }
}

fn gpt2(text: &str, from: usize) -> usize {
    let Some((character, class, next)) = at(text, from) else { return from };
    if character == '\'' {
        let length = contraction(&text.as_bytes()[next..]);
        if length > 0 {
            return next + length;
        }
    }
    if class != Class::Space {
        return run(text, next, class);
    }
    match at(text, next) {
        Some((_, behind, end)) if character == ' ' && behind != Class::Space => run(text, end, behind),
        _ => blanks(text, from),
    }
}

fn cl100k(text: &str, from: usize, digits: usize) -> Result<usize, Unsure> {
    let Some((character, class, next)) = at(text, from) else { return Ok(from) };
    let rest = &text.as_bytes()[next..];
    if character == '\'' {
        // Without case, a letter of another alphabet may be one of these (U+017F is an s).
        if rest.iter().take(2).any(|&byte| byte >= 0x80) {
            return Err(Unsure);
        }
        let lower = [rest.first(), rest.get(1)].map(|byte| byte.map_or(0, u8::to_ascii_lowercase));
        let length = contraction(&lower);
        if length > 0 {
            return Ok(next + length);
        }
    }
    let is_break = |character: char| character == '\r' || character == '\n';
    let behind = at(text, next);
    if class == Class::Letter {
        return Ok(run(text, next, Class::Letter));
    }
    if class == Class::Number {
        let mut end = next;
        for _ in 1..digits {
            match at(text, end) {
                Some((_, Class::Number, after)) => end = after,
                _ => break,
            }
        }
        return Ok(end);
    }
    if let Some((_, Class::Letter, end)) = behind
        && !is_break(character)
    {
        return Ok(run(text, end, Class::Letter));
    }
    let others = match (class, behind) {
        (Class::Other, _) => Some(next),
        (_, Some((_, Class::Other, end))) if character == ' ' => Some(end),
        _ => None,
    };
    if let Some(begun) = others {
        let end = run(text, begun, Class::Other);
        let breaks = text.as_bytes()[end..].iter().take_while(|&&byte| is_break(byte as char)).count();
        return Ok(end + breaks);
    }
    let end = run(text, from, Class::Space);
    match text.as_bytes()[from..end].iter().rposition(|&byte| is_break(byte as char)) {
        Some(last) => Ok(from + last + 1),
        None => Ok(blanks(text, from)),
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::utils::SysRegex;

    use super::*;
    use crate::sample_texts::texts;

    #[test]
    fn words_are_those_of_the_expressions() {
        for pattern in [r"\p{N}", GPT2, LLAMA3, QWEN2] {
            let published = Published::of(pattern).expect(pattern);
            let regex = SysRegex::new(pattern).expect(pattern);
            let mut sure = 0;
            for text in texts(20_000) {
                let mut expected = Vec::new();
                let mut last = 0;
                for (start, end) in regex.find_iter(&text) {
                    expected.extend((start > last).then_some(start));
                    expected.extend((end > start).then_some(end));
                    last = end;
                }
                expected.extend((last < text.len()).then_some(text.len()));
                let mut found = Vec::new();
                let mut from = 0;
                while from < text.len() {
                    match published.end_of_word(&text, from) {
                        Ok(end) => from = end,
                        Err(Unsure) => break,
                    }
                    found.push(from);
                }
                assert_eq!(found, expected[..found.len()], "{pattern} on {text:?}");
                sure += usize::from(from == text.len());
                assert!(from == text.len() || text[from..].starts_with('\''), "{pattern} on {text:?}");
            }
            assert!(sure > 14_000, "{pattern}: sure of {sure}");
        }
    }
}
