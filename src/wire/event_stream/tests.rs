use super::*;
use crate::wire::Frames;
use proptest::prelude::*;

fn events(chunks: &[&[u8]]) -> Vec<String> {
    let mut decoder = EventStreamDecoder::default();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk, &mut |data| events.push(data.to_owned()));
    }
    events
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.as_bytes())
}

fn stream() -> Vec<u8> {
    let exception = [(":exception-type", "throttlingException"), (":message-type", "exception")];
    let error = [(":message-type", "error"), (":error-code", "500"), (":error-message", "gone")];
    [
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", "{\"delta\":{\"text\":\"ä\"}}"),
        event("empty", ""),
        message(&exception, br#"{"message":"slow down"}"#),
        message(&error, b""),
    ]
    .concat()
}

#[test]
fn the_checksum_is_that_of_gzip() {
    // The check value of CRC-32/ISO-HDLC.
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn a_message_is_read_as_the_format_says() {
    // An event of botocore's own test data: a message without payload and headers.
    let empty = [0, 0, 0, 0x10, 0, 0, 0, 0, 5, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
    assert_eq!(message(&[], b""), empty);
}

#[test]
fn events_exceptions_and_errors_are_handed_over_by_name() {
    assert_eq!(
        events(&[&stream()]),
        [
            r#"{"messageStart":{"role":"assistant"}}"#,
            "{\"contentBlockDelta\":{\"delta\":{\"text\":\"ä\"}}}",
            r#"{"empty":{}}"#,
            r#"{"throttlingException":{"message":"slow down"}}"#,
            r#"{":error":{"code":"500","message":"gone"}}"#,
        ]
    );
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut headers = Vec::new();
    for (kind, size) in [(0_u8, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.extend(vec![0; size]);
    }
    headers.extend_from_slice(&[1, b'y', 6, 0, 2, 1, 2]);
    headers.extend_from_slice(&[13]);
    headers.extend_from_slice(b":message-type");
    headers.extend_from_slice(&[7, 0, 5]);
    headers.extend_from_slice(b"event");
    assert_eq!(Names::read(&headers).unwrap().message, "event");
    assert!(Names::read(&headers[..headers.len() - 1]).is_err());
    assert!(Names::read(&[1, b'x', 10]).is_err());
}

#[test]
fn after_a_fault_nothing_is_believed() {
    let bytes = stream();
    for at in [0, 5, 9, 20, 60] {
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 1;
        let found = events(&[&spoiled]);
        assert_eq!(found.len(), 1, "byte {at}: {found:?}");
        assert!(found[0].contains(BROKEN), "byte {at}: {found:?}");
    }
    assert_eq!(events(&[&bytes[..20]]), [""; 0]);
}

#[test]
fn a_changed_message_stays_readable() {
    let shout = |part: &mut [u8]| {
        let found = part.windows(5).position(|window| window == b"slow ");
        if let Some(at) = found {
            part[at..at + 5].copy_from_slice(b"SLOW ");
        }
        found.is_some()
    };
    let mut bytes = stream();
    amend(&mut bytes, &mut { shout });
    let found = events(&[&bytes]);
    assert_eq!(found[3], r#"{"throttlingException":{"message":"SLOW down"}}"#);
    assert_eq!((found.len(), &found[..3]), (5, &events(&[&stream()])[..3]));
    // What was broken before stays so, and what was cut is changed too.
    let mut broken = stream();
    broken[20] ^= 1;
    amend(&mut broken, &mut { shout });
    assert!(events(&[&broken])[0].contains(BROKEN));
    let bytes = stream();
    let within = bytes.windows(4).position(|window| window == b"down").unwrap();
    let mut cut = bytes[..within].to_vec();
    amend(&mut cut, &mut { shout });
    assert!(cut.windows(5).any(|window| window == b"SLOW "));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(cuts in prop::collection::vec(0.0..1.0_f64, 0..10), spoiled in 0..900_usize) {
        let mut bytes = stream();
        if let Some(byte) = bytes.get_mut(spoiled) {
            *byte ^= 0x40;
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(events(&chunks), events(&[&bytes]));
    }
}
