//! Bytes of the tokens.

use std::sync::Arc;

use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{ParserFactory, earley::SlicedBiasComputer};

/// In front of the name of a token that stands for no bytes: it is in no text.
const SPECIAL: u8 = 0xff;

/// Builds parsers over a vocabulary. `bytes` of all tokens lie end to end, those of token `i` up to `ends[i]`; one without bytes is
/// special. The ids of `stops` end an answer.
pub fn factory(bytes: &[u8], ends: &[u32], stops: &[u32]) -> Result<ParserFactory, String> {
    let count = ends.len();
    let in_order = ends.windows(2).all(|pair| pair[0] <= pair[1]);
    if !in_order || ends.last().is_some_and(|&end| end as usize != bytes.len()) {
        return Err("places of tokens are not in order".into());
    }
    let Some(&first) = stops.first() else { return Err("no token ends an answer".into()) };
    if let Some(id) = stops.iter().find(|&&id| id as usize >= count) {
        return Err(format!("token {id} of {count} is to end an answer"));
    }
    let mut start = 0;
    let words: Vec<Vec<u8>> = ends
        .iter()
        .enumerate()
        .map(|(id, &end)| {
            let text = &bytes[start..end as usize];
            start = end as usize;
            let special = text.is_empty() || stops.contains(&(id as u32));
            if special { [&[SPECIAL], format!("<{id}>").as_bytes()].concat() } else { text.to_vec() }
        })
        .collect();
    let trie = TokTrie::from(&TokRxInfo::new(count as u32, first), &words).with_eos_tokens(stops);
    let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
    let slices = SlicedBiasComputer::general_slices();
    let mut factory = ParserFactory::new(&env, InferenceCapabilities::default(), &slices)
        .map_err(|error| error.to_string())?;
    factory.quiet();
    // What a constraint costs is bounded by the library's own limits; its errors do not repeat the constraint.
    factory.limits_mut().verbose_errors = false;
    Ok(factory)
}
