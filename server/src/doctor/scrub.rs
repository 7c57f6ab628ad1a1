//! Leaving out what nobody else may see, by its looks: whoever wrote a line may not have thought of it.

use serde_json::Value;

const HIDDEN: &str = "(hidden)";
/// What a secret is called, in small letters.
const SECRETS: [&str; 7] = ["password", "passwd", "secret", "token", "authorization", "cookie", "private"];
/// What is no secret although it is called like one.
const HARMLESS: [&str; 4] = ["auth-token-ttl", "initial-cluster-token", "auth-token-must-end", "bcrypt"];
/// What stands before one.
const SCHEMES: [&str; 2] = ["Bearer ", "Basic "];

/// A line of a log or of a report. Blocks of keys over several lines are in [`text`].
fn line(line: &str) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(mut value @ (Value::Object(_) | Value::Array(_))) => {
            json(&mut value);
            value.to_string()
        }
        _ => plain(line),
    }
}

/// Lines, without the blocks that are keys.
pub(super) fn text(text: &str) -> String {
    let (mut out, mut is_key) = (String::with_capacity(text.len()), false);
    for part in text.lines() {
        if part.contains("-----BEGIN") && part.contains("PRIVATE KEY") {
            is_key = true;
            out.push_str(HIDDEN);
            out.push('\n');
        }
        if !is_key {
            out.push_str(&line(part));
            out.push('\n');
        }
        if part.contains("-----END") {
            is_key = false;
        }
    }
    out
}

fn json(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(elements) => elements.iter_mut().for_each(json),
        Value::Object(fields) => {
            for (name, field) in fields {
                if is_secret(name) { *field = HIDDEN.into() } else { json(field) }
            }
        }
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let is = |list: &[&str]| list.iter().any(|word| name.contains(word));
    is(&SECRETS) && !is(&HARMLESS)
}

/// `name=secret`, `name: secret`, `Bearer secret`, `://user:secret@`.
fn plain(text: &str) -> String {
    let mut out = text.to_owned();
    for scheme in SCHEMES {
        out = behind(&out, scheme);
    }
    let words: Vec<String> = out.split(' ').map(word).collect();
    let mut out = String::with_capacity(out.len());
    let mut hides_next = false;
    for word in words {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if hides_next && !word.is_empty() { HIDDEN } else { &word });
        let ends_open = word.ends_with([':', '=']) || (word.starts_with("--") && !word.contains('='));
        hides_next = ends_open && is_secret(word.trim_end_matches([':', '=']));
    }
    out
}

fn behind(text: &str, scheme: &str) -> String {
    let mut parts = text.split(scheme);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([' ', '"', '\'', ',']).unwrap_or(part.len());
        out.push_str(scheme);
        out.push_str(HIDDEN);
        out.push_str(part.get(end..).unwrap_or_default());
    }
    out
}

fn word(word: &str) -> String {
    if word.contains("-----BEGIN") {
        return HIDDEN.to_owned();
    }
    if let Some((before, rest)) = word.split_once("://")
        && let Some((user, place)) = rest.split_once('@')
        && user.contains(':')
    {
        return format!("{before}://{HIDDEN}@{place}");
    }
    for sign in ['=', ':'] {
        if let Some((name, secret)) = word.split_once(sign)
            && is_secret(name)
            && !secret.is_empty()
            && !secret.starts_with('/')
        {
            return format!("{name}{sign}{HIDDEN}");
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_wherever_they_stand() {
        for line in [
            r#"{"level":"info","password":"canary","n":1}"#,
            r#"{"level":"info","args":["--discovery-password=canary","--name=x"]}"#,
            r#"{"msg":"got","headers":{"Authorization":"Bearer canary","set-cookie":"canary"}}"#,
            r#"{"msg":"asked with Bearer canary of x"}"#,
            "2026 info user=x password=canary y",
            "the token: canary was refused",
            "--password canary --name x",
            "dialling https://root:canary@10.0.0.1:2379 failed",
            "Authorization: Basic canary",
            "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----",
            r#"key "-----BEGIN RSA PRIVATE KEY-----\ncanary" read"#,
        ] {
            let told = text(line);
            assert!(!told.contains("canary") && told.contains(HIDDEN), "{line}: {told}");
        }
    }

    #[test]
    fn the_rest_stays() {
        for line in [
            r#"{"initial-cluster-token":"etcd-cluster","level":"info","name":"n0"}"#,
            "2026-11-29 info ready to serve client requests",
            "listening on https://10.0.0.1:2379",
            "etcd_server_has_leader 1",
        ] {
            assert_eq!(text(line), format!("{line}\n"));
        }
        assert_eq!(
            text("a\n-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nb\n"),
            format!("a\n{HIDDEN}\nb\n")
        );
    }
}
