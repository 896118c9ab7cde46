//! Texts into words, as a chain of pre-tokenizers cuts them.

use tokenizers::SplitDelimiterBehavior;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::utils::SysRegex;

use crate::scan::{GPT2, Published, Unsure};

/// One way to cut a text into pieces.
enum Step {
    /// Numbers, each or as runs, and what lies between two.
    Digits { alone: bool },
    /// Matches of an expression, and what lies between two.
    Pattern(Pattern),
}

impl Step {
    fn pattern(pattern: &str) -> Option<Self> {
        let regex = SysRegex::new(pattern).ok()?;
        Some(Self::Pattern(Pattern { published: Published::of(pattern), regex }))
    }

    /// Calls `emit` with every piece that is not empty, in order, and its place.
    fn cut(&self, text: &str, emit: &mut dyn FnMut(&str, usize)) {
        match self {
            Self::Digits { alone } => digits(*alone, text, emit),
            Self::Pattern(pattern) => pattern.cut(text, emit),
        }
    }
}

fn digits(alone: bool, text: &str, emit: &mut dyn FnMut(&str, usize)) {
    let mut from = 0;
    let mut before = None;
    for (place, character) in text.char_indices() {
        let is_digit = character.is_numeric();
        if before.is_some_and(|was| was != is_digit || (alone && is_digit)) {
            emit(&text[from..place], from);
            from = place;
        }
        before = Some(is_digit);
    }
    if from < text.len() {
        emit(&text[from..], from);
    }
}

struct Pattern {
    published: Option<Published>,
    regex: SysRegex,
}

impl Pattern {
    fn cut(&self, text: &str, emit: &mut dyn FnMut(&str, usize)) {
        let from = match self.published {
            Some(published) => scan(published, text, emit),
            None => 0,
        };
        // None of the published expressions looks behind itself.
        let rest = &text[from..];
        let mut last = 0;
        let mut piece = |start: usize, end: usize| {
            if end > start {
                emit(&rest[start..end], from + start);
            }
        };
        if rest.is_empty() {
            return;
        }
        for (start, end) in self.regex.find_iter(rest) {
            piece(last, start);
            piece(start, end);
            last = end;
        }
        piece(last, rest.len());
    }
}

/// Cuts as far as the scanner is sure, and says how far that is.
fn scan(published: Published, text: &str, emit: &mut dyn FnMut(&str, usize)) -> usize {
    let mut from = 0;
    while from < text.len() {
        match published.end_of_word(text, from) {
            Ok(end) => {
                emit(&text[from..end], from);
                from = end;
            }
            Err(Unsure) => break,
        }
    }
    from
}

/// Steps are nested calls on the stack of a thread. Published tokenizers have at most four.
const MOST_STEPS: usize = 16;

/// The steps that cut a text into the words of a byte-level model.
pub struct Cuts(Vec<Step>);

impl Cuts {
    /// None for pre-tokenizers that do other things too, and for more steps than published ones have.
    pub fn of(pre_tokenizer: &PreTokenizerWrapper) -> Option<Self> {
        let all = match pre_tokenizer {
            PreTokenizerWrapper::Sequence(sequence) => sequence.as_ref(),
            one => std::slice::from_ref(one),
        };
        let (PreTokenizerWrapper::ByteLevel(last), cutting) = all.split_last()? else { return None };
        if cutting.len() >= MOST_STEPS {
            return None;
        }
        let mut steps = Vec::new();
        for one in cutting {
            let split = match one {
                PreTokenizerWrapper::Split(split) => split,
                PreTokenizerWrapper::Digits(digits) => {
                    steps.push(Step::Digits { alone: digits.individual_digits });
                    continue;
                }
                _ => return None,
            };
            if split.behavior != SplitDelimiterBehavior::Isolated || split.invert {
                return None;
            }
            let SplitPattern::Regex(pattern) = &split.pattern else { return None };
            steps.push(Step::pattern(pattern)?);
        }
        let &ByteLevel { add_prefix_space, use_regex, .. } = last;
        if use_regex {
            steps.push(Step::pattern(GPT2)?);
        }
        (!add_prefix_space).then_some(Self(steps))
    }

    /// Calls `emit` with every word in order, and its place.
    pub fn words(&self, text: &str, emit: &mut dyn FnMut(&str, usize)) {
        words(&self.0, text, 0, emit);
    }
}

fn words(steps: &[Step], text: &str, base: usize, emit: &mut dyn FnMut(&str, usize)) {
    match steps {
        [] if text.is_empty() => (),
        [] => emit(text, base),
        [last] => last.cut(text, &mut |piece, at| emit(piece, base + at)),
        [step, rest @ ..] => step.cut(text, &mut |piece, at| words(rest, piece, base + at, emit)),
    }
}
