//! A page's commands, in order, and what it shows of their output.

/// A block of commands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where it begins in the page, counted from one.
    pub(crate) line: usize,
    pub(crate) commands: String,
    /// The last command fails, and the page says so.
    pub(crate) refused: bool,
    /// What they say, if a block of text follows at once.
    pub(crate) shown: Option<String>,
}

/// What runs in a page in a browser.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Where it begins, counted from one.
    pub(crate) line: usize,
    pub(crate) code: String,
    /// The page is one of another site.
    pub(crate) elsewhere: bool,
    /// What it logs.
    pub(crate) shown: String,
}

/// The scripts of a page that has nothing else.
///
/// # Errors
/// Blocks that are none, and scripts of which nothing is shown: by their lines.
pub(crate) fn scripts(page: &str) -> Result<Vec<Script>, String> {
    let mut scripts: Vec<Script> = Vec::new();
    for block in blocks(page) {
        match (block.kind, scripts.last_mut()) {
            ("js" | "js elsewhere", last) if last.as_ref().is_none_or(|last| !last.shown.is_empty()) => {
                let elsewhere = block.kind != "js";
                scripts.push(Script { line: block.line, code: block.text, elsewhere, shown: String::new() });
            }
            ("text", Some(script)) if script.shown.is_empty() && !block.apart => script.shown = block.text,
            (kind, _) => return Err(format!("line {}: a block ({kind:?}) that nobody runs", block.line)),
        }
    }
    match scripts.last() {
        Some(last) if last.shown.is_empty() => Err(format!("line {}: nothing is shown of it", last.line)),
        _ => Ok(scripts),
    }
}

/// A fenced block.
struct Block<'a> {
    line: usize,
    kind: &'a str,
    text: String,
    /// Prose stands between the one before and this one.
    apart: bool,
}

/// The steps of a page.
///
/// # Errors
/// Blocks of a kind that is neither run nor known to be none, and output that is of nothing: by their lines.
pub(crate) fn steps(page: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut last = "";
    for block in blocks(page) {
        match (block.kind, steps.last_mut()) {
            ("sh" | "sh refused", _) => {
                let refused = block.kind != "sh";
                steps.push(Step { line: block.line, commands: block.text, refused, shown: None });
            }
            ("text", Some(step)) if last.starts_with("sh") && !block.apart => step.shown = Some(block.text),
            ("yaml" | "js", _) => {}
            (kind, _) => return Err(format!("line {}: a block ({kind:?}) that nobody runs", block.line)),
        }
        last = block.kind;
    }
    Ok(steps)
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut inside, mut apart) = (false, false);
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), blocks.last_mut()) {
            (Some(_), _) if inside => (inside, apart) = (false, false),
            (Some(kind), _) => {
                blocks.push(Block { line: number + 1, kind: kind.trim(), text: String::new(), apart });
                inside = true;
            }
            (None, Some(block)) if inside => block.text.extend([line, "\n"]),
            (None, _) => apart |= !line.trim().is_empty(),
        }
    }
    blocks
}

/// Whether `said` is what a page shows, where `…` stands for anything in a line, and alone for any number of lines.
pub(crate) fn is_as_shown(shown: &str, said: &str) -> bool {
    let lines = |text: &str| -> Vec<String> { text.trim_end().lines().map(|line| line.trim_end().into()).collect() };
    lines_fit(&lines(shown), &lines(said))
}

fn lines_fit(shown: &[String], said: &[String]) -> bool {
    match (shown.split_first(), said.split_first()) {
        (None, None) => true,
        (Some((line, rest)), _) if line.trim() == "…" => {
            lines_fit(rest, said) || said.split_first().is_some_and(|(_, others)| lines_fit(shown, others))
        }
        (Some((line, rest)), Some((first, others))) => line_fits(line, first) && lines_fit(rest, others),
        _ => false,
    }
}

fn line_fits(shown: &str, said: &str) -> bool {
    let Some((start, more)) = shown.split_once('…') else { return shown == said };
    let Some(mut left) = said.strip_prefix(start) else { return false };
    let (middle, end) = more.rsplit_once('…').unwrap_or(("", more));
    for piece in middle.split('…') {
        let Some((_, behind)) = left.split_once(piece) else { return false };
        left = behind;
    }
    left.ends_with(end)
}

#[test]
fn commands_and_what_they_say_are_found() {
    let page = "# A\n```sh\necho a\n```\n\n```text\na\n```\nprose\n```sh refused\nfalse\n```\n```yaml\na: 1\n```\n";
    let step = |line, commands: &str, refused, shown: Option<&str>| Step {
        line,
        commands: commands.into(),
        refused,
        shown: shown.map(Into::into),
    };
    let found = steps(page).unwrap();
    assert_eq!(found, [step(2, "echo a\n", false, Some("a\n")), step(10, "false\n", true, None)]);
    for (page, line) in
        [("```\nx\n```\n", 1), ("```sh\nx\n```\n\nprose\n```text\nx\n```\n", 6), ("```text\nx\n```\n", 1)]
    {
        assert!(steps(page).unwrap_err().starts_with(&format!("line {line}: ")), "{page}");
    }
}

#[test]
fn what_is_left_out_is_anything() {
    for (shown, said) in [
        ("a\n", "a"),
        ("a …\n", "a b c\n"),
        ("…b…d\n", "abcd\n"),
        ("…\nb\n", "a\na\nb\n"),
        ("…\nb\n", "b\n"),
        ("a\n…\n", "a\n"),
        ("{…}\n", "{}\n"),
    ] {
        assert!(is_as_shown(shown, said), "{shown:?} {said:?}");
    }
    for (shown, said) in [("a\n", "b\n"), ("a\n", "a\nb\n"), ("a…c\n", "ab\n"), ("…\nb\n", "b\na\n"), ("a…a\n", "a\n")]
    {
        assert!(!is_as_shown(shown, said), "{shown:?} {said:?}");
    }
}

#[test]
fn scripts_and_what_they_log_are_found() {
    let page = "# A\n```js\na();\n```\n\n```text\na\n```\nprose\n```js elsewhere\nb();\n```\n```text\nb\n```\n";
    let script =
        |line, code: &str, elsewhere, shown: &str| Script { line, code: code.into(), elsewhere, shown: shown.into() };
    assert_eq!(scripts(page).unwrap(), [script(2, "a();\n", false, "a\n"), script(10, "b();\n", true, "b\n")]);
    for (page, line) in [
        ("```js\na\n```\n", 1),
        ("```js\na\n```\n```js\nb\n```\n", 4),
        ("```js\na\n```\nprose\n```text\na\n```\n", 5),
        ("```sh\na\n```\n", 1),
    ] {
        assert!(scripts(page).unwrap_err().starts_with(&format!("line {line}: ")), "{page}");
    }
}
