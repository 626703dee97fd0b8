//! Keys taken out of what a server sends back: nothing that is stored or shown has one.
//!
//! An echo is found as it was sent, escaped as in JSON text or in an address, and in Base64. It is
//! overwritten in place, so that lengths within a binary body stay true. An echo that is spread
//! over several events of a stream is not found.

use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// A shorter key is a placeholder of a local server, and may well be a word of an answer.
const SHORTEST: usize = 8;

/// Backslashes before a letter in text that is escaped several times over.
const MOST_SLASHES: usize = 32;

/// How a marker begins; the rest is filled up.
const MARK: &[u8] = b"[key";

/// The keys of an endpoint in the forms in which they may come back.
#[derive(Default)]
pub(super) struct Secrets(Vec<SecretString>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    pub(super) fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<SecretString> = Vec::new();
        for key in keys.into_iter().filter(|key| key.len() >= SHORTEST) {
            forms.push(key.into());
            for before in 0..3 {
                let core = base64_core(key.as_bytes(), before);
                forms.push(core.replace('+', "-").replace('/', "_").into());
                forms.push(core.into());
            }
        }
        Self(forms)
    }

    /// Overwrites every echo; whether there was one.
    pub(super) fn redact(&self, body: &mut [u8]) -> bool {
        let mut begins = [false; 256];
        for form in &self.0 {
            for byte in form.expose_secret().bytes().take(1).chain([b'%', b'\\']) {
                begins[usize::from(byte)] = true;
            }
        }
        let (mut at, mut found) = (0, false);
        while at < body.len() {
            let rest = &body[at..];
            let echoed = begins[usize::from(rest[0])]
                .then(|| self.0.iter().filter_map(|form| echo(rest, form.expose_secret().as_bytes())).max());
            match echoed.flatten() {
                Some(length) => {
                    let place = &mut body[at..at + length];
                    place.fill(b'*');
                    place[..MARK.len()].copy_from_slice(MARK);
                    place[length - 1] = b']';
                    at += length;
                    found = true;
                }
                None => at += 1,
            }
        }
        found
    }

    /// The headers without echoes.
    pub(super) fn clean(&self, headers: &HeaderMap) -> HeaderMap {
        let mut clean = headers.clone();
        for value in clean.values_mut() {
            let mut bytes = value.as_bytes().to_vec();
            if self.redact(&mut bytes) {
                *value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("[key]"));
            }
        }
        clean
    }
}

/// Length of the echo with which the bytes begin, if they do.
fn echo(bytes: &[u8], key: &[u8]) -> Option<usize> {
    if bytes.starts_with(key) {
        return Some(key.len());
    }
    let mut at = 0;
    for &byte in key {
        at += letter(bytes.get(at..)?, byte)?;
    }
    Some(at)
}

/// How many of the bytes say this one: plain, `%2F`, `\/` or `\u002f`; JSON text within JSON text
/// has more backslashes.
fn letter(bytes: &[u8], byte: u8) -> Option<usize> {
    // More are no spelling, and would be counted anew at each of them.
    let slashes = bytes.iter().take(MOST_SLASHES).take_while(|found| **found == b'\\').count();
    match bytes.get(slashes..)? {
        [b'u', b'0', b'0', high, low, ..] if slashes > 0 && hex(*high, *low) == Some(byte) => Some(slashes + 5),
        [b'%', high, low, ..] if slashes == 0 && hex(*high, *low) == Some(byte) => Some(3),
        [found, ..] if *found == byte && (slashes == 0 || !byte.is_ascii_alphanumeric()) => Some(slashes + 1),
        _ if byte == b'\\' && slashes > 0 => Some(slashes),
        _ => None,
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// The letters of a key's Base64 (RFC 4648) that do not depend on its neighbours, where so many
/// bytes, modulo three, stand before it.
fn base64_core(key: &[u8], before: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = (before + key.len()) * 8;
    let byte = |at: usize| at.checked_sub(before).and_then(|at| key.get(at)).map_or(0, |byte| u32::from(*byte));
    let letter = |index: usize| {
        let (at, shift) = (index * 6 / 8, index * 6 % 8);
        let two = byte(at) << 8 | byte(at + 1);
        char::from(LETTERS[(two >> (10 - shift) & 63) as usize])
    };
    ((before * 8).div_ceil(6)..bits / 6).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "sk/12+45=78\"9";

    fn redacted(text: &str) -> String {
        let mut body = text.as_bytes().to_vec();
        Secrets::new([KEY, "short"]).redact(&mut body);
        assert_eq!(body.len(), text.len());
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn an_echoed_key_is_overwritten_wherever_it_stands() {
        assert_eq!(redacted(&format!("{KEY} and {KEY}{KEY}")), "[key********] and [key********][key********]");
        assert_eq!(redacted("sk/12+45=78 and short stay"), "sk/12+45=78 and short stay");
        assert_eq!(redacted("sk/12"), "sk/12");
    }

    #[test]
    fn an_escaped_key_is_found_too() {
        let echoes = [
            serde_json::to_string(KEY).unwrap().trim_matches('"').to_owned(),
            r"sk\/12\u002b45\u003D78\u00229".to_owned(),
            r#"sk\\\/12+45=78\\\"9"#.to_owned(),
            "sk%2F12%2b45%3D78%229".to_owned(),
            "c2svMTIrNDU9NzgiO".to_owned(),
        ];
        for echo in &echoes {
            let clean = redacted(&format!("<{echo}>"));
            assert!(clean.starts_with("<[key**") && clean.ends_with("*]>"), "{echo}: {clean}");
        }
    }

    #[test]
    fn base64_is_found_at_any_place_within_a_text() {
        // From coreutils' base64: KEY behind nothing, "a:" and "Bearer ".
        for text in ["c2svMTIrNDU9NzgiOQ==", "YTpzay8xMis0NT03OCI5", "QmVhcmVyIHNrLzEyKzQ1PTc4Ijk="] {
            let clean = redacted(text);
            assert!(clean.contains("[key***"), "{clean}");
        }
    }

    #[test]
    fn headers_are_cleaned() {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_str("https://x/?key=sk%2f12%2b45%3d78%229").unwrap());
        let clean = Secrets::new([KEY]).clean(&headers);
        assert_eq!(clean["location"], "https://x/?key=[key****************]");
    }

    proptest! {
        #[test]
        fn no_key_is_left(key in "[ -~]{8,40}", before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            let mut body = format!("{before}{key}{after}").into_bytes();
            let length = body.len();
            prop_assert!(Secrets::new([key.as_str()]).redact(&mut body));
            prop_assert_eq!(body.len(), length);
            prop_assert!(!String::from_utf8(body).unwrap().contains(&key));
        }

        #[test]
        fn any_bytes_can_be_searched(key in "[ -~]{8,12}", mut body in prop::collection::vec(any::<u8>(), 0..200)) {
            Secrets::new([key.as_str()]).redact(&mut body);
        }
    }
}
