//! One JSON document of any size: the rows of one array in it, each as a value of its own, and a
//! few other keys; everything else is passed over unread.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Who takes what a document has.
pub(super) trait Sink {
    /// Whether a key outside the rows is wanted; inside an object, its name stands behind a dot.
    fn wants(&self, key: &str) -> bool;

    /// A key outside the rows.
    fn key(&mut self, key: &str, value: Value);

    /// A row; `line` is that on which it ends. False ends the reading.
    fn row(&mut self, line: u64, value: Value) -> bool;
}

/// Why a document was not read to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The sink had enough.
    Enough,
    /// It is no JSON, or could not be read.
    Broken(serde_json::Error),
}

/// Reads a document whose rows stand at `path`.
pub(super) fn read(reader: impl BufRead, path: &[&str], sink: &mut dyn Sink) -> Result<(), Stop> {
    let line = Rc::new(Cell::new(1));
    let counted = Counted { reader: Finite::new(reader), line: Rc::clone(&line) };
    let mut enough = false;
    let mut deserializer = serde_json::Deserializer::from_reader(counted);
    let seed = Within { path, prefix: String::new(), sink, line: &line, enough: &mut enough };
    let read = seed.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match read {
        Ok(()) => Ok(()),
        Err(_) if enough => Err(Stop::Enough),
        Err(error) => Err(Stop::Broken(error)),
    }
}

/// A value on the way to the rows, or the rows themselves.
struct Within<'a> {
    path: &'a [&'a str],
    prefix: String,
    sink: &'a mut dyn Sink,
    line: &'a Cell<u64>,
    enough: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.first() {
            Some(key) => write!(f, "an object with `{key}`"),
            None => f.write_str("a list of results"),
        }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { path, prefix, sink, line, enough } = self;
        while let Some(key) = map.next_key::<String>()? {
            let full = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match path.split_first() {
                Some((first, rest)) if *first == key => {
                    let prefix = full;
                    map.next_value_seed(Within { path: rest, prefix, sink: &mut *sink, line, enough: &mut *enough })?;
                }
                _ if sink.wants(&full) => sink.key(&full, map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    /// A list that stands earlier on the path than the rows is them: older files have it so.
    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Value>()? {
            if !self.sink.row(self.line.get(), row) {
                *self.enough = true;
                return Err(serde::de::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

/// Counts the lines of what was read.
struct Counted<R> {
    reader: R,
    line: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        let lines = bytes[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.line.set(self.line.get() + lines);
        Ok(read)
    }
}

/// Bytes that are looked at at once.
const PIECE: usize = 4096;

/// Words that Python writes where JSON has none.
const NO_NUMBERS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];

/// Reads JSON with `null` in place of Python's `NaN` and `Infinity`, outside texts.
pub(super) struct Finite<R> {
    reader: R,
    in_text: bool,
    escaped: bool,
    /// The start of a word that may be one of those.
    word: Vec<u8>,
    ready: std::collections::VecDeque<u8>,
    done: bool,
}

impl<R: BufRead> Finite<R> {
    pub(super) fn new(reader: R) -> Self {
        let ready = std::collections::VecDeque::new();
        Self { reader, in_text: false, escaped: false, word: Vec::new(), ready, done: false }
    }

    fn take(&mut self, byte: u8) {
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            self.ready.push_back(byte);
            return;
        }
        self.word.push(byte);
        if NO_NUMBERS.contains(&self.word.as_slice()) {
            self.word.clear();
            self.ready.extend(b"null");
        } else if !NO_NUMBERS.iter().any(|word| word.starts_with(&self.word)) {
            self.in_text = byte == b'"';
            self.ready.extend(self.word.drain(..));
        }
    }
}

impl<R: BufRead> Read for Finite<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !self.done {
            let chunk = self.reader.fill_buf()?;
            // One line at most, so that whoever counts lines is never far ahead.
            let chunk = &chunk[..chunk.len().min(PIECE)];
            let length = chunk.iter().position(|byte| *byte == b'\n').map_or(chunk.len(), |end| end + 1);
            let taken: Vec<u8> = chunk[..length].to_vec();
            self.reader.consume(taken.len());
            self.done = taken.is_empty();
            taken.into_iter().for_each(|byte| self.take(byte));
            if self.done {
                self.ready.extend(self.word.drain(..));
            }
        }
        let length = bytes.len().min(self.ready.len());
        for (place, byte) in bytes.iter_mut().zip(self.ready.drain(..length)) {
            *place = byte;
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_s_words_are_null_and_texts_stay() {
        let finite = |text: &str| -> Value { serde_json::from_reader(Finite::new(text.as_bytes())).unwrap() };
        let read = finite(r#"{"a": NaN, "b": -Infinity, "c": [Infinity, -1], "NaN \" Infinity": "NaN", "n": null}"#);
        assert_eq!(read.to_string(), r#"{"a":null,"b":null,"c":[null,-1],"NaN \" Infinity":"NaN","n":null}"#);
    }

    struct Rows(Vec<(u64, Value)>, Vec<String>);

    impl Sink for Rows {
        fn wants(&self, key: &str) -> bool {
            key == "meta" || key == "results.time"
        }

        fn key(&mut self, key: &str, _: Value) {
            self.1.push(key.to_owned());
        }

        fn row(&mut self, line: u64, value: Value) -> bool {
            self.0.push((line, value));
            self.0.len() < 2
        }
    }

    #[test]
    fn rows_come_one_by_one_with_their_line() {
        let text = "{\"meta\": 1,\n\"results\": {\"time\": 2,\n \"results\": [\n 1,\n 2, 3]}}";
        let mut rows = Rows(Vec::new(), Vec::new());
        let end = read(text.as_bytes(), &["results", "results"], &mut rows);
        assert!(matches!(end, Err(Stop::Enough)));
        assert_eq!(rows.1, ["meta", "results.time"]);
        assert_eq!(rows.0, [(4, Value::from(1)), (5, Value::from(2))]);
        let mut rows = Rows(Vec::new(), Vec::new());
        assert!(matches!(read(&b"{\"results\": [1"[..], &["results", "results"], &mut rows), Err(Stop::Broken(_))));
    }
}
