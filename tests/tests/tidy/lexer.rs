//! Rust as far as these rules need it: what is code, what is a text, and what is only compiled for tests.

use std::ops::Range;

/// A string literal, as it is written between its quotes.
#[derive(Debug)]
pub(crate) struct Literal {
    /// Where in the code it begins.
    pub(crate) at: usize,
    pub(crate) text: String,
}

/// The code of a file with comments and literals blanked out, line by line as long as it was, and its string literals.
pub(crate) fn split(text: &str) -> (String, Vec<Literal>) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (end, literal) = opaque(&chars, at);
        if let Some((from, to)) = literal {
            literals.push(Literal { at: code.len(), text: chars[from..to].iter().collect() });
        }
        if end == at {
            // Identifiers as a whole: the r of `for` begins no raw string.
            let end = (at..chars.len()).find(|&end| !is_word(chars[end])).unwrap_or(chars.len()).max(at + 1);
            code.extend(chars[at..end].iter().map(|&char| if char.is_ascii() { char } else { '_' }));
            at = end;
        } else {
            code.extend(chars[at..end].iter().map(|&char| if char == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    (code, literals)
}

/// What is compiled for tests alone, with the attribute that says so.
pub(crate) fn tests(code: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("#[cfg(test)]").map(|at| from + at) {
        from = at + item_end(&code[at..]);
        found.push(at..from);
    }
    found
}

/// The code with these parts blanked out.
pub(crate) fn without(code: &str, parts: &[Range<usize>]) -> String {
    let mut kept = code.to_owned();
    for part in parts {
        let blank: String = code[part.clone()].chars().map(|char| if char == '\n' { '\n' } else { ' ' }).collect();
        kept.replace_range(part.clone(), &blank);
    }
    kept
}

/// Where the block that opens at `open` ends: just after its closing brace.
pub(crate) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The body of an item, or the semicolon that it has instead: the first of either outside of parentheses and brackets.
pub(crate) fn body_or_semicolon(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' | b';' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Every place where `word` stands by itself.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|&byte| !is_word(byte.into()));
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let bytes = code.as_bytes();
        is_edge(at.checked_sub(1).and_then(|before| bytes.get(before))) && is_edge(bytes.get(at + word.len()))
    })
}

/// The identifier that `code` begins with; empty if it begins otherwise.
pub(crate) fn identifier(code: &str) -> &str {
    &code[..code.find(|char| !is_word(char)).unwrap_or(code.len())]
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn item_end(code: &str) -> usize {
    match body_or_semicolon(code, 0) {
        Some(at) if code.as_bytes()[at] == b'{' => block_end(code, at),
        Some(at) => at + 1,
        None => code.len(),
    }
}

/// The end of the comment or literal that begins at `at`, which is `at` if none does, and what is between its quotes.
fn opaque(chars: &[char], at: usize) -> (usize, Option<(usize, usize)>) {
    let next = chars.get(at + 1).copied();
    match (chars[at], next) {
        ('/', Some('/')) => (find(chars, at, &['\n']), None),
        ('/', Some('*')) => (comment_end(chars, at), None),
        ('"', _) => string(chars, at + 1),
        ('b' | 'c', Some('"')) => string(chars, at + 2),
        ('b', Some('\'')) => (character_end(chars, at + 1), None),
        ('b' | 'c', Some('r')) => raw_string(chars, at, at + 2),
        ('r', _) => raw_string(chars, at, at + 1),
        ('\'', _) => (character_end(chars, at), None),
        _ => (at, None),
    }
}

fn find(chars: &[char], from: usize, what: &[char]) -> usize {
    let found = chars.get(from..).and_then(|rest| rest.windows(what.len()).position(|window| window == what));
    found.map_or(chars.len(), |at| from + at)
}

fn comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (1, at + 2);
    while depth > 0 && at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn string(chars: &[char], from: usize) -> (usize, Option<(usize, usize)>) {
    let mut at = from;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    let at = at.min(chars.len());
    ((at + 1).min(chars.len()), Some((from, at)))
}

fn raw_string(chars: &[char], at: usize, hashes: usize) -> (usize, Option<(usize, usize)>) {
    let open = (hashes..chars.len()).find(|&at| chars[at] != '#').unwrap_or(chars.len());
    if chars.get(open) != Some(&'"') {
        return (at, None);
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', open - hashes)).collect();
    let end = find(chars, open + 1, &close);
    ((end + close.len()).min(chars.len()), Some((open + 1, end)))
}

/// A lifetime is none.
fn character_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => find(chars, at + 3, &['\'']) + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = r##"a /* { /* } */ " */ 'x' '\'' "s{\"" r#"raw "}"# for<'a> b'"' // end {
é"##;
    let (code, literals) = split(text);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "for<'a>", "_"]);
    assert_eq!(code.lines().count(), 2);
    assert_eq!(literals.iter().map(|literal| literal.text.as_str()).collect::<Vec<_>>(), [r#"s{\""#, r#"raw "}"#]);
}

#[test]
fn what_is_for_tests_is_left_out() {
    let code = "use a;\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n fn c() {}\n}\nfn d() {}";
    let kept = without(code, &tests(code));
    assert_eq!(kept.split_whitespace().collect::<String>(), "usea;fnb(){}fnd(){}");
    assert_eq!(kept.lines().count(), code.lines().count());
}
