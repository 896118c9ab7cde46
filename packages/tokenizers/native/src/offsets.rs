//! Places in a text as JavaScript counts them, in UTF-16 code units.

/// The characters of a text, by number.
pub struct Characters {
    count: usize,
    /// Where each begins, and where the last ends; none when each is one unit.
    units: Option<Vec<u32>>,
}

impl Characters {
    pub fn of(text: &str) -> Self {
        // Characters of four bytes have two units.
        if !text.bytes().any(|byte| byte >= 0xf0) {
            return Self { count: text.chars().count(), units: None };
        }
        let mut units = Vec::with_capacity(text.len() + 1);
        let mut at = 0;
        for character in text.chars() {
            units.push(at);
            at += character.len_utf16() as u32;
        }
        units.push(at);
        Self { count: units.len() - 1, units: Some(units) }
    }

    /// UTF-16 code units before a character, or before the end of the text; none for a place after it.
    pub fn unit(&self, place: usize) -> Option<usize> {
        match &self.units {
            Some(units) => units.get(place).map(|&unit| unit as usize),
            None => (place <= self.count).then_some(place),
        }
    }
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
        for (text, expected) in [
            ("", vec![Some(0), None]),
            ("aé中", vec![Some(0), Some(1), Some(2), Some(3), None, None]),
            ("a🙂b", vec![Some(0), Some(1), Some(3), Some(4), None, None]),
        ] {
            let characters = Characters::of(text);
            let found: Vec<_> = (0..expected.len()).map(|place| characters.unit(place)).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
