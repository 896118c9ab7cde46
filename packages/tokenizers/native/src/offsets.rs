//! Places in a text as JavaScript counts them, in UTF-16 code units.

/// UTF-16 code units of the characters of a text, by number; none when each is one unit.
pub fn units_of_characters(text: &str) -> Option<Vec<u32>> {
    // Characters of four bytes have two.
    if !text.bytes().any(|byte| byte >= 0xf0) {
        return None;
    }
    let mut units = Vec::with_capacity(text.len() + 1);
    let mut at = 0;
    for character in text.chars() {
        units.push(at);
        at += character.len_utf16() as u32;
    }
    units.push(at);
    Some(units)
}

/// Goes forward through a text, and tells places in bytes in UTF-16 code units.
pub struct Units<'text> {
    text: &'text str,
    is_ascii: bool,
    byte: usize,
    unit: usize,
}

impl<'text> Units<'text> {
    pub fn new(text: &'text str) -> Self {
        Self { text, is_ascii: text.is_ascii(), byte: 0, unit: 0 }
    }

    /// The characters that bytes from `start` to before `end` touch. `start` is not before that of the last call.
    pub fn touched(&mut self, start: usize, end: usize) -> (usize, usize) {
        if self.is_ascii {
            return (start, end);
        }
        let mut characters = self.text[self.byte..].chars();
        let mut next = characters.next();
        while let Some(character) = next
            && self.byte + character.len_utf8() <= start
        {
            self.byte += character.len_utf8();
            self.unit += character.len_utf16();
            next = characters.next();
        }
        let (mut byte, mut unit) = (self.byte, self.unit);
        while let Some(character) = next
            && byte < end
        {
            byte += character.len_utf8();
            unit += character.len_utf16();
            next = characters.next();
        }
        (self.unit, unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_one_character_have_the_place_of_all_of_it() {
        let mut units = Units::new("aé🙂b");
        let places = [(0, 1), (1, 2), (2, 3), (2, 4), (3, 7), (5, 6), (6, 8), (7, 8), (8, 8)];
        let found = places.map(|(start, end)| units.touched(start, end));
        assert_eq!(found, [(0, 1), (1, 2), (1, 2), (1, 4), (2, 4), (2, 4), (2, 5), (4, 5), (5, 5)]);
    }

    #[test]
    fn characters_of_two_units_are_counted() {
        assert_eq!(units_of_characters("aé中"), None);
        assert_eq!(units_of_characters("a🙂b"), Some(vec![0, 1, 3, 4]));
    }
}
