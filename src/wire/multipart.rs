//! A form with one file (RFC 7578), as APIs take uploads.

use crate::digest::Digest;

/// A form as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// The body's type, with what separates the parts.
    pub(super) content_type: String,
    /// The parts.
    pub(super) body: Vec<u8>,
}

/// A form of plain fields and, last, a file of JSON lines. Names and values are the program's own: they hold
/// neither quotes nor line ends.
pub(super) fn form(fields: &[(&str, &str)], file_name: &str, data: &[u8]) -> Form {
    // Made from the data, so that it is not in it; at most 70 characters (RFC 2046).
    let digest = Digest::of(data).to_string();
    let boundary = format!("ceiling-{}", digest.get(..40).unwrap_or(&digest));
    let mut body = Vec::with_capacity(data.len() + 1024);
    let part = |disposition: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n");
    for (name, value) in fields {
        body.extend(part(&format!("name=\"{name}\"")).into_bytes());
        body.extend(format!("\r\n{value}\r\n").into_bytes());
    }
    body.extend(part(&format!("name=\"file\"; filename=\"{file_name}\"")).into_bytes());
    body.extend(b"Content-Type: application/jsonl\r\n\r\n");
    body.extend(data);
    body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    Form { content_type: format!("multipart/form-data; boundary={boundary}"), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_what_is_not_in_them() {
        let form = form(&[("purpose", "fine-tune"), ("file_name", "a.jsonl")], "a.jsonl", b"{}\n{}\n");
        let boundary = form.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert!(boundary.len() <= 70);
        let body = String::from_utf8(form.body.clone()).unwrap();
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 5, "{body}");
        assert!(parts[1].ends_with("name=\"purpose\"\r\n\r\nfine-tune\r\n"), "{body}");
        assert!(parts[3].contains("filename=\"a.jsonl\"\r\n") && parts[3].ends_with("\r\n\r\n{}\n{}\n\r\n"), "{body}");
        assert_eq!(parts[4], "--\r\n");
    }
}
