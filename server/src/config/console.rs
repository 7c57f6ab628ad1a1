//! What the console may be used for.

/// What the page at `/ui/` offers. What the API allows does not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsoleMode {
    #[default]
    On,
    /// It shows everything, and offers no change.
    ReadOnly,
    /// It is not there.
    Off,
}

impl ConsoleMode {
    const ALL: [ConsoleMode; 3] = [ConsoleMode::On, ConsoleMode::ReadOnly, ConsoleMode::Off];

    /// How the flag and the page write it.
    pub fn word(self) -> &'static str {
        match self {
            ConsoleMode::On => "on",
            ConsoleMode::ReadOnly => "read-only",
            ConsoleMode::Off => "off",
        }
    }

    /// The one of a word that the table of flags lets through.
    pub(super) fn of(word: &str) -> ConsoleMode {
        Self::ALL.into_iter().find(|mode| mode.word() == word).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back() {
        for mode in ConsoleMode::ALL {
            assert_eq!(ConsoleMode::of(mode.word()), mode);
        }
    }
}
