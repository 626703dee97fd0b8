//! A prompt file's parts: one headed `--- system ---`, one headed `--- user ---`.
//!
//! A file without headers is all user part. Each part is trimmed (DESIGN.md 13.4).

/// A part of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Instructions.
    System,
    /// The user's turn.
    User,
}

/// Both parts, and the line of the file on which each one's text begins (from 1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) system: String,
    pub(super) system_line: u32,
    pub(super) user: String,
    pub(super) user_line: u32,
}

/// A line that breaks the form, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartFault {
    pub(super) line: u32,
    pub(super) message: String,
}

/// Splits a prompt file.
pub(super) fn split(text: &str) -> Result<Parts, PartFault> {
    let mut parts = Parts::default();
    let mut sections: Vec<(Option<Part>, u32, String)> = vec![(None, 1, String::new())];
    for (line, number) in text.split_inclusive('\n').zip(1u32..) {
        match header(line) {
            Some("system") => sections.push((Some(Part::System), number + 1, String::new())),
            Some("user") => sections.push((Some(Part::User), number + 1, String::new())),
            Some(other) => {
                let message = format!("there is no part `{other}`; the parts are `system` and `user`");
                return Err(PartFault { line: number, message });
            }
            None => {
                if let Some((_, _, body)) = sections.last_mut() {
                    body.push_str(line);
                }
            }
        }
    }
    let headed = sections.len() > 1;
    let mut seen = Vec::new();
    for (part, line, body) in sections {
        let blank_lines = body.lines().take_while(|line| line.trim().is_empty()).count();
        let line = line + u32::try_from(blank_lines).unwrap_or(0);
        let body = body.trim().to_owned();
        match part {
            None if headed && !body.is_empty() => {
                return Err(PartFault { line, message: "text stands before the first header".to_owned() });
            }
            None if headed => {}
            Some(part) if seen.contains(&part) => {
                return Err(PartFault { line: line - 1, message: "a part stands twice".to_owned() });
            }
            Some(Part::System) => {
                seen.push(Part::System);
                (parts.system, parts.system_line) = (body, line);
            }
            None | Some(Part::User) => {
                seen.push(Part::User);
                (parts.user, parts.user_line) = (body, line);
            }
        }
    }
    if parts.user.is_empty() {
        return Err(PartFault { line: 1, message: "the prompt has no `--- user ---` part, or it is empty".to_owned() });
    }
    Ok(parts)
}

/// The word of a line `--- word ---`.
fn header(line: &str) -> Option<&str> {
    let word = line.trim_end().strip_prefix("--- ")?.strip_suffix(" ---")?.trim();
    (!word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase())).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_trimmed_and_keep_their_lines() {
        let parts = split("--- system ---\n\n Be brief.\n\n--- user ---\n{{ input }}\n").unwrap();
        assert_eq!((parts.system.as_str(), parts.system_line), ("Be brief.", 3));
        assert_eq!((parts.user.as_str(), parts.user_line), ("{{ input }}", 6));
        assert_eq!(split("just {{ input }}").unwrap().user, "just {{ input }}");
    }

    #[test]
    fn what_breaks_the_form_is_named() {
        assert_eq!(split("--- system ---\nx\n").unwrap_err().line, 1);
        assert_eq!(split("x\n--- user ---\ny\n").unwrap_err().message, "text stands before the first header");
        assert_eq!(split("--- user ---\ny\n--- assistant ---\nz").unwrap_err().line, 3);
        assert_eq!(split("--- user ---\ny\n--- user ---\nz").unwrap_err().line, 3);
    }
}
