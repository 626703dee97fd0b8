//! Bodies as the store keeps them: packed with zstd against the first body of their kind in the run.
//!
//! The requests of a variant differ in one example, and its answers in a few words: what they share
//! is in the dictionary once, and the rest is what a row holds. Digests and keys are of the bodies
//! as they were sent and received.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use zstd::bulk::Compressor;
use zstd::dict::DecoderDictionary;
use zstd::zstd_safe::{CParameter, DCtx, get_frame_content_size};

use super::Store;
use super::read::unreadable;
use crate::digest::Digest;

/// The fastest of zstd's usual levels: against a dictionary, higher ones take longer and save no more.
const LEVEL: i32 = 1;

/// A shorter body is kept as it is: a frame has some 20 bytes of its own.
const SHORTEST: usize = 64;

/// The longest body that is packed, and the most that a frame may claim to hold: as much as is read of
/// an answer. A row that claims more was not written here, and is not unpacked.
pub(super) const LONGEST: u64 = 64 * 1024 * 1024;

/// As much of a first body as becomes a dictionary.
const LONGEST_DICTIONARY: usize = 128 * 1024;

/// Dictionaries that are ready at once; beyond, all are made ready anew.
const MOST_READY: usize = 64;

/// Which body of an exchange.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// What was sent.
    Request,
    /// What came back.
    Answer,
}

/// A body for a row, and the dictionary that it is packed with, if it is.
pub(super) type Packed<'a> = (Cow<'a, [u8]>, Option<i64>);

/// What a dictionary is known by.
pub(super) fn dictionary_id(bytes: &[u8]) -> i64 {
    Digest::of(bytes).prefix_u64().cast_signed()
}

/// Packs the bodies of one run.
#[derive(Default)]
pub(super) struct Packer {
    /// Of requests and of answers, by the variant.
    kinds: [HashMap<String, Kind>; 2],
}

/// Bodies of one variant that are alike.
struct Kind {
    dictionary: i64,
    bytes: Vec<u8>,
    compressor: Compressor<'static>,
    /// Whether the transaction at hand has seen it in the store.
    is_kept: bool,
}

impl Packer {
    /// A transaction begins: others may have removed since what no row referred to.
    pub(super) fn begin(&mut self) {
        self.kinds.iter_mut().flat_map(HashMap::values_mut).for_each(|kind| kind.is_kept = false);
    }

    /// Packs a body where that makes it shorter. The first body of a kind `is_sample` may become the
    /// dictionary of all that follow.
    pub(super) fn pack<'a>(
        &mut self,
        connection: &Connection,
        (variant, part): (&str, Part),
        body: &'a [u8],
        is_sample: bool,
    ) -> rusqlite::Result<Packed<'a>> {
        let plain = Ok((Cow::Borrowed(body), None));
        if body.len() < SHORTEST || body.len() as u64 > LONGEST {
            return plain;
        }
        let kinds = &mut self.kinds[part as usize];
        if !kinds.contains_key(variant) {
            let Some(kind) = is_sample.then(|| Kind::of(body)).flatten() else { return plain };
            if kinds.len() >= MOST_READY {
                kinds.clear();
            }
            kinds.insert(variant.to_owned(), kind);
        }
        let Some(kind) = kinds.get_mut(variant) else { return plain };
        let Ok(packed) = kind.compressor.compress(body) else { return plain };
        if packed.len() >= body.len() {
            return plain;
        }
        if !kind.is_kept {
            keep_dictionary(connection, kind.dictionary, &kind.bytes)?;
            kind.is_kept = true;
        }
        Ok((Cow::Owned(packed), Some(kind.dictionary)))
    }
}

impl Kind {
    /// A kind whose first body this is; `None` where there is no memory for it.
    fn of(body: &[u8]) -> Option<Self> {
        let bytes = body[..body.len().min(LONGEST_DICTIONARY)].to_vec();
        let mut compressor = Compressor::with_dictionary(LEVEL, &bytes).ok()?;
        // A row that was damaged is then said to be, rather than read as another answer.
        compressor.set_parameter(CParameter::ChecksumFlag(true)).ok()?;
        Some(Self { dictionary: dictionary_id(&bytes), bytes, compressor, is_kept: false })
    }
}

/// Keeps a dictionary, once.
pub(super) fn keep_dictionary(connection: &Connection, id: i64, bytes: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO dictionary (id, bytes) VALUES (?1, ?2)")?
        .execute(params![id, bytes])?;
    Ok(())
}

/// How long a body is, whether it is packed or not; `start` is its first bytes, and `stored` its length
/// in the store. `None` where a frame does not say it.
pub(super) fn unpacked_length(start: &[u8], stored: u64, is_packed: bool) -> Option<u64> {
    if is_packed { get_frame_content_size(start).ok().flatten() } else { Some(stored) }
}

/// The dictionaries that are ready to unpack what a [`Packer`] packed.
#[derive(Default)]
pub(super) struct Unpacker(RefCell<HashMap<i64, Arc<DecoderDictionary<'static>>>>);

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

/// A body as the store keeps it, with what unpacks it on any thread.
#[derive(Default)]
pub(super) struct PackedBody {
    bytes: Vec<u8>,
    dictionary: Option<Arc<DecoderDictionary<'static>>>,
    /// Where it stood, for what is said of a damaged one.
    column: usize,
}

thread_local! {
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

impl PackedBody {
    /// How long it is when it is unpacked.
    pub(super) fn length(&self) -> usize {
        let length = unpacked_length(&self.bytes, self.bytes.len() as u64, self.dictionary.is_some());
        length.and_then(|length| usize::try_from(length).ok()).unwrap_or(self.bytes.len())
    }

    /// The body as it was sent or received.
    pub(super) fn unpack(self) -> rusqlite::Result<Vec<u8>> {
        let Self { bytes, dictionary: Some(dictionary), column } = self else { return Ok(self.bytes) };
        let wrong = |why: &'static str| unreadable(column, why);
        let length = get_frame_content_size(&bytes).ok().flatten().ok_or_else(|| wrong("a body that is not packed"))?;
        if length > LONGEST {
            return Err(wrong("a packed body that claims more than 64 MiB"));
        }
        let mut unpacked = Vec::with_capacity(usize::try_from(length).map_err(|error| unreadable(column, error))?);
        let count = CONTEXT
            .with(|context| context.borrow_mut().decompress_using_ddict(&mut unpacked, &bytes, dictionary.as_ddict()));
        match count {
            Ok(count) if count as u64 == length => Ok(unpacked),
            _ => Err(wrong("a packed body that is damaged")),
        }
    }
}

impl Store {
    /// A body of a row as it was sent or received.
    pub(super) fn unpack(&self, column: usize, body: &[u8], dictionary: Option<i64>) -> rusqlite::Result<Vec<u8>> {
        self.packed(column, body, dictionary)?.unpack()
    }

    /// A body of a row with what unpacks it.
    pub(super) fn packed(&self, column: usize, body: &[u8], dictionary: Option<i64>) -> rusqlite::Result<PackedBody> {
        let dictionary = dictionary.map(|id| self.ready(column, id)).transpose()?;
        Ok(PackedBody { bytes: body.to_vec(), dictionary, column })
    }

    /// A dictionary that is ready.
    fn ready(&self, column: usize, id: i64) -> rusqlite::Result<Arc<DecoderDictionary<'static>>> {
        let wrong = |why: &'static str| unreadable(column, why);
        let mut ready = self.unpacker.0.borrow_mut();
        if let Some(dictionary) = ready.get(&id) {
            return Ok(Arc::clone(dictionary));
        }
        let bytes = self.dictionary(id)?.ok_or_else(|| wrong("a body whose dictionary is gone"))?;
        if dictionary_id(&bytes) != id {
            return Err(wrong("a body whose dictionary is damaged"));
        }
        if ready.len() >= MOST_READY {
            ready.clear();
        }
        let made = DecoderDictionary::try_copy(&bytes).map_err(|error| unreadable(column, error))?;
        Ok(Arc::clone(ready.entry(id).or_insert(Arc::new(made))))
    }

    pub(super) fn dictionary(&self, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
        self.connection
            .prepare_cached("SELECT bytes FROM dictionary WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::in_memory().unwrap()
    }

    fn body(n: u32) -> Vec<u8> {
        format!("{{\"system\": \"{}\", \"user\": \"{n}\"}}", "name the intent of the message; ".repeat(40)).into_bytes()
    }

    #[test]
    fn what_is_packed_comes_back_and_is_short() {
        let (store, mut packer) = (store(), Packer::default());
        for n in 0..50 {
            let body = body(n);
            let (packed, dictionary) = packer.pack(&store.connection, ("v", Part::Request), &body, true).unwrap();
            assert!(dictionary.is_some() && packed.len() < 60, "{}", packed.len());
            assert_eq!(store.unpack(0, &packed, dictionary).unwrap(), body);
            assert_eq!(unpacked_length(&packed[..18.min(packed.len())], 0, true), Some(body.len() as u64));
        }
        let kept: i64 = store.connection.query_row("SELECT count(*) FROM dictionary", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 1);
    }

    #[test]
    fn what_does_not_shrink_stays_as_it_is() {
        let (store, mut packer) = (store(), Packer::default());
        let short = packer.pack(&store.connection, ("v", Part::Answer), b"{}", true).unwrap();
        assert_eq!(short, (Cow::Borrowed(b"{}".as_slice()), None));
        packer.pack(&store.connection, ("v", Part::Answer), &body(1), true).unwrap();
        let noise = [1_u8, 2, 3, 4].map(|n| *Digest::of(&[n]).as_bytes()).concat();
        let (packed, dictionary) = packer.pack(&store.connection, ("v", Part::Answer), &noise, true).unwrap();
        assert_eq!((&*packed, dictionary), (noise.as_slice(), None));
        // A failure is no pattern of the answers to come.
        let error = body(1);
        let failed = packer.pack(&store.connection, ("other", Part::Answer), &error, false).unwrap();
        assert_eq!(failed.1, None);
    }

    #[test]
    fn a_bomb_and_a_damaged_body_are_refused() {
        let (store, mut packer) = (store(), Packer::default());
        let body = body(7);
        let (packed, dictionary) = packer.pack(&store.connection, ("v", Part::Answer), &body, true).unwrap();
        let mut damaged = packed.to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(store.unpack(0, &damaged, dictionary).unwrap_err().to_string().contains("damaged"));
        let bomb = zstd::bulk::compress(&vec![0; 65 << 20], 1).unwrap();
        assert!(bomb.len() < 10_000);
        assert!(store.unpack(0, &bomb, dictionary).unwrap_err().to_string().contains("more than 64 MiB"));
        // Two frames, of which the first claims little.
        let two = [zstd::bulk::compress(b"short", 1).unwrap(), bomb].concat();
        assert!(store.unpack(0, &two, dictionary).is_err());
        assert!(store.unpack(0, b"no frame", dictionary).is_err());
        assert!(store.unpack(0, &packed, Some(1)).unwrap_err().to_string().contains("is gone"));
    }

    #[test]
    fn a_dictionary_that_is_not_what_its_id_says_is_refused() {
        let (store, mut packer) = (store(), Packer::default());
        let body = body(7);
        let (packed, dictionary) = packer.pack(&store.connection, ("v", Part::Answer), &body, true).unwrap();
        store.connection.execute("UPDATE dictionary SET bytes = x'00'", []).unwrap();
        assert!(store.unpack(0, &packed, dictionary).unwrap_err().to_string().contains("dictionary is damaged"));
    }

    #[test]
    fn a_dictionary_that_was_removed_between_two_transactions_is_kept_again() {
        let (store, mut packer) = (store(), Packer::default());
        packer.pack(&store.connection, ("v", Part::Answer), &body(1), true).unwrap();
        store.connection.execute("DELETE FROM dictionary", []).unwrap();
        packer.begin();
        let second = body(2);
        let (packed, dictionary) = packer.pack(&store.connection, ("v", Part::Answer), &second, true).unwrap();
        assert_eq!(store.unpack(0, &packed, dictionary).unwrap(), second);
    }
}
