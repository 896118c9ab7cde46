//! Which tokens may come next in an answer that is held to a JSON schema, an expression, a list of texts or a grammar.
//!
//! `llguidance` parses and decides (derivatives of expressions and Earley's algorithm over a trie of the vocabulary); here are the
//! vocabulary, the bounds on what a constraint may cost, and the door to JavaScript.

mod constraint;
mod node;
mod vocabulary;
