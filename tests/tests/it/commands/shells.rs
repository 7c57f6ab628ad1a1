//! What shells complete, asked of the shells themselves, and manual pages as `man` shows them.

use std::process::{Command, Stdio};

use super::{ended, keyport, text, told};

/// What a real bash offers behind these words.
fn completed(words: &[&str]) -> Vec<String> {
    let script = ended(&keyport(&["completions", "bash"]), 0);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("keyport.bash");
    std::fs::write(&file, script).unwrap();
    let [.., before, last] = words else { panic!("the program's name is one of them") };
    let line = format!(
        "source {}; complete -p keyport >/dev/null || exit 1; COMP_WORDS=({}); COMP_CWORD={}; _keyport keyport '{last}' '{before}'; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        text(&file),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1,
    );
    let out = Command::new("bash").args(["--norc", "-c", &line]).output().unwrap();
    assert!(out.status.success(), "{}", told(&out.stderr));
    told(&out.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_flags_and_commands() {
    let has = |words: &[&str], expected: &[&str]| {
        let found = completed(words);
        for word in expected {
            assert!(found.iter().any(|found| found == word), "{words:?}: {word} of {found:?}");
        }
        found
    };
    has(&["keyport", ""], &["snapshot", "gateway", "check", "dump", "doctor", "migrate", "completions", "man"]);
    let found = has(&["keyport", "--listen-c"], &["--listen-client-urls", "--listen-client-http-urls"]);
    assert!(found.iter().all(|word| word.starts_with("--listen-c")), "{found:?}");
    has(&["keyport", "--metrics", ""], &["basic", "extensive"]);
    assert_eq!(has(&["keyport", "snapshot", "re"], &["restore"]), ["restore"]);
    has(&["keyport", "snapshot", "restore", "--bump"], &["--bump-revision"]);
    has(&["keyport", "gateway", "start", "--retry"], &["--retry-delay"]);
    has(&["keyport", "completions", "z"], &["zsh"]);
}

/// Where one of the others is installed, it reads what is meant for it.
#[test]
fn other_shells_take_theirs() {
    for (shell, flag) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let script = ended(&keyport(&["completions", shell]), 0);
        for word in ["snapshot", "listen-client-urls", "retry-delay", "bump-revision"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("script");
        std::fs::write(&file, script).unwrap();
        match Command::new(shell).arg(flag).arg(&file).output() {
            Ok(out) => assert!(out.status.success(), "{shell}: {}", told(&out.stderr)),
            Err(_) => eprintln!("{shell} is not installed: its script was only looked at"),
        }
    }
}

/// Without what printers need for bold letters: each, a step back, and the same again.
fn plain(shown: &str) -> String {
    let mut out = String::new();
    for letter in shown.chars() {
        if letter == '\u{8}' {
            out.pop();
        } else {
            out.push(letter);
        }
    }
    out
}

#[test]
fn man_shows_a_page_of_each_command() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("pages");
    ended(&keyport(&["man", "--directory", text(&folder)]), 0);
    let pages: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 12, "{pages:?}");
    for page in &pages {
        let roff = std::fs::read_to_string(page).unwrap();
        for section in [".TH ", ".SH NAME", ".SH SYNOPSIS"] {
            assert!(roff.contains(section), "{page:?}: {section}");
        }
        let shown = Command::new("groff").args(["-man", "-Tutf8", "-ww", text(page)]).stdin(Stdio::null()).output();
        match shown {
            Ok(shown) => {
                assert!(shown.status.success() && shown.stderr.is_empty(), "{page:?}: {}", told(&shown.stderr));
                assert!(plain(&told(&shown.stdout)).contains("SYNOPSIS"), "{page:?}");
            }
            Err(_) => eprintln!("groff is not installed: {page:?} was only looked at"),
        }
    }
    let one = ended(&keyport(&["man", "snapshot", "save"]), 0);
    assert!(one.contains("endpoints") && one.contains("keyport\\-snapshot\\-save"), "{one}");
    assert!(ended(&keyport(&["man", "nonsense"]), 1).contains("no command \"nonsense\""));
}
