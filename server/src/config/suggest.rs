//! What somebody may have meant who typed it wrongly.

use super::flags::FLAGS;

/// The words that are commands.
pub(crate) const COMMANDS: [&str; 9] =
    ["cluster", "snapshot", "migrate", "gateway", "check", "dump", "doctor", "completions", "man"];

/// About a word that is neither a flag nor a command.
pub(super) fn about_word(word: &str) -> String {
    match nearest(word, COMMANDS) {
        Some(command) => format!("{word:?} is not a valid flag, and no command; did you mean 'keyport {command}'?"),
        None => {
            format!("{word:?} is not a valid flag, and no command; the commands are keyport {}", COMMANDS.join(" | "))
        }
    }
}

/// About a flag that there is not.
pub(super) fn about_flag(name: &str) -> String {
    let meant = nearest(name, FLAGS.iter().map(|flag| flag.name));
    let hint = meant.map(|meant| format!("; did you mean --{meant}?")).unwrap_or_default();
    format!("flag provided but not defined: -{name}{hint}")
}

/// The one that is a slip of the fingers away.
pub(crate) fn nearest(word: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    // Longer ones than any of ours are not looked at: that takes time by the square.
    let slips = if word.len() > 64 { return None } else { (word.len() / 4).clamp(1, 3) };
    let with_distance = known.into_iter().map(|known| (strsim::osa_distance(word, known), known));
    with_distance.filter(|(distance, _)| *distance <= slips).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood() {
        for (word, meant) in [
            ("clustr", Some("cluster")),
            ("snapshto", Some("snapshot")),
            ("mna", Some("man")),
            ("chekc", Some("check")),
            ("foo", None),
            ("", None),
            ("gatewayandmore", None),
        ] {
            assert_eq!(nearest(word, COMMANDS), meant, "{word}");
        }
        assert!(about_flag("nmae").ends_with("-nmae; did you mean --name?"));
        assert!(about_flag("listen-client-url").ends_with("did you mean --listen-client-urls?"));
        assert_eq!(about_flag("nope"), "flag provided but not defined: -nope");
        assert_eq!(about_flag(&"x".repeat(100)).len(), 132);
    }
}
