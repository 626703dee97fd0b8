//! Keys that stand in a provider file, where they are in the repository and on the screen.

use crate::document::Section;

/// Names under which people write a key into a file.
const SECRETS: &[&str] = &["api_key", "apikey", "key", "token", "secret", "password", "bearer"];

/// Headers that carry a key.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
];

/// No provider's keys are shorter.
const SHORTEST_KEY: usize = 20;

/// Refuses keys of the file that are the key itself.
pub(super) fn refuse_keys(root: &Section<'_>) {
    refuse_secrets(root, SECRETS);
}

/// The same of headers.
pub(super) fn refuse_headers(headers: &Section<'_>) {
    refuse_secrets(headers, SECRET_HEADERS);
}

/// Keys never stand in files; the fault shows the place but not the line, which holds the key.
fn refuse_secrets(section: &Section<'_>, names: &[&str]) {
    for (name, span) in section.names_unasked() {
        if names.contains(&name.to_ascii_lowercase().as_str()) {
            section.has(&name);
            let mut fault = section.error("provider/key-in-file", span, format!("`{name}` puts a key into a file"));
            fault.excerpt = None;
            section.report(fault.help("name the environment variable that holds it: `api_key_env = \"…\"`"));
        }
    }
}

/// The variable that holds the key; a fault where what stands there may be the key itself, which is not shown.
pub(super) fn variable(root: &Section<'_>) -> Option<String> {
    let variable = root.text("api_key_env")?;
    let name = variable.get_ref();
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_name = starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let has = |is: fn(&char) -> bool| name.chars().any(|c| is(&c));
    let seems_a_key = name.len() >= SHORTEST_KEY && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    if is_name && !seems_a_key {
        return Some(variable.into_inner());
    }
    let message = "`api_key_env` is the name of a variable, and what stands here is none, or a key".to_owned();
    let mut fault = root.error("provider/key-in-file", variable.span(), message);
    fault.excerpt = None;
    root.report(fault.help("put the key into the environment, and the variable's name here: `\"OPENAI_API_KEY\"`"));
    None
}
