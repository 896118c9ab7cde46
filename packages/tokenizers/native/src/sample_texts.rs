//! Texts for tests: what the expressions of tokenizers tell apart, in any order.

const PARTS: [&str; 44] = [
    "a",
    "B",
    "the",
    "don",
    "'s",
    "'S",
    "'t",
    "'RE",
    "'ve",
    "'ll",
    "'lL",
    "'m",
    "'d",
    "'",
    "'\u{17f}",
    "'é",
    " ",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\u{a0}",
    "\u{85}",
    "\u{3000}",
    "\u{b}",
    "0",
    "7",
    "12345",
    "½",
    "٣",
    "Ⅻ",
    ".",
    ",",
    "!?",
    "—",
    "é",
    "ſ",
    "e\u{301}",
    "中文",
    "🙂",
    "👩\u{200d}🚀",
    "\u{feff}",
    "\u{10fffe}",
];

/// `count` texts, the same every time.
pub fn texts(count: usize) -> impl Iterator<Item = String> {
    let mut state = 7_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    (0..count).map(move |_| (0..next(12)).map(|_| PARTS[next(PARTS.len())]).collect())
}
