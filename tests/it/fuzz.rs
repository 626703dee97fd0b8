//! The fuzzer's targets as tests: the kept corpus, the corpus with damage done to it, and any bytes at all.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[path = "../fuzz/targets.rs"]
mod targets;

use targets::TARGETS;

/// Most bytes that a target's kept corpus may have.
const MOST_KEPT: u64 = 24 * 1024;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// An input of the corpus with pieces cut out, doubled, overwritten or put in.
fn damaged(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b",",
        b"\n",
        b"\r",
        b"\0",
        b"\x1b[31m",
        b"\xff\xfe",
        b"null",
        b"-1",
        b"1e999",
        b"99999999999999999999",
        b"\"\\ud800\"",
        b"{{ input }}",
        b"{% for",
        b"$ref",
        b"data: ",
        b"\n\n",
        b"\n=====\n",
        "é\u{202e}".as_bytes(),
    ];
    let change = (any::<prop::sample::Index>(), 0..24_usize, prop::sample::select(pieces), 0..4_u8);
    (prop::sample::select(corpus), prop::collection::vec(change, 0..6)).prop_map(|(mut bytes, changes)| {
        for (at, length, piece, kind) in changes {
            let from = at.index(bytes.len() + 1);
            let to = (from + length).min(bytes.len());
            let taken = bytes[from..to].to_vec();
            match kind {
                0 => drop(bytes.drain(from..to)),
                1 => drop(bytes.splice(from..from, taken)),
                2 => drop(bytes.splice(from..to, piece.iter().copied())),
                _ => drop(bytes.splice(from..from, piece.iter().copied())),
            }
        }
        bytes
    })
}

/// Each target with its corpus, whole and damaged, and with any bytes.
fn holds(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = corpus(name);
    corpus.iter().for_each(|input| target(input));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(160) });
    let any = prop_oneof![4 => damaged(corpus), 1 => prop::collection::vec(any::<u8>(), 0..300)];
    let run = |input: Vec<u8>| {
        target(&input);
        Ok(())
    };
    runner.run(&any, run).unwrap();
}

macro_rules! targets_hold {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn every_target_is_tried_kept_small_and_fuzzed() {
            let mut tried = vec![$(stringify!($name)),*];
            tried.sort_unstable();
            let mut known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            known.sort_unstable();
            assert_eq!(tried, known);
            let manifest = std::fs::read_to_string(folder("../Cargo.toml")).unwrap();
            for name in known {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no binary of fuzz/");
                let binary = std::fs::read_to_string(folder(&format!("../fuzz_targets/{name}.rs"))).unwrap();
                assert!(binary.contains(&format!("targets::{name}(data)")), "{name}");
                let kept: u64 =
                    std::fs::read_dir(folder(name)).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
                assert!((1..=MOST_KEPT).contains(&kept), "{name}: {kept} bytes are kept");
            }
        }
    };
}

targets_hold! {
    sse event_stream wire_openai_chat wire_openai_responses wire_anthropic wire_gemini wire_bedrock
    embeddings answer schema suite recording baseline
}
