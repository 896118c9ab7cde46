//! A constraint, and where an answer under it stands.

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};

/// Kinds of constraints, by the text that says what is allowed.
pub enum Kind {
    /// A JSON schema, as JSON.
    Schema,
    /// An expression that the whole answer matches, in Rust's syntax, of linear time.
    Regex,
    /// Texts of which the answer is one, as a JSON array.
    Choices,
    /// A grammar in the syntax of Lark.
    Lark,
}

impl Kind {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "schema" => Self::Schema,
            "regex" => Self::Regex,
            "choices" => Self::Choices,
            "lark" => Self::Lark,
            _ => return None,
        })
    }
}

/// The beginning of an answer under a constraint.
pub fn compile(factory: &ParserFactory, kind: &Kind, text: &str) -> Result<Matcher, String> {
    let json =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).map_err(|error| error.to_string());
    let grammar = match kind {
        Kind::Schema => TopLevelGrammar::from_json_schema(json(text)?),
        Kind::Regex => TopLevelGrammar::from_regex(text),
        Kind::Choices => {
            let texts: Vec<String> = serde_json::from_str(text).map_err(|error| error.to_string())?;
            if texts.is_empty() {
                return Err("there is no text to choose".into());
            }
            TopLevelGrammar::from_lark(one_of(&texts))
        }
        Kind::Lark => TopLevelGrammar::from_lark(text.to_owned()),
    };
    let mut matcher = Matcher::new(factory.create_parser(grammar));
    // What is wrong with a grammar may be found out with its first token.
    matcher.compute_mask_or_eos().map_err(|error| error.to_string())?;
    match matcher.get_error() {
        Some(error) => Err(error),
        None => Ok(matcher),
    }
}

/// A grammar of which every sentence is one of the texts.
fn one_of(texts: &[String]) -> String {
    // JSON's strings are Lark's.
    let alternatives: Vec<String> =
        texts.iter().map(|text| serde_json::Value::from(text.as_str()).to_string()).collect();
    format!("start: {}", alternatives.join(" | "))
}

/// Writes the tokens that may come next as bits: bit `i % 32` of word `i / 32` for token `i`.
pub fn mask(matcher: &mut Matcher, words: &mut [u32]) -> Result<(), String> {
    let allowed = matcher.compute_mask_or_eos().map_err(|error| error.to_string())?;
    words.fill(0);
    for (word, &bits) in words.iter_mut().zip(allowed.as_slice()) {
        *word = bits;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::factory;

    /// Every byte is a token; 256 ends.
    fn bytes() -> ParserFactory {
        let all: Vec<u8> = (0..=255).collect();
        let mut ends: Vec<u32> = (1..=256).collect();
        ends.push(256);
        factory(&all, &ends, &[256]).unwrap()
    }

    fn accepts(kind: Kind, text: &str, answer: &str) -> bool {
        let factory = bytes();
        let mut matcher = compile(&factory, &kind, text).unwrap();
        let mut words = [0; 9];
        for &byte in answer.as_bytes() {
            mask(&mut matcher, &mut words).unwrap();
            if words[byte as usize / 32] >> (byte % 32) & 1 == 0 {
                return false;
            }
            matcher.consume_token(byte.into()).unwrap();
        }
        mask(&mut matcher, &mut words).unwrap();
        words[8] & 1 == 1
    }

    #[test]
    fn answers_are_what_is_allowed() {
        let schema = r#"{"type":"object","properties":{"age":{"type":"integer","minimum":0}},
            "required":["age"],"additionalProperties":false}"#;
        assert!(accepts(Kind::Schema, schema, r#"{"age": 7}"#));
        assert!(!accepts(Kind::Schema, schema, r#"{"age": -7}"#));
        assert!(!accepts(Kind::Schema, schema, r#"{"name": 7}"#));
        assert!(accepts(Kind::Regex, "(red|green){1,2}", "redgreen"));
        assert!(!accepts(Kind::Regex, "(red|green){1,2}", "redgreenred"));
        let choices = r#"["yes", "no", "\"quoted\" \\ 中\n"]"#;
        assert!(accepts(Kind::Choices, choices, "no"));
        assert!(accepts(Kind::Choices, choices, "\"quoted\" \\ 中\n"));
        assert!(!accepts(Kind::Choices, choices, "nope"));
        assert!(accepts(Kind::Lark, "start: \"a\" start \"b\" | \"\"", "aabb"));
        assert!(!accepts(Kind::Lark, "start: \"a\" start \"b\" | \"\"", "aab"));
    }

    #[test]
    fn what_cannot_be_held_to_is_an_error() {
        let factory = bytes();
        let refused = [
            (Kind::Schema, "{"),
            (Kind::Schema, r#"{"type":"thing"}"#),
            (Kind::Schema, r##"{"$ref":"#/nowhere"}"##),
            (Kind::Regex, "(a"),
            (Kind::Regex, "(?<=a)b"),
            (Kind::Choices, "[]"),
            (Kind::Choices, "[1]"),
            (Kind::Lark, "start: nothing"),
        ];
        for (kind, text) in refused {
            assert!(compile(&factory, &kind, text).is_err(), "{text}");
        }
        assert!(super::super::vocabulary::factory(b"ab", &[2, 1], &[0]).is_err());
        assert!(super::super::vocabulary::factory(b"ab", &[1, 2], &[]).is_err());
        assert!(super::super::vocabulary::factory(b"ab", &[1, 2], &[2]).is_err());
    }
}
