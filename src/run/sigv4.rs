//! AWS Signature Version 4 for one request, with keys that the caller read.
//!
//! Source: AWS General Reference, "Create a signed AWS API request"; checked against AWS's own test
//! suite and botocore's signer. Pure but for its door: the time is an argument.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use crate::wire::percent_encoded;

/// The keys of an account or of a session.
#[derive(Debug, Clone)]
pub struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID`; it names the key and is sent in the clear.
    pub access_key_id: SecretString,
    /// `AWS_SECRET_ACCESS_KEY`; it signs and is never sent.
    pub secret_access_key: SecretString,
    /// `AWS_SESSION_TOKEN`, of temporary keys.
    pub session_token: Option<SecretString>,
}

impl AwsKeys {
    /// All of them: a refused signature is answered with the request as it should have been signed,
    /// the token in it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        [&self.access_key_id, &self.secret_access_key].into_iter().chain(&self.session_token)
    }
}

/// Where and for what a signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) region: String,
    pub(super) service: &'static str,
}

/// The scope of Bedrock at an address: its region stands behind `bedrock-runtime`.
pub(super) fn bedrock_scope(base_url: &str) -> Option<Scope> {
    let url = url::Url::parse(base_url).ok()?;
    let mut labels = url.host_str()?.split('.').skip_while(|label| !label.starts_with("bedrock-runtime"));
    labels.next()?;
    Some(Scope { region: labels.next()?.to_owned(), service: "bedrock" })
}

/// A request before it is signed.
#[derive(Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a url::Url,
    /// Further headers that are signed: lower-case names.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// The headers to add: the time, the session's token if there is one, and the signature.
pub(super) fn sign(request: &Unsigned<'_>, keys: &AwsKeys, scope: &Scope, unix_ms: i64) -> Vec<(&'static str, String)> {
    // A clock beyond the calendar's end makes a signature that is refused, as it should be.
    let time = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    let stamp = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &stamp[..8];
    let mut added = vec![("x-amz-date", stamp.clone())];
    if let Some(token) = &keys.session_token {
        added.push(("x-amz-security-token", token.expose_secret().to_owned()));
    }
    let host = host(request.url);
    let mut signed: Vec<(&str, &str)> = request.headers.to_vec();
    signed.push(("host", &host));
    signed.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let credential = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let canonical = hex(&Sha256::digest(canonical_request(request, &signed, &names)));
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{credential}\n{canonical}");
    let secret = format!("AWS4{}", keys.secret_access_key.expose_secret());
    let key = [day, &scope.region, scope.service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes()).to_vec());
    let signature = hex(&hmac(&key, text.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{credential}, SignedHeaders={names}, Signature={signature}",
        keys.access_key_id.expose_secret()
    );
    added.push(("authorization", authorization));
    added
}

/// The host as the client sends it: with a port that is not the scheme's own.
fn host(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The request in the order and spelling that both sides sign. The path is encoded once more than it
/// is sent, as for every service but S3.
fn canonical_request(request: &Unsigned<'_>, headers: &[(&str, &str)], names: &str) -> String {
    let path = request.url.path().split('/').map(percent_encoded).collect::<Vec<_>>().join("/");
    let mut query: Vec<&str> = request.url.query().unwrap_or_default().split('&').collect();
    query.sort_unstable();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let body = hex(&Sha256::digest(request.body));
    format!("{}\n{path}\n{}\n{headers}\n{names}\n{body}", request.method, query.join("&"))
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(session_token: Option<&str>) -> AwsKeys {
        AwsKeys {
            access_key_id: "AKIDEXAMPLE".to_owned().into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session_token: session_token.map(|token| token.to_owned().into()),
        }
    }

    /// The signature of a request at the time of AWS's test suite, or at another.
    fn signature(request: &Unsigned<'_>, keys: &AwsKeys, scope: &Scope, unix_ms: i64) -> String {
        let added = sign(request, keys, scope, unix_ms);
        let (_, authorization) = added.last().unwrap();
        authorization.rsplit('=').next().unwrap().to_owned()
    }

    /// 2015-08-30T12:36:00Z
    const SUITE_TIME: i64 = 1_440_938_160_000;

    #[test]
    fn requests_of_awss_test_suite_are_signed_as_it_says() {
        let url = url::Url::parse("https://example.amazonaws.com/").unwrap();
        let scope = Scope { region: "us-east-1".into(), service: "service" };
        let signed = |method, headers: &[(&str, &str)], body: &[u8]| {
            signature(&Unsigned { method, url: &url, headers, body }, &keys(None), &scope, SUITE_TIME)
        };
        // get-vanilla, post-vanilla, post-x-www-form-urlencoded.
        assert_eq!(signed("GET", &[], b""), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        assert_eq!(signed("POST", &[], b""), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(
            signed("POST", &form, b"Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    #[test]
    fn a_converse_request_is_signed_as_botocore_does() {
        let base = "https://bedrock-runtime.eu-central-1.amazonaws.com";
        let url =
            url::Url::parse(&format!("{base}/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse")).unwrap();
        let headers = [("content-type", "application/json")];
        let request = Unsigned { method: "POST", url: &url, headers: &headers, body: br#"{"messages":[]}"# };
        let scope = bedrock_scope(base).unwrap();
        let added = sign(&request, &keys(Some("SESSIONTOKEN")), &scope, 1_795_521_600_000);
        assert_eq!(added[0], ("x-amz-date", "20261124T120000Z".to_owned()));
        assert_eq!(added[1].1, "SESSIONTOKEN");
        // From botocore 1.44.8.
        assert_eq!(
            added[2].1,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-central-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=6df4a2eaeb1ff14052da392f02026aff77b04e4526f5be2ddf20f7fd5830566e"
        );
    }

    #[test]
    fn the_region_stands_in_the_address() {
        let region = |base_url: &str| bedrock_scope(base_url).map(|scope| scope.region);
        assert_eq!(region("https://bedrock-runtime.us-east-1.amazonaws.com").as_deref(), Some("us-east-1"));
        assert_eq!(region("https://bedrock-runtime-fips.us-west-2.amazonaws.com/").as_deref(), Some("us-west-2"));
        let private = "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com";
        assert_eq!(region(private).as_deref(), Some("eu-west-1"));
        assert_eq!(region("https://proxy.example.com"), None);
    }

    #[test]
    fn a_long_key_is_hashed_first() {
        // RFC 4231, test case 6.
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(&hmac(&[0xaa; 131], message)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
